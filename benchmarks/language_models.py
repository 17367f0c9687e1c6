"""Language models: training against a plain PyTorch loop, sampling with and without a cache.

Training is of members that differ in seed, AdamW on matrices, clipping and a cosine throughout;
answers (held-out losses) are compared first. The peer is the loop that everybody writes, over
`TinyGPT` modules with the fused optimizer. Sampling is from the mean logits of four members; the
peer reads the whole text again for every token, from the same random numbers. One thread.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch.nn import functional

from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.language_model import LanguageModel
from overparam.training.minibatches import MinibatchStream
from overparam.training.schedules import warmup_cosine
from overparam.training.text_sampling import sample_tokens
from race import race

VOCABULARY, CONTEXT, BATCH = 96, 64, 16
RATE, DECAY = 3e-3, 1.0


def train_ours(text: np.ndarray, d: int, members: int) -> np.ndarray:
    model = LanguageModel(
        VOCABULARY, d, seeds=range(members), epochs=1, learning_rate=RATE, weight_decay=DECAY
    )
    return model.fit(text).member_losses(text[: 10 * CONTEXT])


def train_loop(text: np.ndarray, d: int, members: int) -> np.ndarray:
    rows = torch.from_numpy(text).unfold(0, CONTEXT + 1, CONTEXT)
    steps = round(len(rows) / BATCH)
    held_out = torch.from_numpy(text[: 10 * CONTEXT]).view(10, CONTEXT)
    losses = []
    for seed in range(members):
        net = TinyGPT(VOCABULARY, d, seed=seed)
        groups = [
            {"params": [p for p in net.parameters() if (p.dim() > 1) == matrix], "weight_decay": w}
            for matrix, w in ((True, DECAY), (False, 0.0))
        ]
        optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), fused=True)
        stream = MinibatchStream(seed, torch.arange(len(rows)))
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = RATE * warmup_cosine(step, steps)
            batch = rows[stream.take(BATCH)]
            optimizer.zero_grad()
            logits = net(batch[:, :-1])
            functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten()).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        with torch.no_grad():
            logits = net(held_out[:, :-1])
            losses.append(
                float(functional.cross_entropy(logits.flatten(0, 1), held_out[:, 1:].flatten()))
            )
    return np.array(losses)


def sample_cached(model: LanguageModel, first: torch.Tensor, length: int) -> np.ndarray:
    ensemble = model.ensemble_
    generator = torch.Generator().manual_seed(0)
    return sample_tokens(ensemble.member(0), ensemble.state, first, length, generator).numpy()


@torch.no_grad()
def sample_anew(model: LanguageModel, first: torch.Tensor, length: int) -> np.ndarray:
    nets = [model.ensemble_.member(i) for i in range(len(model.seeds))]
    generator = torch.Generator().manual_seed(0)
    text = first[:, None]
    while text.shape[1] < length:
        p = torch.softmax(torch.stack([net(text)[:, -1] for net in nets]).mean(0), -1)
        text = torch.cat([text, torch.multinomial(p, 1, generator=generator)], 1)
    return text.numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 pairs, fewer steps")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pairs, windows = (5, 160) if options.quick else (9, 384)
    text = rng.integers(0, VOCABULARY, windows * CONTEXT + 1)
    for d, members in ((16, 8), (32, 4), (64, 2), (128, 1)):
        race(
            lambda d=d, members=members: train_ours(text, d, members),
            lambda d=d, members=members: train_loop(text, d, members),
            agree={"rtol": 1e-3},
            pairs=pairs,
            name=f"train {members} of width {d}, {windows // BATCH} steps",
        )
    model = LanguageModel(VOCABULARY, 64, seeds=range(4), epochs=1).fit(text)
    first = torch.from_numpy(text[:64])
    for length in (16, 64):
        race(
            lambda length=length: sample_cached(model, first, length),
            lambda length=length: sample_anew(model, first, length),
            # The same draws, but for a probability that rounds across one of them: compare lengths
            # and first halves on average.
            agree=None,
            pairs=pairs,
            name=f"sample 64 texts of {length} from 4 of width 64",
        )
        same = sample_cached(model, first, length) == sample_anew(model, first, length)
        assert same.mean() > 0.95, same.mean()


if __name__ == "__main__":
    main()
