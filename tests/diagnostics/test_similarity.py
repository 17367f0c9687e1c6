"""The public names of what lives in `training.similarity`."""

from overparam.diagnostics import similarity
from overparam.training import similarity as source


def test_the_public_names_are_those_of_training():
    assert similarity.__all__ == ["cka_from_gram", "cka_matrix", "linear_cka", "rsa"]
    for name in similarity.__all__:
        assert getattr(similarity, name) is getattr(source, name)
