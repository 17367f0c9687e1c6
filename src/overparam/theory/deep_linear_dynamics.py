"""How a mode is learned by a deep linear net (arXiv 1710.03667).

From a balanced start that is aligned with the data, the strength s of a mode, the product of its D
weights, follows

    tau ds/dt = D l s^{2 - 2/D} (s_target - s),

l the eigenvalue of the inputs along it. D = 1 is exponential, D = 2 a logistic curve,

    s(t) = s_target / (1 + (s_target / s_0 - 1) e^{-2 l s_target t}).

Weak modes come later, and s_0 -> 0 delays all: at s = 0 a deep net does not move.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

REST = 1e-11  # relative distance from the target at which a mode has arrived


def deep_linear(
    target: Any, start: Any, times: Any, depth: int = 2, input_eigenvalue: Any = 1.0
) -> Any:
    """Strength of modes over time.

    Parameters
    ----------
    target, start, input_eigenvalue : float or array
        Strength that the data ask for, strength at time 0, eigenvalue of the inputs; all > 0. They
        broadcast.
    times : float or array (T,)
        Increasing, >= 0; `numpy.inf` allowed.
    depth : int
        Layers of weights, >= 1. Depths 1 and 2 are closed forms, others integrated to 1e-10.

    Returns
    -------
    ndarray (..., T) or float

    Raises
    ------
    ValueError
        If a number is outside what is accepted.

    Examples
    --------
    >>> deep_linear([2.0, 1.0], 0.01, [0, 2, np.inf]).round(3)
    array([[0.01 , 1.875, 2.   ],
           [0.01 , 0.355, 1.   ]])
    """
    named = {"target": target, "start": start, "input_eigenvalue": input_eigenvalue}
    values = [np.asarray(value, dtype=float) for value in named.values()]
    for name, value in zip(named, values, strict=True):
        if not ((value > 0) & np.isfinite(value)).all():
            raise ValueError(f"{name} must be finite and > 0; got {named[name]!r}.")
    shaped = np.asarray(times, dtype=float)
    t = np.atleast_1d(shaped)
    if shaped.ndim > 1 or not (t >= 0).all() or not (t[1:] >= t[:-1]).all():
        raise ValueError(f"times must be increasing numbers >= 0; got {times!r}.")
    if depth != int(depth) or depth < 1:
        raise ValueError(f"depth must be an integer >= 1; got {depth!r}.")
    aim, s0, lam = (value[..., None] for value in np.broadcast_arrays(*values))
    if depth == 1:
        s = aim + (s0 - aim) * np.exp(-lam * t)
    elif depth == 2:
        s = aim / (1 + (aim / s0 - 1) * np.exp(-2 * lam * aim * t))
    else:
        s = _integrated(aim, s0, lam, t, int(depth))
    return s.reshape(aim.shape[:-1] + shaped.shape)[()]


def _integrated(
    aim: np.ndarray, s0: np.ndarray, lam: np.ndarray, t: np.ndarray, depth: int
) -> np.ndarray:
    """By an implicit method where that pays: strong modes are long at rest while weak ones move."""
    a, rate = aim.ravel(), depth * lam.ravel()
    power = 1 - 2 / depth

    def slope(_: float, x: np.ndarray) -> np.ndarray:  # of log s, which cannot become negative
        s = np.exp(x)
        return rate * s**power * (a - s)

    def arrived(_: float, x: np.ndarray) -> float:  # from there a solver creeps through rounding
        return float(np.abs(np.exp(x) / a - 1).max()) - REST

    arrived.terminal = True  # type: ignore[attr-defined]
    finite = t[np.isfinite(t)]
    out = np.repeat(a[:, None], len(t), axis=1)
    if len(finite):
        found = solve_ivp(
            slope,
            (0.0, max(finite[-1], 1e-12)),
            np.log(s0.ravel()),
            method="LSODA",
            t_eval=finite,
            events=arrived,
            rtol=1e-11,
            atol=1e-12,
        )
        out[:, : len(found.t)] = np.exp(found.y)
    return out.reshape(*aim.shape[:-1], len(t))
