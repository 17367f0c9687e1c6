"""Claims are read from a study's source as the study itself registers them."""

import importlib.util

from overparam.studies.claim_list import claims_of

SOURCE = '''
"""A study."""
import functools

from overparam.studies.study import Study

study = Study("more-is-better")


@study.claim("C2", minutes={"quick": 1})
def second(scale):
    """Comes first
    here, on two lines.

    What follows explains.
    """


@study.claim("C1")
@functools.cache
def first(scale):
    """Comes second."""


@functools.cache
def helper():
    """Claims nothing."""
'''


def test_sentences_and_order_are_those_of_the_study(tmp_path):
    path = tmp_path / "planted_study.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("planted_study", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = claims_of(path)
    assert found == {"C2": "Comes first here, on two lines.", "C1": "Comes second."}
    assert list(found.items()) == [(c.id, c.sentence) for c in module.study.claims.values()]
