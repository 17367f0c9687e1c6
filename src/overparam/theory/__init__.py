"""Predictions that need no training: one module an idea."""

from overparam.kernels.dual import classify_activation
from overparam.theory import collapse, eigenframework, learning_dynamics, scaling
from overparam.theory.class_overlap import overlap_bound
from overparam.theory.depth_to_width import optimal_aspect_ratio
from overparam.theory.four_point_vertex import residual_vertex, vertex_slope
from overparam.theory.initialization import Criticality, criticality
from overparam.theory.kernel_recursion import infinite_width_kernels
from overparam.theory.sampling_trick import sample_preactivations
from overparam.theory.signal_recursion import criticality_map, signal_propagation

__all__ = [
    "Criticality",
    "classify_activation",
    "collapse",
    "criticality",
    "criticality_map",
    "eigenframework",
    "infinite_width_kernels",
    "learning_dynamics",
    "optimal_aspect_ratio",
    "overlap_bound",
    "residual_vertex",
    "sample_preactivations",
    "scaling",
    "signal_propagation",
    "vertex_slope",
]
