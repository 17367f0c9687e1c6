"""The depth-to-width ratio at which nets of an activation are expected to be best.

The ratio r = depth / width sets how much a net deviates from its infinitely wide limit: how much it
learns representations, and how much one initialisation differs from the next. By the mutual
information of subsets of the output (arXiv 2106.10165) the two balance at

    r* = 4 / (20 + 3 n_out) / nu.

It is an order of magnitude: see the study of the paper for how well it does.
"""

from __future__ import annotations

from overparam.theory.elementwise import Activation
from overparam.theory.four_point_vertex import vertex_slope


def optimal_aspect_ratio(activation: Activation, n_out: int, residual: float = 0.0) -> float:
    """Best ratio of depth (layers of weights) to width.

    Parameters
    ----------
    activation : str or callable
        See `theory.criticality`.
    n_out : int
        Outputs of the net, >= 1.
    residual : float
        xi^2 of its skip connections; see `theory.vertex_slope`.

    Raises
    ------
    ValueError
        If n_out < 1, or `vertex_slope` refuses the rest.

    Examples
    --------
    >>> optimal_aspect_ratio("relu", 10), round(optimal_aspect_ratio("tanh", 10), 3)
    (0.016, 0.12)
    """
    if n_out != int(n_out) or n_out < 1:
        raise ValueError(f"n_out must be an integer >= 1; got {n_out!r}.")
    return 4 / (20 + 3 * int(n_out)) / vertex_slope(activation, residual)
