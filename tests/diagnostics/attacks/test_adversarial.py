"""What all attacks promise."""

import pytest
import torch
from torch import nn

from overparam.diagnostics.attacks import APGD, PGD, DeepFool, Square
from overparam.diagnostics.attacks.adversarial import Progress
from overparam.diagnostics.run_measures import margins
from overparam.nets import ConvNet

ATTACKS = [
    PGD(steps=5),
    PGD("l2", restarts=2, steps=5),
    PGD(loss="dlr", steps=5),
    APGD(steps=10),
    APGD("l2", steps=10, loss="dlr"),
    APGD(steps=10, loss="targeted-dlr", targets=3),
    APGD("l2", steps=10, loss="margin", restarts=2),
    Square(queries=60),
    Square("l2", queries=60),
    DeepFool(),
    DeepFool("linf"),
]


def at_radius(attack, radius):
    return type(attack)(**{**vars(attack), "radius": radius})


def usual(norm):
    return {"linf": 0.1, "l2": 0.6}[norm]


def named(attack):
    return f"{type(attack).__name__}-{attack.norm}-{getattr(attack, 'loss', '')}"


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_points_lie_in_the_ball_and_the_bounds_and_say_what_they_do(attack, digits):
    net, X, y = digits
    radius = usual(attack.norm)
    found = at_radius(attack, radius).attack(net, X, y)
    assert 0 <= found.points.min() <= found.points.max() <= 1
    assert found.distance.max() <= radius * (1 + 1e-5)
    order = {"linf": torch.inf, "l2": 2}[attack.norm]
    lengths = torch.linalg.vector_norm((found.points - X).flatten(1), order, dim=1)
    torch.testing.assert_close(found.distance, lengths)
    with torch.no_grad():
        z = net(found.points)
    assert torch.equal(z.argmax(1) != y, found.fooled)
    torch.testing.assert_close(found.margin, margins(z, y), atol=1e-4, rtol=1e-4)
    assert found.margin[~found.fooled].min() >= 0 >= found.margin[found.fooled].max()
    assert found.robust_accuracy == pytest.approx(float((~found.fooled).double().mean()))
    assert 0.02 < found.robust_accuracy < 0.95  # it does something, and not everything
    assert found.queries.min() >= 1


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_a_larger_radius_fools_more(attack, digits):
    net, X, y = digits
    stands = [
        at_radius(attack, share * usual(attack.norm)).attack(net, X, y).robust_accuracy
        for share in (0, 0.3, 1, 3)
    ]
    with torch.no_grad():
        assert stands[0] == pytest.approx(float((net(X).argmax(1) == y).double().mean()))
    assert stands == sorted(stands, reverse=True)
    assert stands[-1] < stands[0]


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_wrong_rows_are_their_own_points(attack, digits):
    net, X, y = digits
    found = attack.attack(net, X[:20], (y[:20] + 1) % 10)
    with torch.no_grad():
        wrong = net(X[:20]).argmax(1) != (y[:20] + 1) % 10
    assert found.fooled[wrong].all()
    assert torch.equal(found.points[wrong], X[:20][wrong])
    assert not found.distance[wrong].any()
    assert (found.queries[wrong] == 1).all()


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_same_seed_same_points_and_the_module_is_left_as_it_was(attack):
    net = nn.Sequential(ConvNet((2, 6, 6), 5, channels=(4,), batch_norm=True, seed=0))
    net[0].norms.eval()
    X, y = torch.rand(9, 2, 6, 6), torch.arange(9) % 5
    before = [v.clone() for v in net.state_dict().values()]
    state = torch.get_rng_state()
    one, two = (attack.attack(net, X, y, seed=3) for _ in range(2))
    assert torch.equal(one.points, two.points)
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training
    assert not net[0].norms.training
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, net.state_dict().values(), strict=True))
    assert not one.points.requires_grad


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_blocks_change_no_row_by_much(attack, digits):
    net, X, y = digits
    whole, blocks = (
        at_radius(attack, usual(attack.norm)).attack(net, X, y, batch_size=b).robust_accuracy
        for b in (200, 33)
    )
    # Two random searches of the same rows: 4 standard errors of 200 rows, of which few are open.
    assert whole == pytest.approx(blocks, abs=0.06)


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_tables_without_bounds_and_under_no_grad(attack):
    net = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 5))
    with torch.no_grad():
        X = 3 * torch.randn(30, 7)
        y = net(X).argmax(1)
        found = at_radius(attack, 2.0).attack(net, X.numpy(), y.tolist(), bounds=None)
    assert found.fooled.any()
    assert found.points.shape == (30, 7)


def test_bounds_of_each_column(digits):
    net, X, y = digits
    low, high = X.amin(0), X.amax(0)
    for norm in ("linf", "l2"):
        found = PGD(norm, 2.0).attack(net, X, y, bounds=(low, high.numpy()))
        assert ((found.points >= low) & (found.points <= high)).all()
        assert found.fooled.any()


def test_progress_keeps_what_fools_and_else_the_least_margin():
    progress = Progress(torch.zeros(2, 1), torch.tensor([0, 0]))
    rows = torch.arange(2)
    for at, logits, stands in (
        (1.0, [[3.0, 0.0], [2.0, 0.0]], [True, True]),
        (2.0, [[1.0, 0.0], [5.0, 0.0]], [True, True]),
        (3.0, [[0.0, 9.0], [4.0, 0.0]], [False, True]),
    ):
        z = torch.tensor(logits)
        assert progress.see(rows, torch.full((2, 1), at), z).tolist() == stands
    assert progress.points.flatten().tolist() == [3.0, 1.0]
    assert progress.margin.tolist() == [-9.0, 2.0]
    assert progress.standing().tolist() == [1]
    assert progress.queries.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"X": torch.zeros(3, 4, dtype=torch.uint8)},
            r"X must be floating-point numbers .* torch.uint8",
        ),
        ({"X": torch.full((3, 4), torch.nan)}, r"X must be finite; got NaN or infinity in 3 of 3"),
        ({"X": torch.full((3, 4), 2.0)}, r"X must lie within bounds; got values from 2 to 2 for"),
        ({"y": [0, 1]}, r"y must be integers, one per row of X; got .* \(2,\) for 3 rows"),
        ({"y": [0.0, 1.0, 1.0]}, r"y must be integers, one per row of X; got torch.float64"),
        ({"y": [0, -1, 1]}, r"y must be class indices >= 0; got -1\."),
        ({"y": [0, 1, 2]}, r"y must be below the module's number of classes, 2; got 2\."),
        ({"bounds": (1, 0)}, r"bounds must have low <= high; got \(1, 0\)\."),
        ({"bounds": 1.0}, r"bounds must be None or a pair \(low, high\).*got 1\.0\."),
        ({"bounds": (0, [1, 1, 1])}, r"bounds must be None or a pair .* shape \(4,\)"),
        ({"batch_size": -1}, r"batch_size must be an integer >= 1; got -1\."),
    ],
)
def test_what_is_not_accepted_is_named(change, text):
    given = {"X": torch.zeros(3, 4), "y": [0, 1, 1], "bounds": (0, 1)} | change
    X, y = given.pop("X"), given.pop("y")
    for attack in (PGD(), Square(), APGD(), DeepFool()):
        with pytest.raises(ValueError, match=text):
            attack.attack(nn.Linear(4, 2), X, y, **given)


@pytest.mark.parametrize("kind", [PGD, APGD, Square, DeepFool])
def test_settings_that_are_not_accepted_are_named(kind):
    with pytest.raises(ValueError, match=r"norm must be one of \('linf', 'l2'\); got 'l1'\."):
        kind(norm="l1")
    with pytest.raises(ValueError, match=r"radius must be a number >= 0; got -1\."):
        kind(radius=-1)
    budget = "queries" if kind is Square else "steps"
    with pytest.raises(ValueError, match=rf"{budget} must be an integer >= 1; got 0\."):
        kind(**{budget: 0})
