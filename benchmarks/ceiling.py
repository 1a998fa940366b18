"""What `fit` adds to the bare step: forward, backward and Adam, written by hand.

    python benchmarks/ceiling.py                  # about a minute on one thread
    python benchmarks/ceiling.py --device cuda --steps 100

The network is that of the paper for MNIST, of the study `mnist`: residual, 28x28, K = 16, batches
of 256 bytes.  The bare step has one batch of floats and its noise in memory from the start, and the
fused Adam of PyTorch; `fit` shuffles, draws noise, picks and scales examples, and keeps a history.
An epoch of the one and as many steps of the other take turns in one process; the ratio is the
median over rounds, of CPU time (`time.process_time()`), on CUDA of wall-clock time.  What `fit`
does before its first epoch and after its last stands apart.

Exits with an error where the ratio is above 1.10.
"""

import argparse
import statistics
import sys
import time

import torch

from rvae_lite import VAE, engine, fit
from rvae_lite.studies.setup import MNIST

MOST = 1.10
SHAPE = (1, 28, 28)


def clock_of(device):
    """A function that gives seconds, all work of the device done."""
    if device.type == "cpu":
        return time.process_time

    def seconds():
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return seconds


def network():
    """The network of the study `mnist` at the scale of the paper."""
    options = dict(noise_variance=MNIST["noise_variance"], value_range=(0.0, 1.0))
    return VAE.residual(SHAPE, MNIST["latent_dim"], **MNIST["residual"], **options)


def bare_step(batch_size, device):
    """A function that takes one training step, on the same batch each time."""
    model = network().to(device).train()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x = torch.rand(batch_size, *SHAPE, device=device)
    noise = torch.randn(batch_size, model.noise_dim, device=device)

    def step():
        adam.zero_grad()
        distortion, rate = model.distortion_and_rate(x, noise)
        (distortion + rate).mean().backward()
        adam.step()

    return step


def measure(steps, rounds, batch_size, device):
    """Seconds of bare steps and of epochs, one of each a round, and of `fit` as a whole."""
    clock, step = clock_of(device), bare_step(batch_size, device)
    seconds, run_epoch = [], engine.Trainer.run_epoch

    def in_turn(trainer, state, epoch):
        began = clock()
        for _ in range(steps):
            step()
        between = clock()
        terms = run_epoch(trainer, state, epoch)
        seconds.append((between - began, clock() - between))
        return terms

    random = torch.Generator().manual_seed(0)
    shape = (steps * batch_size, *SHAPE)
    x = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    options = dict(epochs=rounds + 1, batch_size=batch_size, device=device, compile=False)
    engine.Trainer.run_epoch = in_turn
    began = clock()
    try:
        fit(network(), x, **options)
    finally:
        engine.Trainer.run_epoch = run_epoch
    around = clock() - began - sum(map(sum, seconds))
    return seconds[1:], around  # the first round warms up


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=4, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=MNIST["batch_size"])
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    if options.device.type == "cpu":
        torch.set_num_threads(1)
    sizes = (options.steps, options.rounds, options.batch_size, options.device)
    seconds, around = measure(*sizes)
    ratios = [epoch / bare for bare, epoch in seconds]
    milliseconds = [
        1000 * statistics.median(column) / options.steps for column in zip(*seconds, strict=True)
    ]
    print(f"a bare step {milliseconds[0]:.1f} ms, a step of fit {milliseconds[1]:.1f} ms")
    ratio = statistics.median(ratios)
    print(f"fit / bare: {ratio:.3f} (from {min(ratios):.3f} to {max(ratios):.3f}), goal {MOST:.2f}")
    print(f"before the first epoch and after the last: {around:.2f} s")
    if ratio > MOST:
        sys.exit(f"fit adds more than {MOST - 1:.0%} to the bare step")


if __name__ == "__main__":
    main()
