"""Trials of a text whose nets have the losses that a test wants."""

import numpy as np

from overparam.auditing.charges import Charges
from overparam.auditing.text_plan import TextPlan
from overparam.auditing.text_trials import Trials

WINDOWS = 100
NOISE = np.random.default_rng(5).normal(0, 0.05, WINDOWS)  # of windows: the same for all nets


def planted(loss, *, budget=1e6, text=None, spread=0.01, seed=0, whole=None, longer=1.0):
    """`loss(d, decay, passes)` in nats a token; students have that of a decay of 0.

    `whole` tokens, of which the first are `text`; nets that read more have the loss `longer`, a
    number or a function of the passes.
    """
    train = np.random.default_rng(0).integers(0, 30, 4096) if text is None else text
    plan = TextPlan(
        "a.txt", "x", None, budget, seed, 2, 30, 10_000, len(train), 64 * 3 * WINDOWS, 64, 1.0
    )
    held = np.random.default_rng(1).integers(0, 30, 64 * WINDOWS)

    class Planted(Trials):
        def _run(self, function, arguments, label):
            self.asked.append((label, len(arguments)))
            self.spent += self.charges.settle(label, 1.0)
            if function.__name__ == "subsets":
                return [{"losses": np.tile(NOISE, (15, 1))}]
            found = []
            for at in arguments:
                rng = np.random.default_rng([at["seed"], at["d"], at["passes"]])
                decay = 0.0 if function.__name__ == "student" else at["weight_decay"]
                level = loss(at["d"], decay, at["passes"]) + rng.normal(0, spread)
                if len(at["train"]) > len(train):
                    self.read.append((len(at["train"]), at["passes"]))
                    after = longer(at["passes"]) if callable(longer) else longer
                    level = after + rng.normal(0, spread)
                noise = np.tile(NOISE, 2)  # of the choosing and of the judging windows
                found.append({"losses": level + noise, "weights": np.zeros(3)})
            return found

    rest = np.random.default_rng(2).integers(0, 30, max(0, (whole or 0) - len(train)))
    trials = Planted(plan, np.concatenate([train, rest]), held, held, held, Charges())
    trials.asked, trials.read = [], []
    return trials
