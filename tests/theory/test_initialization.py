"""Critical initialisation: published values, classes, fixed points, activations without any."""

import numpy as np
import pytest
import torch

from overparam.theory.elementwise import NAMED
from overparam.theory.gaussian_moments import gaussian_moments
from overparam.theory.initialization import criticality

# name: class, C_b, C_W, K*, nu, p
KNOWN = {
    "relu": ("scale-invariant", 0, 2, np.nan, 5, 0),
    "linear": ("scale-invariant", 0, 1, np.nan, 2, 0),
    "tanh": ("K*=0", 0, 1, 0, 2 / 3, 1),
    "sin": ("K*=0", 0, 1, 0, 2 / 3, 1),
    "erf": ("K*=0", 0, np.pi / 4, 0, 2 / 3, 1),
    "gelu": ("half-stable", 0.17292239, 1.98305826, 3.5615528, 4.904, 0),
    "swish": ("half-stable", 0.55514317, 1.98800468, 14.3201736, 4.923, 0),
}


@pytest.mark.parametrize("name", KNOWN)
def test_critical_values(name):
    kind, C_b, C_W, K_star, nu, p = KNOWN[name]
    found = criticality(name)
    assert found.universality_class == kind
    assert (found.C_b, found.C_W) == (pytest.approx(C_b, abs=2e-8), pytest.approx(C_W, abs=2e-8))
    assert found.K_star == pytest.approx(K_star, abs=2e-7, nan_ok=True)
    assert found.nu == pytest.approx(nu, abs=5e-4)
    assert found.p == pytest.approx(p, abs=1e-4)


@pytest.mark.parametrize(("slope", "C_W", "nu"), [(0.1, 1.980198, 4.8824), (0.2, 1.923077, 4.5562)])
def test_leaky_relu(slope, C_W, nu):
    found = criticality(torch.nn.LeakyReLU(slope))
    assert pytest.approx(C_W, abs=5e-7) == found.C_W
    assert found.nu == pytest.approx(nu, abs=5e-5)
    assert found.universality_class == "scale-invariant"


@pytest.mark.parametrize("name", ["gelu", "swish"])
def test_half_stable_points_are_fixed_and_neither_grow_nor_shrink(name):
    found = criticality(name)
    at = gaussian_moments(name, found.K_star)
    assert found.C_b + found.C_W * at.second == pytest.approx(found.K_star, rel=1e-10)
    assert found.C_W * at.slope == pytest.approx(1, rel=1e-9)
    assert found.C_W * at.derivative == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("name", ["gelu", "swish"])
def test_no_second_critical_point_up_to_400(name):
    K = np.geomspace(1.01 * criticality(name).K_star, 400, 200)
    at = gaussian_moments(name, K)
    assert (at.slope < at.derivative).all()


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "elu"])
def test_functions_are_classified_like_names(name):
    tensors = {"relu": torch.relu, "tanh": torch.tanh, "gelu": torch.nn.functional.gelu}
    found = criticality(tensors.get(name, torch.nn.functional.elu))
    named = criticality(name)
    assert found.universality_class == named.universality_class
    assert pytest.approx(named.C_W, rel=1e-7) == found.C_W
    assert found.K_star == pytest.approx(named.K_star, rel=1e-6, nan_ok=True)


def test_a_smooth_function_has_the_p_of_its_taylor_series():
    # s_1, s_2, s_3 = 2, 1, -6 at 0: a_1 = -3 + 3/16, b_1 = -3 + 1/4
    found = criticality(lambda z: np.tanh(2 * z + z**2 / 2 + (8 * 2 / 6 - 1) * z**3))
    assert found.universality_class == "K*=0"
    assert pytest.approx(0.25, rel=1e-8) == found.C_W
    assert found.p == pytest.approx((-3 + 1 / 4) / (-3 + 3 / 16), abs=1e-3)


def test_elu_falls_like_the_square_of_the_depth():
    found = criticality("elu")
    assert found.universality_class == "K*=0"
    K, products = 1.0, []
    for _ in range(400):
        at = gaussian_moments("elu", K)
        products.append(float(at.derivative))
        K = float(at.second)
    late = np.log(np.prod(products[100:])) / np.log(100 / 400)
    assert found.p == pytest.approx(2, abs=0.01)
    assert late == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("name", ["softplus", "sigmoid"])
def test_no_critical_point_comes_with_the_reason(name):
    found = criticality(name)
    assert found.universality_class == "none"
    assert np.isnan([found.C_W, found.C_b, found.K_star, found.nu]).all()
    value = float(NAMED[name].function(np.zeros(1))[0])
    assert f"{name}(0) is {value:.3g}, not 0" in found.reason


def test_a_square_has_no_critical_point_although_it_is_zero_at_zero():
    found = criticality(lambda z: z**2)
    assert found.universality_class == "none"
    assert "does not fall at K = 0" in found.reason


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="activation must be one of"):
        criticality("gluu")
