"""Networks, layers, parametrisations and initialisations."""

from overparam.nets import init
from overparam.nets.collapsing_network import CollapsingNetwork
from overparam.nets.companding import (
    bake,
    compand,
    compander_rate_factors,
    parameter_groups,
)
from overparam.nets.convnet import ConvNet
from overparam.nets.deep_linear import DeepLinear
from overparam.nets.init import critical_
from overparam.nets.key_value_cache import KeyValueCache
from overparam.nets.mlp import MLP
from overparam.nets.number_embeddings import PeriodicEmbedding, PiecewiseEmbedding
from overparam.nets.robust_scaling import SmoothRobustScaling
from overparam.nets.tabular import TabularNet
from overparam.nets.tiny_gpt import TinyGPT
from overparam.nets.weight_compander import WeightCompander

__all__ = [
    "MLP",
    "CollapsingNetwork",
    "ConvNet",
    "DeepLinear",
    "KeyValueCache",
    "PeriodicEmbedding",
    "PiecewiseEmbedding",
    "SmoothRobustScaling",
    "TabularNet",
    "TinyGPT",
    "WeightCompander",
    "bake",
    "compand",
    "compander_rate_factors",
    "critical_",
    "init",
    "parameter_groups",
]
