"""How alike two sets of activations are (arXiv 2410.20035); see `training.similarity`."""

from overparam.training.similarity import cka_from_gram, cka_matrix, linear_cka, rsa

__all__ = ["cka_from_gram", "cka_matrix", "linear_cka", "rsa"]
