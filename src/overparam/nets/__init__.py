"""Networks, layers, parametrisations and initialisations."""

from overparam.nets import init
from overparam.nets.collapsing_network import CollapsingNetwork
from overparam.nets.convnet import ConvNet
from overparam.nets.deep_linear import DeepLinear
from overparam.nets.init import critical_
from overparam.nets.mlp import MLP
from overparam.nets.number_embeddings import PeriodicEmbedding, PiecewiseEmbedding
from overparam.nets.robust_scaling import SmoothRobustScaling
from overparam.nets.tabular import TabularNet

__all__ = [
    "MLP",
    "CollapsingNetwork",
    "ConvNet",
    "DeepLinear",
    "PeriodicEmbedding",
    "PiecewiseEmbedding",
    "SmoothRobustScaling",
    "TabularNet",
    "critical_",
    "init",
]
