"""The cells: stacks are single runs, directions and errors are those of the weights."""

import numpy as np
import pytest

from overparam.data.synthetic import xor_clusters
from overparam.studies import xor_grokking_cells as measured
from overparam.training.two_layer_relu import TwoLayerReLU

SMALL = {"n": 60, "p": 600, "hidden": 24, "test_rows": 80, "step": 0.02, "n_steps": 6}


def of_seed(found, i):
    return {name: np.asarray(values)[i] for name, values in found.items()}


def trained(seed):
    """The same descent by the estimator, and its data."""
    p, n = SMALL["p"], SMALL["n"]
    X, y, _ = xor_clusters(n, p, 2 * p**0.25, 0.1, 2 * seed)
    X_test, y_noisy, y_test = xor_clusters(SMALL["test_rows"], p, 2 * p**0.25, 0.1, 2 * seed + 1)
    W0, a = measured.start(p, SMALL["hidden"], 1e-5, seed)
    net = TwoLayerReLU(n_steps=SMALL["n_steps"], method="direct")
    return net.fit(X, y, X_test, y_test, W0=W0, a=a), (X_test, y_noisy)


def test_a_stack_measures_what_the_estimator_does():
    found = of_seed(measured.xor_descents([3, 5], **SMALL), 1)
    net, (X_test, y_noisy) = trained(5)
    for column in ("train_accuracy", "test_accuracy"):
        np.testing.assert_array_equal(found[column], net.history_[column])
    np.testing.assert_allclose(found["linear_part"], net.history_["linear_part"], atol=1e-3)
    assert found["noisy_accuracy"][-1] == (net.predict(X_test) == y_noisy).mean()


def test_directions_are_those_of_the_weights():
    found = of_seed(measured.xor_descents([5], **SMALL), 0)
    net, _ = trained(5)
    cosines = np.abs(net.weights_[:, :2]) / np.linalg.norm(net.weights_, axis=1)[:, None]
    right = np.where(net.a_ > 0, cosines[:, 0], cosines[:, 1])
    wrong = np.where(net.a_ > 0, cosines[:, 1], cosines[:, 0])
    assert found["right_cosine"][-1] == pytest.approx(right.mean(), rel=1e-3)
    assert found["wrong_cosine"][-1] == pytest.approx(wrong.mean(), rel=1e-3)
    assert found["right_neurons"][-1] == (right > wrong).mean()


def test_a_seed_does_not_depend_on_its_neighbours():
    together, alone = measured.xor_descents([0, 1, 2], **SMALL), measured.xor_descents([1], **SMALL)
    for name in together:
        np.testing.assert_allclose(together[name][1], alone[name][0], rtol=1e-5, atol=1e-6)


def test_ridges_are_scikit_learns():
    from sklearn.linear_model import Ridge

    X, y, _ = xor_clusters(60, 300, 8.0, 0.1, 0)
    X_test, _, y_test = xor_clusters(500, 300, 8.0, 0.1, 1)
    found = measured.ridge_accuracies(X @ X.T, X_test @ X.T, y, y_test, 300)
    for penalty, accuracy in zip(measured.penalties(300), found, strict=True):
        if penalty >= 1:  # below, float32 kernels decide ties
            ridge = Ridge(alpha=penalty, fit_intercept=False).fit(X, y)
            assert accuracy == pytest.approx((ridge.predict(X_test) * y_test > 0).mean(), abs=0.005)
    assert len(found) == 13


def test_final_errors_are_those_of_clusters_of_that_strength():
    settings = {"n": 40, "seed": 2, "p": 400, "hidden": 16, "test_rows": 200}
    settings |= {"step": 0.05, "n_steps": 20}
    found = measured.final_errors(strength=[1.0, 4.0], **settings)
    assert found["x"] == [40.0, 640.0]
    for i, strength in enumerate((1.0, 4.0)):
        norm, first = np.sqrt(strength) * 400**0.25, 2 * (2 + 1000 * 40)
        X, y, _ = xor_clusters(40, 400, norm, 0.1, first)
        X_test, _, y_test = xor_clusters(200, 400, norm, 0.1, first + 1)
        W0, a = measured.start(400, 16, 1e-5, 2)
        net = TwoLayerReLU(step=0.05, n_steps=20).fit(X, y, X_test, y_test, W0=W0, a=a)
        right = net.history_["test_accuracy"][-1]
        assert found["error"][i] == pytest.approx(1 - right, abs=0.006)  # a row, by rounding
        assert found["train_accuracy"][i] == net.history_["train_accuracy"][-1]


def test_pairs_are_one_class_or_two_and_share_no_image():
    X, y, X_test, y_test = measured.image_rows("pairs", "digits", 150, 60, 0, 0)
    assert X.shape == (150, 128)
    assert np.abs(X.mean(axis=0)).max() < 1e-4
    assert X.std() == pytest.approx(1, abs=0.02)
    for labels in (y, y_test):
        assert set(labels) == {-1, 1}
    halves = [{tuple(half) for half in np.round(rows.reshape(-1, 64), 3)} for rows in (X, X_test)]
    assert not halves[0] & halves[1]
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    assert SVC().fit(X, y).score(X_test, y_test) > 0.9
    assert LogisticRegression(max_iter=500).fit(X, y).score(X_test, y_test) < 0.75  # XOR


def test_the_two_classes_are_threes_and_eights_against_fives_and_nines():
    X, y, X_test, y_test = measured.image_rows("classes", "digits", 200, 700, 0, 1)
    assert X.shape == (200, 64)
    assert len(X_test) == 519  # what is left of 719 images
    assert abs(np.concatenate([y, y_test]).mean()) < 0.05
    from sklearn.svm import SVC

    assert SVC(gamma=0.01).fit(X, y).score(X_test, y_test) > 0.9


def test_noise_columns_stand_behind_the_images():
    plain = measured.image_rows("pairs", "digits", 50, 40, 0, 0)[0]
    noisy = measured.image_rows("pairs", "digits", 50, 40, 1000, 0)[0]
    np.testing.assert_array_equal(noisy[:, :128], plain)
    assert noisy[:, 128:].std() == pytest.approx(1, abs=0.02)


def test_curves_of_images_say_which_labels_are_fit():
    found = measured.image_descents(
        [0, 1], "pairs", "digits", 150, 50, 0, hidden=64, init_std=1e-3, step=0.05, n_steps=60
    )
    steps = found["steps"][0].tolist()
    assert {0, 1, 2, 3, 4, 5, 50, 60} <= set(steps)
    assert found["train_accuracy"].shape == found["test_accuracy"].shape == (2, len(steps))
    assert found["test_rows"] == [50, 50]
    # Clean labels are learnt first: wrong ones are never better fit than the rest.
    assert (found["wrong_labels_fit"][:, -1] <= found["train_accuracy"][:, -1]).all()
    assert (found["test_accuracy"][:, -1] > 0.8).all()
