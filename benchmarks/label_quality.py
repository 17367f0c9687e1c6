"""Quality of labels against cleanlab and against each single model, on planted wrong labels.

Eight embedded sets of at most 1,000 rows, three shares of wrong labels, uniform and by class, three
seeds; five models' out-of-fold probabilities, computed once (`planted_label_noise`). Everybody
reads the same predictions. The figure is the area under the curve for "the label is wrong", then
the error of the estimated share and how often its interval holds it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import polars as pl
from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores
from sklearn.metrics import roc_auc_score

from overparam.diagnostics.wrong_labels import label_quality
from planted_label_noise import KINDS, MODELS, SETS, SHARES, Planted, planted

PEERS = (
    "cleanlab ensemble, self-confidence",
    "cleanlab ensemble, normalized margin",
    "cleanlab of the mean, self-confidence",
    "cleanlab of the mean, normalized margin",
)


@dataclass(frozen=True)
class Scored:
    """Areas of ours, of the peers and of single models, and what ours says of the share."""

    ours: float
    peers: list[float]
    single: list[float]
    error: float
    covered: bool
    said: float
    found: float
    seconds: float


def scored(case: Planted) -> Scored:
    """All competitors on one case."""
    p = case.p.astype(float)
    p /= p.sum(axis=2, keepdims=True)
    start = time.perf_counter()
    found = label_quality(p, case.y)
    seconds = time.perf_counter() - start
    mean, rows = p.mean(axis=0), np.arange(len(case.y))
    methods = ("self_confidence", "normalized_margin")
    peers = [
        get_label_quality_ensemble_scores(case.y, list(p), method=m, verbose=False) for m in methods
    ]
    peers += [get_label_quality_scores(case.y, mean, method=m) for m in methods]

    def area(quality: np.ndarray) -> float:
        return float(roc_auc_score(case.wrong, -quality))

    likely = found.quality < 0.5
    share = float(case.wrong.mean())
    return Scored(
        area(found.quality),
        [area(quality) for quality in peers],
        [area(one[rows, case.y]) for one in p],
        found.share - share,
        found.low <= share <= found.high,
        float(1 - found.quality[likely].mean()) if likely.any() else np.nan,
        float(case.wrong[likely].mean()) if likely.any() else np.nan,
        seconds,
    )


def line(name: str, some: list[Scored]) -> dict[str, object]:
    """One line of the table: means over cases."""
    peers = np.array([s.peers for s in some])
    ours = np.array([s.ours for s in some])
    return {
        "": name,
        "ours": f"{ours.mean():.4f}",
        "best cleanlab": f"{peers.mean(axis=0).max():.4f}",
        "best single": f"{np.mean([s.single for s in some], axis=0).max():.4f}",
        "cases won or tied": f"{(ours >= peers.max(axis=1) - 1e-9).sum()}/{len(some)}",
        "share off by": f"{np.mean([abs(s.error) for s in some]):.3f}",
        "within 3 points": f"{sum(abs(s.error) <= 0.03 for s in some)}/{len(some)}",
        "interval holds": f"{sum(s.covered for s in some)}/{len(some)}",
        "said / found": f"{np.nanmean([s.said for s in some]):.2f} / "
        f"{np.nanmean([s.found for s in some]):.2f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = [(case, scored(case)) for case in planted(options.seeds)]
    lines = [line(name, [s for c, s in results if c.name == name]) for name in SETS]
    for kind in KINDS:
        for share in SHARES:
            some = [s for c, s in results if c.kind == kind and c.share == share]
            lines.append(line(f"{share:.0%} {kind}", some))
    lines.append(line("all", [s for _, s in results]))
    with pl.Config(tbl_formatting="MARKDOWN", tbl_hide_column_data_types=True) as config:
        config.set_tbl_hide_dataframe_shape(True).set_tbl_rows(-1).set_tbl_cols(-1)
        config.set_tbl_width_chars(200).set_fmt_str_lengths(60)
        print(f"cleanlab {version('cleanlab')}, {len(results)} cases")
        print(pl.DataFrame(lines))
    everyone = np.array([s.peers + s.single for _, s in results]).mean(axis=0)
    for name, value in zip((*PEERS, *MODELS), everyone, strict=True):
        print(f"{name:<44}{value:.4f}")
    print(f"{'ours':<44}{np.mean([s.ours for _, s in results]):.4f}")
    print(f"median {np.median([s.seconds for _, s in results]):.2f} s a case")


if __name__ == "__main__":
    main()
