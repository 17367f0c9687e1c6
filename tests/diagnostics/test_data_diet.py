import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from overparam.diagnostics.data_diet import SCORES, DataDiet, selected
from overparam.diagnostics.example_scores import el2n
from overparam.diagnostics.gradient_norms import grand
from overparam.nets.mlp import MLP

X, Y = load_digits(return_X_y=True)
X = (X - X.mean()) / X.std()
NOISY = Y.copy()
FLIPPED = np.random.default_rng(0).permutation(len(Y))[:180]
NOISY[FLIPPED] = (Y[FLIPPED] + 1 + np.arange(180) % 9) % 10


def small(d, k, seed):
    return MLP(d, k, (32,), seed=seed)


@pytest.fixture(scope="module")
def diet():
    return DataDiet(small, scores=SCORES, n_members=3, score_epoch=4).fit(X, NOISY)


def test_scores_are_those_of_the_networks(diet):
    logits = diet.ensemble_.predict_logits(X)
    np.testing.assert_array_equal(diet.scores_["el2n"], el2n(logits, NOISY))
    np.testing.assert_array_equal(diet.scores_["grand"], grand(diet.ensemble_, X, NOISY))
    deviation = el2n(logits, NOISY, average=False).std(0, ddof=1)
    np.testing.assert_array_equal(diet.score_std_["el2n"], deviation)
    np.testing.assert_array_equal(diet.ranking_, np.argsort(diet.scores_["el2n"], kind="stable"))
    assert diet.scores_["forgetting"].max() > 1
    assert np.isfinite(diet.scores_["forgetting"]).all()


@pytest.mark.parametrize("name", ["el2n", "l1", "margin", "grand", "grand_last"])
def test_wrong_labels_score_high(diet, name):
    assert roc_auc_score(np.isin(np.arange(len(Y)), FLIPPED), diet.scores_[name]) > 0.9


def test_the_scored_epochs_are_the_beginning_of_the_whole_schedule(monkeypatch):
    from overparam.training.ensemble import Ensemble

    seen = {}

    def fit(self, X, y, **options):
        seen.update(options)

    monkeypatch.setattr(Ensemble, "fit", fit)
    DataDiet(small, n_members=1, score_epoch=2, epochs=20).fit(X, Y)
    steps = 2 * 18
    assert seen["schedule"](0, steps) == 1
    assert seen["schedule"](steps, steps) == pytest.approx(0.5 * (1 + np.cos(np.pi / 10)))


def test_halves_by_a_score_and_by_its_negative_are_a_partition(diet):
    score = diet.scores_["el2n"][:1796] + 1e-9 * np.arange(1796)
    hard, easy = selected(score, 0.5), selected(-score, 0.5)
    np.testing.assert_array_equal(np.sort(np.r_[hard, easy]), np.arange(1796))
    assert score[hard].min() > score[easy].max()
    np.testing.assert_array_equal(
        diet.select(0.5, by="l1"), diet.select(0.5, by=diet.scores_["l1"])
    )


def test_the_top_is_dropped_and_ties_keep_their_order():
    scores = np.array([3.0, 1.0, 1.0, 1.0, 2.0, 9.0, 0.0, 1.0, 1.0, 5.0])
    assert selected(scores, 0.3, 0.2).tolist() == [0, 4, 8]  # 9 and 5 are left out
    assert selected(scores, 1.0).tolist() == list(range(10))
    assert selected(scores, 0.9, 0.1).tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert selected(np.zeros(10), 0.2).tolist() == [8, 9]


def test_labels_of_any_kind_and_no_training_at_all():
    names = np.array(["a", "b"])[Y % 2]
    diet = DataDiet(small, n_members=1, score_epoch=0).fit(X, names)
    assert diet.classes_.tolist() == ["a", "b"]
    assert (diet.score_std_["el2n"] == 0).all()
    assert clone(diet).get_params()["score_epoch"] == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_members": 0}, "n_members must be an integer >= 1; got 0"),
        ({"score_epoch": -1}, "score_epoch must be an integer >= 0; got -1"),
        ({"score_epoch": 21}, "score_epoch must be at most epochs=20; got 21"),
        ({"scores": ("el3n",)}, r"scores must be some of \['el2n', .*got \('el3n',\)"),
        ({"scores": "el2n"}, "scores must be some of"),
    ],
)
def test_wrong_arguments_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        DataDiet(small, **options).fit(X, Y)


def test_wrong_labels_and_selections_are_named(diet):
    with pytest.raises(ValueError, match=r"hold at least 2 classes; got shape .* and 1 classes"):
        DataDiet(small).fit(X, 0 * Y)
    for keep in (0.0, 1.1):
        with pytest.raises(ValueError, match=rf"keep must be in \(0, 1\]; got {keep}"):
            diet.select(keep)
    with pytest.raises(ValueError, match=r"keep \+ drop_top at most 1; got keep=0.9 and drop_top"):
        diet.select(0.9, 0.2)
    with pytest.raises(ValueError, match=r"by must be one of \['el2n', .*; got 'loss'"):
        diet.select(0.5, by="loss")
    with pytest.raises(ValueError, match="by must be 1797 numbers, one a row"):
        diet.select(0.5, by=np.zeros(3))
