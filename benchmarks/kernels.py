"""NTK and NNGP of three ReLU layers together: ours against neural-tangents 0.6.5.

neural-tangents needs versions of jax and numpy that are not ours, so it runs in a virtual
environment of its own, `.cache/neural-tangents` in this checkout, made on the first run; rows and
answers travel as npz files, times are taken inside each process after a warm-up, and the two take
turns. `--threads` holds for both. Without a network the race says so and ends.

    python benchmarks/kernels.py [--rows 5000] [--threads 2] [--pairs 5]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from overparam.kernels.convolutional_kernel import convolutional
from overparam.kernels.dense_kernel import fully_connected

HOME = Path(__file__).parents[1] / ".cache" / "neural-tangents"
# The last jax that neural-tangents 0.6.5 imports, and what came out with it.
PINS = ["neural-tangents==0.6.5", "jax==0.4.30", "jaxlib==0.4.30", "tf2jax==0.3.6"]
PINS += ["numpy<2.1", "scipy<1.14"]

# Runs in the other environment: a line of input is a request, a line of output the seconds.
PEER = """
import sys, time
import jax, numpy as np
dtype, folder = sys.argv[1], sys.argv[2]
jax.config.update("jax_enable_x64", dtype == "float64")
from neural_tangents import stax
def layers(first, n):
    return [layer for _ in range(n) for layer in (first(), stax.Relu())]
dense = lambda: stax.Dense(512, W_std=2**0.5, b_std=0.1)
conv = lambda: stax.Conv(512, (3, 3), W_std=2**0.5, b_std=0.1, padding="SAME")
nets = {
    "dense": stax.serial(*layers(dense, 3), stax.Dense(1, W_std=2**0.5, b_std=0.1)),
    "conv": stax.serial(*layers(conv, 2), stax.Flatten(), stax.Dense(1, W_std=2**0.5, b_std=0.1)),
}
kernels = {
    name: jax.jit(lambda x, k=net[2]: k(x, None, ("nngp", "ntk"))) for name, net in nets.items()
}
data = np.load(folder + "/rows.npz")
for line in sys.stdin:
    name, save = line.split()
    x = data[name].astype(dtype)
    start = time.perf_counter()
    answer = kernels[name](x)
    answer.ntk.block_until_ready(), answer.nngp.block_until_ready()
    seconds = time.perf_counter() - start
    if save == "save":
        np.savez(folder + "/answer.npz", nngp=answer.nngp, ntk=answer.ntk)
    print(seconds, flush=True)
"""


class Peer:
    """neural-tangents in its own process."""

    def __init__(self, dtype: str, folder: str, threads: int) -> None:
        flags = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
        cores = sorted(os.sched_getaffinity(0))[:threads]
        pinned = ("taskset", "-c", ",".join(map(str, cores)))
        self.folder = folder
        self.process = subprocess.Popen(
            [*pinned, str(HOME / "bin" / "python"), "-c", PEER, dtype, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "XLA_FLAGS": f"{flags} intra_op_parallelism_threads={threads}"},
        )

    def __call__(self, name: str, save: bool = False) -> float:
        self.process.stdin.write(f"{name} {'save' if save else 'time'}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("neural-tangents ended; run its environment by hand to see why.")
        return float(answer)

    def answer(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        self(name, save=True)
        with np.load(f"{self.folder}/answer.npz") as saved:
            return saved["nngp"], saved["ntk"]


def install() -> bool:
    if (HOME / "installed").exists():
        return True
    try:
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        subprocess.run([str(HOME / "bin" / "pip"), "install", "--quiet", *PINS], check=True)
    except subprocess.CalledProcessError as failure:
        print(f"neural-tangents cannot be installed here ({failure}); no race.")
        return False
    (HOME / "installed").touch()
    return True


def compete(kernel, name: str, X: np.ndarray, dtype: str, peer: Peer, pairs: int) -> None:
    def ours() -> float:
        start = time.perf_counter()
        kernel(X, kind="both", dtype=dtype, compiled=True)
        return time.perf_counter() - start

    start = time.perf_counter()
    mine = kernel(X, kind="both", dtype=dtype, compiled=True)
    first = time.perf_counter() - start
    for one, other in zip(mine, peer.answer(name), strict=True):
        worst = np.abs(one - other).max() / np.abs(other).max()
        if worst > {"float64": 1e-6, "float32": 2e-3}[dtype]:
            raise AssertionError(f"{name} {dtype}: the kernels differ by {worst:.1e}.")
    del mine
    seconds = np.array(
        [(ours(), peer(name)) if i % 2 else (peer(name), ours())[::-1] for i in range(pairs)]
    )
    ratios = seconds[:, 1] / seconds[:, 0]
    print(
        f"{name:<6}{len(X):>6} rows {dtype}: {np.median(ratios):5.2f}x "
        f"[{ratios.min():.2f}, {ratios.max():.2f}]   ours {np.median(seconds[:, 0]):.3f} s "
        f"(best {seconds[:, 0].min():.3f}, first call {first:.1f})   neural-tangents "
        f"{np.median(seconds[:, 1]):.3f} s (best {seconds[:, 1].min():.3f})   "
        f"largest difference {worst:.1e}   load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    if not install():
        return
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(options.rows, 784))
    images = rng.normal(size=(options.images, 14, 14, 1))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/rows.npz", dense=X, conv=images)
        for dtype in ("float64", "float32"):
            peer = Peer(dtype, folder, options.threads)
            dense = fully_connected("relu", 3, 2.0, 0.01)
            compete(dense, "dense", X, dtype, peer, options.pairs)
            conv = convolutional("relu", 2, 2.0, 0.01)
            compete(conv, "conv", images[..., 0], dtype, peer, options.pairs)
            peer.process.stdin.close()
            peer.process.wait()


if __name__ == "__main__":
    main()
