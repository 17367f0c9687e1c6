"""`overparam predict`: use the model that an audit saved."""

from __future__ import annotations

from pathlib import Path


def predict(model: Path, data: str, /, *, out: Path) -> int:
    """Predict new rows with the model that an audit recommended.

    Parameters
    ----------
    model
        The folder model/ of an audit.
    data
        Rows in the form of the audited data; a target column is ignored.
    out
        The CSV to write: row, prediction, and p_CLASS for every class; of a text the nats of every
        window.
    """
    from overparam.auditing.saved_model import load_model

    table = load_model(model).predictions(data)
    out.parent.mkdir(parents=True, exist_ok=True)
    table.write_csv(out)
    print(f"{len(table):,} predictions: {out}")
    return 0
