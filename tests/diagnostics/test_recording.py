import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from overparam.diagnostics.recording import EnsembleRecorder, record
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.run_history import LogSpaced, RunHistory

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
SPLITS = {"train": (X[:40], Y[:40]), "test": (X[40:], Y[40:])}


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def loop(net, loader, epochs, history=None, first=0):
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(first, epochs):
        net.train()
        for x, y in loader:
            sgd.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            sgd.step()
        if history is not None:
            history.step(epoch + 1)


def loader():
    return DataLoader(
        TensorDataset(torch.tensor(X[:40]), torch.tensor(Y[:40])), batch_size=10, shuffle=True
    )


def test_recording_changes_nothing_of_the_training():
    plain, recorded = network(), network()
    torch.manual_seed(1)
    loop(plain, loader(), 3)
    torch.manual_seed(1)
    train = loader()
    with record(recorded, {"train": train, "test": SPLITS["test"]}) as history:
        loop(recorded, train, 3, history)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, recorded.state_dict()[name]), name
    assert recorded.training  # it came back in the mode that it had
    assert history.curve("accuracy", "test").steps.tolist() == [0, 1, 2, 3]


def test_what_is_recorded_is_what_the_network_shows_in_evaluation_mode():
    net = network()
    with record(
        net, SPLITS, of_module=lambda m: {"first": float(m[0].weight.detach().norm())}
    ) as history:
        loop(net, loader(), 2, history)
    net.eval()
    with torch.no_grad():
        logits = net(torch.tensor(X[40:]))
    loss = nn.functional.cross_entropy(logits, torch.tensor(Y[40:]))
    assert history.curve("loss", "test").values[0, -1] == pytest.approx(float(loss), rel=1e-6)
    accuracy = history.curve("accuracy", "test")
    assert accuracy.values[0, -1] == (logits.argmax(1).numpy() == Y[40:]).mean()
    assert accuracy.rows == 20
    norm = sum(float(p.detach().square().sum()) for p in net.parameters()) ** 0.5
    assert history.curve("weight_norm").values[0, -1] == pytest.approx(norm, rel=1e-6)
    assert history.curve("first").values[0, -1] == pytest.approx(
        float(net[0].weight.detach().norm())
    )


def test_steps_are_thinned_and_the_ends_are_always_there():
    net = network()
    with record(net, (X, Y), at=LogSpaced(1)) as history:
        for _ in range(25):
            history.step()
    assert history.curve("loss", "train").steps.tolist() == [0, 1, 10, 25]


def test_a_run_resumes_from_its_file(tmp_path):
    path = tmp_path / "run.parquet"
    net = network()

    def interrupted():
        with record(net, SPLITS, path=path) as history:
            loop(net, loader(), 2, history)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with record(net, SPLITS, path=path) as history:
        loop(net, loader(), 4, history, first=2)
    assert RunHistory.load(path).curve("loss", "train").steps.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_an_ensemble_records_each_member_as_it_was(plan):
    def small(seeds, plan):
        return Ensemble(lambda d, k, seed: MLP(d, k, (8,), seed=seed), seeds, 4, 2, plan=plan)

    ensemble = small([0, 1, 2], plan)
    recorder = EnsembleRecorder(ensemble, SPLITS)
    fit = {"learning_rate": 0.05, "epochs": 3, "batch_size": 10}
    ensemble.fit(X[:40], Y[:40], callbacks=[recorder], **fit)
    curve = recorder.history.curve("loss", "test")
    assert curve.steps.tolist() == [0, 4, 8, 12]
    assert recorder.history.table["epoch"].unique().sort().to_list() == [0, 1, 2, 3]
    # The same networks, stopped after an epoch, show what was recorded then.
    short = small([0, 1, 2], "loop")
    short.fit(X[:40], Y[:40], **{**fit, "epochs": 1})
    logits = torch.tensor(short.predict_logits(X[40:]))
    for member in range(3):
        loss = nn.functional.cross_entropy(logits[member], torch.tensor(Y[40:]))
        assert curve.values[member, 1] == pytest.approx(float(loss), rel=1e-4)


def test_a_second_fit_goes_on_counting_and_so_does_a_loaded_history(tmp_path):
    ensemble = Ensemble(lambda d, k, seed: MLP(d, k, (8,), seed=seed), [0, 1], 4, 2)
    recorder = EnsembleRecorder(ensemble, SPLITS, at=range(0, 9, 2), clock="step")
    for _ in range(2):
        ensemble.fit(X[:40], Y[:40], steps=4, callbacks=[recorder])
    assert recorder.history.curve("margin", "train").steps.tolist() == [0, 2, 4, 6, 8]
    recorder.history.save(tmp_path / "run.parquet")
    more = EnsembleRecorder(ensemble, SPLITS, history=RunHistory.load(tmp_path / "run.parquet"))
    ensemble.fit(X[:40], Y[:40], steps=4, callbacks=[more])
    assert more.history.curve("margin", "train").steps.tolist() == [0, 2, 4, 6, 8, 9, 10, 11, 12]


def test_mistakes_are_named():
    net = network()
    with pytest.raises(ValueError, match=r"splits must give rows each time .* none for 'train'"):
        record(net, iter([])).__enter__()
    with record(net, SPLITS) as history:
        history.step(5)
        with pytest.raises(ValueError, match="done must be >= 5, the steps so far; got 3"):
            history.step(3)
    ensemble = Ensemble(lambda d, k, seed: MLP(d, k, (8,), seed=seed), [0], 4, 2)
    with pytest.raises(ValueError, match="clock must be 'epoch' or 'step'; got 'hour'"):
        EnsembleRecorder(ensemble, SPLITS, clock="hour")
