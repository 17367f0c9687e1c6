"""The papers' claims, one module a paper."""

from overparam.studies.discovery import load_study, studied
from overparam.studies.reproducing import reproduce
from overparam.studies.study import Claim, Study

__all__ = ["Claim", "Study", "load_study", "reproduce", "studied"]
