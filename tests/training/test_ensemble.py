"""The engine against separate plain PyTorch loops, and its promises about members."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from overparam.nets.companding import compand, compander_rate_factors
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.minibatches import MinibatchStream

SEEDS = [3, 11, 4]
RATES = [0.01, 0.002, 0.03]
DECAYS = [0.0, 0.1, 0.3]
MOMENTA = [0.9, 0.0, 0.5]


def mlp(d, k, seed):
    return MLP(d, k, (12, 12), activation="tanh", layer_norm=True, residual=True, seed=seed)


def cnn(d, k, seed):
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)),
        nn.Conv2d(1, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, k),
    )


def batch_norm_net(d, k, seed):
    return nn.Sequential(nn.Linear(d, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, k))


def companded_mlp(d, k, seed):
    return compand(mlp(d, k, seed), a=2.0, b=1.0)


def companded_foreign(d, k, seed):
    return compand(batch_norm_net(d, k, seed), a=2.0, b=1.0, granularity="channel")


def weight_normed_mlp(d, k, seed):
    net = mlp(d, k, seed)
    weight_norm(net.layers[1])
    return net


FACTORIES = {
    "mlp": mlp,
    "cnn": cnn,
    "batch_norm": batch_norm_net,
    "companded_mlp": companded_mlp,
    "companded_foreign": companded_foreign,
    "weight_normed": weight_normed_mlp,
}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 16))
    return X, rng.integers(0, 3, 70)


def plain_optimizer(name, module, i, factors=None, decays=None):
    groups = [
        {
            "params": [p],
            "lr": RATES[i] * (factors or {}).get(n, 1.0),
            "weight_decay": DECAYS[i] * (decays or {}).get(n, 1.0),
        }
        for n, p in module.named_parameters()
    ]
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=MOMENTA[i])
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](groups)


def plain_loop(module, X, y, seed, optimizer, steps, smoothing=0.0):
    """One network, trained the way that everybody writes it."""
    X, y = torch.as_tensor(X).to(next(module.parameters()).dtype), torch.as_tensor(y)
    stream = MinibatchStream(seed, torch.arange(len(X)))
    module.train()
    for _ in range(steps):
        rows = stream.take(32)
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(X[rows]), y[rows], label_smoothing=smoothing).backward()
        optimizer.step()
    return module


@pytest.mark.parametrize("plan", ["stacked", "loop"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("net", FACTORIES)
def test_members_equal_separate_plain_loops(data, net, optimizer, plan):
    ensemble = Ensemble(FACTORIES[net], SEEDS, 16, 3, plan=plan, dtype=torch.float64)
    plain = [ensemble.member(i) for i in range(3)]
    smoothing = [0.0, 0.1, 0.2]
    ensemble.fit(
        *data,
        optimizer=optimizer,
        learning_rate=RATES,
        weight_decay=DECAYS,
        momentum=MOMENTA,
        label_smoothing=smoothing,
        batch_size=32,
        steps=50,
    )
    for i, module in enumerate(plain):
        plain_loop(module, *data, SEEDS[i], plain_optimizer(optimizer, module, i), 50, smoothing[i])
        ours = ensemble.member(i).state_dict()
        for name, value in module.state_dict().items():
            torch.testing.assert_close(ours[name], value, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("plan", ["stacked", "loop"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("equal", [False, True], ids=["different", "equal"])
def test_factors_are_torchs_parameter_groups(data, optimizer, plan, equal):
    factors = {"layers.0.weight": 0.25, "layers.1.bias": 3.0, "layers.2.weight": 0.0}
    decays = {"layers.0.weight": 0.5, "layers.1.weight": 0.0}
    ensemble = Ensemble(mlp, SEEDS, 16, 3, plan=plan, dtype=torch.float64)
    plain = [ensemble.member(i) for i in range(3)]
    first = [0, 0, 0] if equal else [0, 1, 2]
    ensemble.fit(
        *data,
        optimizer=optimizer,
        learning_rate=[RATES[i] for i in first],
        weight_decay=[DECAYS[i] for i in first],
        momentum=[MOMENTA[i] for i in first],
        rate_factors=factors,
        decay_factors=decays,
        batch_size=32,
        steps=50,
    )
    for i, module in enumerate(plain):
        start = module.layers[2].weight.detach().clone()
        by_hand = plain_optimizer(optimizer, module, first[i], factors, decays)
        plain_loop(module, *data, SEEDS[i], by_hand, 50)
        ours = ensemble.member(i).state_dict()
        for name, value in module.state_dict().items():
            torch.testing.assert_close(ours[name], value, rtol=1e-8, atol=1e-8)
        assert torch.equal(ours["layers.2.weight"], start)


@pytest.mark.parametrize(
    ("factors", "text"),
    [
        (
            {"layers.9.weight": 1.0},
            r"trainable parameters of the module; got \['layers.9.weight'\]",
        ),
        ({"layers.0.bias": -1.0}, r"finite numbers >= 0; got {'layers.0.bias': -1.0}"),
        ({"layers.0.bias": np.nan}, r"finite numbers >= 0; got {'layers.0.bias': nan}"),
    ],
)
@pytest.mark.parametrize("argument", ["rate_factors", "decay_factors"])
def test_factors_that_fit_no_parameter_are_refused(data, factors, text, argument):
    with pytest.raises(ValueError, match=f"{argument} must .*{text}"):
        Ensemble(mlp, SEEDS, 16, 3).fit(*data, **{argument: factors}, steps=1)


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_shape_parameters_of_a_companded_net_train_undecayed_at_their_own_rate(data, plan):
    ensemble = Ensemble(companded_mlp, SEEDS, 16, 3, plan=plan, dtype=torch.float64)
    plain = [ensemble.member(i) for i in range(3)]
    rates = compander_rate_factors(plain[0])
    assert set(rates.values()) == {0.1}
    decays = dict.fromkeys(rates, 0.0)
    ensemble.fit(
        *data,
        optimizer="sgd",
        learning_rate=RATES,
        weight_decay=DECAYS,
        momentum=MOMENTA,
        rate_factors=rates,
        decay_factors=decays,
        batch_size=32,
        steps=50,
    )
    for i, module in enumerate(plain):
        before = module.layers[0].parametrizations.weight[0].log_a.item()
        plain_loop(
            module, *data, SEEDS[i], plain_optimizer("sgd", module, i, rates, decays), steps=50
        )
        ours = ensemble.member(i)
        for name, value in module.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-8, atol=1e-8)
        assert ours.layers[0].parametrizations.weight[0].log_a.item() != before


def test_dropout_of_a_companded_net_is_the_members_own(data):
    def net(d, k, seed):
        return compand(MLP(d, k, (12, 12), dropout=0.5, seed=seed))

    def fitted(seeds, plan):
        ensemble = Ensemble(net, seeds, 16, 3, plan=plan, dtype=torch.float64)
        ensemble.fit(*data, learning_rate=0.01, batch_size=32, steps=20)
        return ensemble.predict_logits(data[0])

    stacked = fitted(SEEDS, "stacked")
    np.testing.assert_allclose(fitted(SEEDS, "loop"), stacked, rtol=1e-9)
    np.testing.assert_allclose(fitted(SEEDS[1:], "stacked"), stacked[1:], rtol=1e-9)


@pytest.mark.parametrize("net", FACTORIES)
def test_float32_sgd_stays_close_to_plain_loops(data, net):
    ensemble = Ensemble(FACTORIES[net], SEEDS, 16, 3, plan="stacked")
    plain = [ensemble.member(i) for i in range(3)]
    ensemble.fit(
        *data,
        optimizer="sgd",
        learning_rate=RATES,
        weight_decay=DECAYS,
        momentum=MOMENTA,
        batch_size=32,
        steps=50,
    )
    for i, module in enumerate(plain):
        plain_loop(module, *data, SEEDS[i], plain_optimizer("sgd", module, i), 50)
        ours = ensemble.member(i).state_dict()
        for name, value in module.state_dict().items():
            torch.testing.assert_close(ours[name], value, rtol=1e-5, atol=1e-5)


def small(seeds, plan="stacked", dropout=0.3, dtype=torch.float64):
    return Ensemble(
        lambda d, k, seed: MLP(d, k, (12,), dropout=dropout, seed=seed),
        seeds,
        16,
        3,
        plan=plan,
        dtype=dtype,
    )


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_a_member_does_not_change_with_its_neighbours(data, plan):
    dtype = torch.float32 if plan == "loop" else torch.float64
    alone, among = small([4], plan, dtype=dtype), small([9, 4, 0, 4], plan, dtype=dtype)
    alone.fit(*data, learning_rate=0.02, batch_size=32, epochs=5)
    among.fit(*data, learning_rate=[0.1, 0.02, 0.3, 0.02], batch_size=32, epochs=5)
    a, b = alone.predict_logits(data[0])[0], among.predict_logits(data[0])[1]
    if plan == "loop":
        assert np.array_equal(a, b)
    else:
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert not np.allclose(a, among.predict_logits(data[0])[0])


@pytest.mark.parametrize("net", ["mlp", "batch_norm"])
def test_both_plans_give_the_same_members(data, net):
    logits = []
    for plan in ("stacked", "loop"):
        ensemble = Ensemble(FACTORIES[net], SEEDS, 16, 3, plan=plan, dtype=torch.float64)
        ensemble.fit(*data, learning_rate=RATES, batch_size=32, epochs=5)
        logits.append(ensemble.predict_logits(data[0]))
    np.testing.assert_allclose(*logits, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_the_same_seeds_give_the_same_bits(data, plan):
    runs = []
    for _ in range(2):
        ensemble = small(SEEDS, plan, dtype=torch.float32)
        torch.rand(3)  # the global stream plays no part
        ensemble.fit(*data, epochs=4)
        runs.append(ensemble.predict_logits(data[0]))
    assert np.array_equal(*runs)


@pytest.mark.parametrize("plan", ["stacked", "loop"])
@pytest.mark.parametrize("size", [40, 20], ids=["over a batch", "under a batch"])
def test_weights_zero_and_one_are_training_on_the_subset(data, size, plan):
    X, y = data
    rows = np.sort(np.random.default_rng(1).permutation(70)[:size])
    weights = np.ones((2, 70))
    weights[1] = 0.0
    weights[1, rows] = 3.0
    both, subset = small([0, 5], plan), small([5], plan)
    both.fit(X, y, weights=weights, steps=30, batch_size=32)
    subset.fit(X[rows], y[rows], steps=30, batch_size=32)
    np.testing.assert_allclose(
        both.predict_logits(X)[1], subset.predict_logits(X)[0], rtol=1e-6, atol=1e-10
    )


def test_weights_weigh_the_loss(data):
    X, y = data
    w = np.random.default_rng(0).uniform(0.1, 2, 70)
    ensemble = small([3], dropout=0.0)
    module = ensemble.member(0)
    ensemble.fit(
        X, y, weights=w, optimizer="sgd", momentum=0, learning_rate=0.1, batch_size=70, steps=2
    )
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        losses = nn.functional.cross_entropy(
            module(torch.as_tensor(X)), torch.as_tensor(y), reduction="none"
        )
        (losses * torch.as_tensor(w / w.mean())).mean().backward()
        optimizer.step()
    np.testing.assert_allclose(
        ensemble.predict_logits(X)[0], module(torch.as_tensor(X)).detach(), rtol=1e-9
    )


def test_own_targets_are_what_a_member_learns(data):
    X, y = data
    flipped = np.stack([y, 2 - y])
    both, alone = small([5, 5]), small([5])
    both.fit(X, targets=flipped, y=None, epochs=5)
    alone.fit(X, 2 - y, epochs=5)
    np.testing.assert_allclose(both.predict_logits(X)[1], alone.predict_logits(X)[0], rtol=1e-8)


def test_shared_minibatches_are_the_first_members(data):
    shared, first = small([7, 2], dropout=0.0), small([7], dropout=0.0)
    shared.fit(*data, minibatches="shared", steps=10, batch_size=32)
    first.fit(*data, steps=10, batch_size=32)
    logits = shared.predict_logits(data[0])
    np.testing.assert_allclose(logits[0], first.predict_logits(data[0])[0], rtol=1e-8)
    plain = small([2], dropout=0.0).member(0)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3, weight_decay=0.0)
    plain_loop(plain, *data, 7, optimizer, 10)
    np.testing.assert_allclose(
        logits[1], plain(torch.as_tensor(data[0])).detach(), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_a_batch_transform_draws_from_each_members_stream(data, plan):
    def blend(x, targets, generators):
        """Mixup by hand: each member its own partner and share."""
        order = torch.stack([torch.randperm(x.shape[1], generator=g) for g in generators])
        share = torch.stack([torch.rand((), generator=g) for g in generators]).to(x)[:, None, None]
        member = torch.arange(len(x))[:, None]
        assert targets.shape == (*x.shape[:2], 3)
        return (
            share * x + (1 - share) * x[member, order],
            share * targets + (1 - share) * targets[member, order],
        )

    alone, among = small([4], plan), small([9, 4], plan)
    alone.fit(*data, batch_transform=blend, epochs=4)
    among.fit(*data, batch_transform=blend, epochs=4)
    mixed = among.predict_logits(data[0])[1]
    np.testing.assert_allclose(mixed, alone.predict_logits(data[0])[0], rtol=1e-8, atol=1e-10)
    without = small([4], plan)
    without.fit(*data, epochs=4)
    assert not np.allclose(mixed, without.predict_logits(data[0])[0])


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_blocks_of_rows_make_no_difference(data, plan):
    ensemble = small(SEEDS, plan)
    whole = ensemble.predict_logits(data[0])
    assert whole.shape == (3, 70, 3)
    np.testing.assert_allclose(ensemble.predict_logits(data[0], block=9), whole, rtol=1e-12)


@pytest.mark.parametrize("net", FACTORIES)
def test_a_member_is_its_slice(data, net):
    ensemble = Ensemble(FACTORIES[net], SEEDS, 16, 3, plan="stacked")
    ensemble.fit(*data, epochs=2)
    logits = ensemble.predict_logits(data[0])
    for i in range(3):
        module = ensemble.member(i)
        own = module(torch.as_tensor(data[0], dtype=torch.float32)).detach()
        np.testing.assert_allclose(own, logits[i], rtol=1e-4, atol=1e-5)
    module.get_parameter(next(iter(ensemble.state.parameters))).data.zero_()  # a copy, not a view
    assert np.array_equal(ensemble.predict_logits(data[0]), logits)


def test_a_factory_that_ignores_its_seed_still_gives_members_of_their_own():
    ensemble = Ensemble(lambda d, k, seed: nn.Linear(d, k), [0, 1, 0], 4, 2)
    weight = ensemble.state.parameters["weight"]
    assert torch.equal(weight[0], weight[2])
    assert not torch.equal(weight[0], weight[1])


def test_foreign_dropout_runs_under_loop_from_the_members_seed(data):
    def factory(d, k, seed):
        return nn.Sequential(nn.Linear(d, 8), nn.Dropout(0.5), nn.Linear(8, k))

    alone, among = Ensemble(factory, [4], 16, 3), Ensemble(factory, [1, 4], 16, 3)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for ensemble in (alone, among):
        ensemble.fit(*data, epochs=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(alone.predict_logits(data[0])[0], among.predict_logits(data[0])[1])


def test_regression_learns_and_reports_no_accuracy(data):
    X, _ = data
    y = X @ np.linspace(-1, 1, 16)
    for loss in ("squared", "huber"):
        ensemble = Ensemble(lambda d, k, seed: MLP(d, k, (), seed=seed), SEEDS, 16, 1)
        history = ensemble.fit(X, y, loss=loss, learning_rate=0.05, epochs=150, schedule="cosine")
        assert np.abs(ensemble.predict_logits(X)[..., 0] - y).max() < 0.05
        assert np.isnan(history.accuracy).all()


def test_history_measures_minibatches_before_each_update(data):
    X, y = data
    ensemble = small([0], dropout=0.0)
    logits = torch.as_tensor(ensemble.predict_logits(X)[0])
    history = ensemble.fit(X, y, batch_size=70, epochs=3)
    loss = nn.functional.cross_entropy(logits, torch.as_tensor(y))
    assert history.loss.shape == (1, 3)
    assert history.loss[0, 0] == pytest.approx(float(loss), rel=1e-9)
    assert history.accuracy[0, 0] == pytest.approx((logits.argmax(1).numpy() == y).mean())
    assert history.steps == 3
    assert history.best_epoch.tolist() == [2]
    assert history.stopped_epoch.tolist() == [3]


def test_a_schedule_scales_every_update(data):
    def first_step_only(step, total):
        return float(step == 0)

    one, scheduled = small([0]), small([0])
    one.fit(*data, steps=1)
    scheduled.fit(*data, steps=4, schedule=first_step_only)
    assert np.array_equal(one.predict_logits(data[0]), scheduled.predict_logits(data[0]))


def test_progress_rises_to_one(data):
    shares = []
    small([0, 1], "loop").fit(*data, epochs=2, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_threads_are_restored(data):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        small([0]).fit(*data, steps=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "epochs or steps must be given, one of them; got None, None"),
        ({"epochs": 1, "steps": 1}, "epochs or steps must be given, one of them; got 1, 1"),
        ({"epochs": 1, "loss": "hinge"}, "loss must be one of"),
        ({"epochs": 1, "optimizer": "lion"}, "optimizer must be one of"),
        ({"epochs": 1, "schedule": "step"}, "schedule must be one of"),
        ({"epochs": 1, "learning_rate": [1, 2]}, "learning_rate must be a number or 3 numbers"),
        ({"epochs": 1, "label_smoothing": 2}, r"label_smoothing must be finite and in \[0, 1\]"),
        ({"epochs": 1, "weights": np.ones((2, 70))}, r"weights must have shape \(3, 70\)"),
        ({"epochs": 1, "minibatches": "own"}, "minibatches must be 'independent' or 'shared'"),
        (
            {"epochs": 1, "minibatches": "shared", "weights": np.eye(3, 70)},
            "minibatches must be 'independent' where weights are 0 on other rows",
        ),
        ({"epochs": 1, "patience": 2}, "patience must come with validation"),
        (
            {"epochs": 1, "validation": (np.zeros((5, 2)), np.zeros(5, int))},
            r"validation X must have rows of shape \(16,\)",
        ),
    ],
)
def test_mistakes_in_fit_are_named(data, options, text):
    with pytest.raises(ValueError, match=text):
        small(SEEDS).fit(*data, **options)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seeds": []}, r"seeds must be one integer >= 0 a member; got \[\]"),
        ({"seeds": [0, -1]}, r"seeds must be one integer >= 0 a member; got \[0, -1\]"),
        ({"plan": "vmap"}, "plan must be one of .*; got 'vmap'"),
    ],
)
def test_mistakes_in_construction_are_named(arguments, text):
    with pytest.raises(ValueError, match=text):
        Ensemble(
            **{"module_factory": mlp, "seeds": [0], "n_features": 4, "n_outputs": 2, **arguments}
        )


def test_history_before_fit_says_what_to_do():
    with pytest.raises(AttributeError, match="history exists after fit"):
        _ = small([0]).history


class LastToken(nn.Module):
    """Logits (B, k) of texts (B, T), by their last token."""

    takes_tokens = True

    def __init__(self, k):
        super().__init__()
        self.table = nn.Embedding(k, k)

    def forward(self, x):
        return self.table(x[:, -1].long())


def test_modules_on_tokens_get_integers_whatever_the_plan():
    X = np.random.default_rng(0).integers(0, 4, (64, 5)).astype(np.uint8)
    y = (X[:, -1].astype(int) + 1) % 4
    found = {}
    for plan in ("stacked", "loop"):
        ensemble = Ensemble(lambda T, k, seed: LastToken(k), range(3), 5, 4, plan=plan)
        ensemble.fit(X, y, learning_rate=0.1, epochs=30, batch_size=16)
        found[plan] = ensemble.predict_logits(X)
        assert (found[plan].argmax(-1) == y).all()
    np.testing.assert_allclose(found["stacked"], found["loop"], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decayed": "some"}, "decayed must be 'all' or 'matrices'; got 'some'"),
        ({"betas": (0.9, 1.0)}, r"betas must be two numbers in \[0, 1\); got \(0.9, 1.0\)"),
        ({"learning_rate": 0.03, "weight_decay": 34.0}, "below 1 for optimizer='adamw'"),
    ],
)
def test_recipes_that_are_none_are_refused(options, message):
    ensemble = Ensemble(lambda d, k, seed: nn.Linear(d, k), [0], 3, 2)
    with pytest.raises(ValueError, match=message):
        ensemble.fit(np.zeros((4, 3)), np.zeros(4, int), steps=1, **options)
