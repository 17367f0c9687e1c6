"""Networks, layers, parametrisations and initialisations."""

from overparam.nets.mlp import MLP

__all__ = ["MLP"]
