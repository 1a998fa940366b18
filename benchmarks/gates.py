"""What the gates of a multi-rate model cost: parameters, and CPU time of a training step.

    python benchmarks/gates.py                        # the paper's CNN and ResNet, a few minutes
    python benchmarks/gates.py --width 0.25 --rounds 9

Plain and gated networks take turns, step after step, so that a machine that slows down slows them
all: the ratios are medians over rounds.  CPU time is `time.process_time()` of forward, backward and
Adam on a batch of 28x28 images. glibc is told to keep freed memory: else it hands pages back after
some steps and fetches them in the next, which has added up to 0.2 to the ResNet with one beta an
example, and nothing to its neighbours.
"""

import argparse
import os
import statistics
import sys
import time

import torch

from rvae_lite import VAE
from rvae_lite.multirate import make_multirate
from rvae_lite.objective import BETA_VAE, Batch, ReplicaLoss

NETWORKS = dict(CNN=VAE.cnn, ResNet=VAE.resnet)
BATCH_SIZE, LATENT_DIM = 128, 32
# Read by glibc at start
KEEP_MEMORY = dict(MALLOC_MMAP_THRESHOLD_="1000000000", MALLOC_TRIM_THRESHOLD_="4000000000")


def make_step(model, beta, device):
    """A function that takes one training step on random images."""
    loss_of = ReplicaLoss(model.to(device), BETA_VAE, num_data=BATCH_SIZE)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=True)
    x = torch.rand(BATCH_SIZE, *model.data_shape, device=device)
    noise = torch.randn(BATCH_SIZE, LATENT_DIM, device=device)
    beta = beta.to(device)
    batch = Batch(x, noise, beta, beta, torch.tensor(0.0), None)

    def step():
        optimiser.zero_grad()
        loss_of(batch)[0].backward()
        optimiser.step()

    return step


def measure(build, *, width, rounds, device):
    """Share of parameters in the gates; time relative to plain, one beta a batch or an example."""
    plain = build((1, 28, 28), LATENT_DIM, width=width)
    gated = [make_multirate(plain), make_multirate(plain)]
    sizes = [
        sum(parameter.numel() for parameter in model.parameters()) for model in (plain, gated[0])
    ]
    betas = [torch.tensor(1.0), torch.tensor(1.0), torch.logspace(-2, 1, BATCH_SIZE)]
    steps = [
        make_step(model, beta, device) for model, beta in zip([plain, *gated], betas, strict=True)
    ]
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    seconds = []
    for _ in range(rounds + 1):
        seconds.append([])
        for step in steps:
            began = clock()
            for _ in range(1 if device.type == "cpu" else 50):
                step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[-1].append(clock() - began)
    kept = seconds[1:]  # the first warms up
    ratios = [statistics.median(row[i] / row[0] for row in kept) for i in (1, 2)]
    return sizes[1] / sizes[0] - 1, ratios, statistics.median(row[0] for row in kept)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY)
    device = torch.device(options.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    print(
        f"batch {BATCH_SIZE}, 28x28, width {options.width:g}, {device}; "
        f"times relative to the plain network"
    )
    print(
        f"{'network':10}{'gates/parameters':>18}{'a beta a batch':>16}{'an example':>12}"
        f"{'plain, ms':>12}"
    )
    for name, build in NETWORKS.items():
        share, ratios, seconds = measure(
            build, width=options.width, rounds=options.rounds, device=device
        )
        print(f"{name:10}{share:17.2%} {ratios[0]:16.3f}{ratios[1]:12.3f}{1000 * seconds:12.0f}")


if __name__ == "__main__":
    main()
