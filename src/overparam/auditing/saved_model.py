"""The recommended model as a folder: safetensors, JSON and skops; nothing is ever unpickled.

model.json            what it is, what it expects, versions
preprocessor/         from raw rows to features
nets.safetensors      weights of the members, stacked
baseline.skops        a scikit-learn model
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import safetensors.numpy
import torch
from scipy.special import softmax

from overparam.auditing.baselines import predict_features
from overparam.auditing.candidates import Build
from overparam.auditing.final_fits import Parts
from overparam.auditing.recipes import ModuleFactory, import_factory, module_factory
from overparam.auditing.text_model import (
    KIND,
    SavedLanguageModel,
    read_language_model,
)
from overparam.auditing.trusted_types import TRUSTED
from overparam.auditing.versions import versions
from overparam.data.dataset import Dataset
from overparam.data.loading import read_features
from overparam.data.preprocessing import Preprocessor
from overparam.evidence.errors import UserError

FORMAT = 1
BLOCK = 4096  # rows at once through the nets


class SavedModel:
    """A recommended model, read by `overparam.load_model`.

    Attributes
    ----------
    classes : tuple of str
        Class names in the order of the columns of `predict_proba`; empty for regression.
    task : str
        `classification` or `regression`.
    info : dict
        What model.json holds: target, columns, versions, how it was measured.
    """

    def __init__(
        self,
        info: Mapping[str, Any],
        preprocessor: Preprocessor,
        members: list[torch.nn.Module],
        baseline: Any,
    ) -> None:
        self.info = dict(info)
        self.task: str = info["schema"]["task"]
        self.classes: tuple[str, ...] = tuple(info["schema"]["classes"])
        self._build = Build.from_dict(info["build"])
        self._preprocessor = preprocessor
        self._members = members
        self._baseline = baseline

    def __repr__(self) -> str:
        return f"SavedModel({self.info['title']!r}, predicts {self.info['schema']['target']!r})"

    def predict_proba(self, data: Any) -> np.ndarray:
        """(n, k) class probabilities of new rows: a path, a data frame or an array.

        A target column in `data` is ignored; categories never seen count as unknown.
        """
        if self.task != "classification":
            raise UserError("predict_proba needs a classification model; use predict.")
        return self._predict(data)

    def predict(self, data: Any) -> np.ndarray:
        """(n,) class names, or numbers for regression."""
        p = self._predict(data)
        return np.asarray(self.classes)[p.argmax(axis=1)] if self.classes else p[:, 0]

    def predictions(self, data: Any) -> pl.DataFrame:
        """The table of `overparam predict`: row, prediction, and p_CLASS for every class."""
        p = self._predict(data)
        columns: dict[str, Any] = {"row": np.arange(len(p))}
        if not self.classes:
            return pl.DataFrame({**columns, "prediction": p[:, 0]})
        columns["prediction"] = np.asarray(self.classes)[p.argmax(axis=1)]
        return pl.DataFrame(columns | {f"p_{c}": p[:, i] for i, c in enumerate(self.classes)})

    def _predict(self, data: Any) -> np.ndarray:
        raw = read_features(data, self.info["schema"])
        n = len(raw)
        if n == 0:
            return np.zeros((0, len(self.classes) or 1))
        blocks = [
            self._predict_block(self._preprocessor.transform(raw[i : i + BLOCK]))
            for i in range(0, n, BLOCK)
        ]
        return np.concatenate(blocks)

    def _predict_block(self, X: np.ndarray) -> np.ndarray:
        parts = []
        if self._members:
            nets = self.info["nets"]
            flat = nets["flat"]
            x = torch.as_tensor(self._preprocessor.flat(X) if flat else X)
            with torch.no_grad():
                logits = np.stack([member(x).double().numpy() for member in self._members])
            logits = logits * nets["scale"] + nets["shift"]
            logits = logits / np.asarray(nets["temperatures"])[:, None, None]
            parts.append((softmax(logits, axis=-1) if self.classes else logits).mean(axis=0))
        if self._baseline is not None:
            parts.append(predict_features(self._baseline, self._preprocessor, X, len(self.classes)))
        return np.mean(parts, axis=0)


def save_model(folder: Path, dataset: Dataset, parts: Parts, info: Mapping[str, Any]) -> None:
    """Write the folder of a fitted recommendation; `info` (title, measured) goes to model.json."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset.preprocessor(parts.rows).save(folder / "preprocessor")
    described: dict[str, Any] = {
        "format": FORMAT,
        "schema": dataset.schema,
        "build": parts.build.as_dict(),
        "versions": versions(),
        **info,
    }
    if parts.nets:
        states = {
            name.removeprefix("state/"): np.ascontiguousarray(value)
            for name, value in parts.nets.items()
            if name.startswith("state/")
        }
        safetensors.numpy.save_file(states, folder / "nets.safetensors")
        recipe = parts.build.recipe
        assert recipe is not None
        described["nets"] = {
            "n_features": int(parts.nets["n_features"]),
            "shift": float(parts.nets["shift"]),
            "scale": float(parts.nets["scale"]),
            "temperatures": np.asarray(parts.nets["temperatures"]).tolist(),
            "flat": reads_flat(recipe.net, dataset.kind),
        }
    if parts.baseline is not None:
        (folder / "baseline.skops").write_bytes(parts.baseline)
    (folder / "model.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def reads_flat(net: str, kind: str) -> bool:
    """Whether a net reads flat numbers rather than images or columns as they are."""
    return not (net in ("tabular", "convolutional") or (":" in net and kind == "image"))


def load_model(
    path: str | Path, model: ModuleFactory | None = None
) -> SavedModel | SavedLanguageModel:
    """Read the model that an audit saved.

    Parameters
    ----------
    path : path
        The folder `model/` of an audit.
    model : callable, optional
        `module_factory` of a recommended net of your own that cannot be imported by name.

    Returns
    -------
    SavedModel or SavedLanguageModel
        The latter of a text.

    Raises
    ------
    UserError
        No model there, one of another format, or a file with a type that overparam never saves.

    Notes
    -----
    Nothing is unpickled: weights are safetensors, scikit-learn parts are read by skops with a fixed
    list of types.
    """
    folder = Path(path)
    try:
        info = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"model must be a folder written by an audit, with model.json; got {str(path)!r}."
        ) from error
    if info.get("format") != FORMAT:
        raise UserError(
            f"model must have format {FORMAT}; got {info.get('format')!r}, written by overparam "
            f"{info.get('versions', {}).get('overparam')}. Run the audit again."
        )
    if info.get("kind") == KIND:
        return read_language_model(folder, info)
    _check_versions(info["versions"])
    preprocessor = Preprocessor.load(folder / "preprocessor")
    build = Build.from_dict(info["build"])
    members: list[torch.nn.Module] = []
    if build.recipe is not None:
        members = _members(folder, info, build, preprocessor, model)
    baseline = None
    if build.baseline is not None:
        baseline = _read_baseline(folder / "baseline.skops")
    return SavedModel(info, preprocessor, members, baseline)


def _members(
    folder: Path,
    info: Mapping[str, Any],
    build: Build,
    preprocessor: Preprocessor,
    own: ModuleFactory | None,
) -> list[torch.nn.Module]:
    recipe = build.recipe
    assert recipe is not None
    if ":" in recipe.net and own is None:
        own = import_factory(recipe.net)
    states = safetensors.numpy.load_file(folder / "nets.safetensors")
    plain = recipe.but(compander=0.0)  # the weights that companded nets use are what was saved
    factory = module_factory(plain, preprocessor, None, own)
    n_features, n_outputs = info["nets"]["n_features"], len(info["schema"]["classes"]) or 1
    members = []
    for i in range(build.members):
        module = factory(n_features, n_outputs, i)
        module.load_state_dict({name: torch.as_tensor(v[i]) for name, v in states.items()})
        members.append(module.eval())
    return members


def _read_baseline(path: Path) -> Any:
    import skops.io  # slow to import

    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
    if unknown:
        raise UserError(
            f"model must hold only types that overparam saves; {path.name} holds "
            f"{', '.join(unknown)}. Do not use it unless you know where it comes from."
        )
    return skops.io.load(path, trusted=list(TRUSTED))


def _check_versions(saved: Mapping[str, str]) -> None:
    """Other versions of scikit-learn or skrub may read a file wrongly: refuse, and say which."""
    now = versions()
    for name in ("scikit-learn", "skrub"):
        if saved.get(name, "").split(".")[:2] != now[name].split(".")[:2]:
            raise UserError(
                f"model must be read with {name} {saved.get(name)}, which wrote it; this is "
                f"{now[name]}. Install that version or run the audit again."
            )
