"""Networks of images: M replicas one after the other, side by side, and as patches; prints ratios.

    python benchmarks/networks.py                 # a CUDA device if there is one, or one CPU thread
    python benchmarks/networks.py --side 64       # images as large as the chairs'

Every case runs in a process of its own; times are wall clock, so leave the machine alone meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

CASES = {  # name -> network, one after the other?
    "residual, one by one": ("residual", True),
    "residual, side by side": ("residual", False),
    "patch, one by one": ("patch", True),
    "patch, side by side": ("patch", False),
}


def run_case(name, replicas, side, num_data, epochs, device):
    """Seconds of each epoch of all replicas, the first (warm-up) left out."""
    import torch

    from rvae_lite import VAE, engine, fit

    network, alone = CASES[name]
    torch.set_num_threads(1)
    shape = (1, side, side)
    model = VAE.residual(shape, 16) if network == "residual" else VAE.patch(shape, 16)
    x = torch.randint(
        0, 256, (num_data, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    engine.one_by_one = lambda model, device: alone
    seconds, run_epoch = [], engine.Trainer.run_epoch

    def timed(trainer, state, epoch):
        if alone:
            trainer.blocks = engine.blocks(replicas, 1)
        began = time.perf_counter()
        # It ends in a copy to the host, which waits for the device.
        terms = run_epoch(trainer, state, epoch)
        seconds.append(time.perf_counter() - began)
        return terms

    engine.Trainer.run_epoch = timed
    fit(
        model, x, replicas=replicas, epochs=epochs + 1, batch_size=256, compile=False, device=device
    )
    return seconds[1:]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--side", type=int, default=28, help="of the square images, divisible by 4")
    parser.add_argument("--num-data", type=int, default=2048)
    parser.add_argument("--epochs", type=int, default=3, help="timed ones")
    parser.add_argument("--device", help="by default CUDA where there is one")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = (options.replicas, options.side, options.num_data, options.epochs, options.device)
    if options.case:
        print(json.dumps(run_case(options.case, *sizes)))
        return
    results = {}
    for name in CASES:
        print(name, file=sys.stderr)
        environment = os.environ | dict(OMP_NUM_THREADS="1")
        command = [sys.executable, __file__, *sys.argv[1:], "--case", name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        results[name] = statistics.median(json.loads(done.stdout.splitlines()[-1]))
    baseline = results["residual, one by one"]
    print(
        f"M = {options.replicas}, {options.num_data} images of {options.side}x{options.side}, "
        f"batch 256, one thread"
    )
    print(f"{'network':26}{'ms a replica-epoch':>20}{'speed-up':>10}")
    for name, seconds in results.items():
        print(f"{name:26}{1000 * seconds / options.replicas:20.1f}{baseline / seconds:10.2f}")


if __name__ == "__main__":
    main()
