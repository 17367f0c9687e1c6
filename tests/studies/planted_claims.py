"""Verdicts of a study whose cells are planted: what its tests share."""

from overparam.evidence.verdict import Evidence


def planted_verdicts(monkeypatch, module, run, claim, scale):
    """The verdict of each part of a claim when `run` invents the cells of the study `module`."""
    monkeypatch.setattr(module, "run", run)
    parts = module.study.claims[claim].measure(scale)
    parts = {"": parts} if isinstance(parts, Evidence) else parts
    return [str(part.verdict) for part in parts.values()]
