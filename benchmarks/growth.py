"""How time and memory of `fit` grow with N examples and M replicas: at most in proportion.

    python benchmarks/growth.py                       # two to five minutes on one thread
    python benchmarks/growth.py --examples 1000 10000 --replicas 1 4 --repeats 1

One epoch of a small network on 8x8 images of bytes, in batches of 1000, with one replica where N
grows and 10,000 images where M does.  The images lie in a .npy file that is memory-mapped for
reading, so that a copy of them all would show.  Each case runs in a process of its own.  Time is
`time.process_time()` of `fit`, the shortest of the repeats, after a training of one step; memory is
the process's peak, and, in brackets, its part that is no page of the file.

Slopes are those of a line through logarithms, and between the two largest sizes; memory's are those
of the peak.  10^6 of these images are only 64 MB: that nothing copies a set larger than the memory
is for `sizes.py` to show.  Exits with an error where a line is steeper than 1.05.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPE, BATCH_SIZE = (1, 8, 8), 1000
NUM_DATA = 10_000  # where M grows
STEEPEST = 1.05
PIECE = 2**16  # images written at once


def write_images(path, num_data):
    """Random images in a .npy file, never all in memory."""
    shape = (num_data, *SHAPE)
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    random = np.random.default_rng(0)
    for start in range(0, num_data, PIECE):
        piece = images[start : start + PIECE]
        piece[:] = random.integers(0, 256, piece.shape, dtype=np.uint8)
    images.flush()


def peak_megabytes():
    """The largest resident set of this process so far."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def mapped_megabytes():
    """How much of the resident set are pages of files; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in lines if line.startswith("RssFile")]
    return float(sizes[0]) / 2**10 if sizes else 0.0


def run_case(path, replicas):
    """CPU seconds and memory of one training, in this process."""
    import torch

    from rvae_lite import VAE, fit

    torch.set_num_threads(1)
    options = dict(epochs=1, batch_size=BATCH_SIZE, device="cpu", compile=False)
    model = VAE.mlp(SHAPE, 2, (8,))
    fit(model, np.zeros((BATCH_SIZE, *SHAPE), np.uint8), replicas=replicas, **options)
    images = np.load(path, mmap_mode="r")
    files = mapped_megabytes()
    began = time.process_time()
    fit(model, images, replicas=replicas, **options)
    seconds = time.process_time() - began
    mapped = mapped_megabytes() - files
    return dict(seconds=seconds, peak=peak_megabytes(), own=peak_megabytes() - mapped)


def measure(path, replicas, repeats):
    """The least time and memory of some processes."""
    command = [sys.executable, __file__, "--case", str(path), str(replicas)]
    environment = os.environ | dict(OMP_NUM_THREADS="1")
    found = []
    for _ in range(repeats):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{path.name} with M = {replicas} failed:\n{done.stderr}")
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: min(each[name] for each in found) for name in found[0]}


def slopes(sizes, values):
    """Of a line through the logarithms, and between the two largest sizes."""
    x, y = np.log(sizes), np.log(values)
    return float(np.polyfit(x, y, 1)[0]), float((y[-1] - y[-2]) / (x[-1] - x[-2]))


def report(letter, sizes, results):
    """Print a table and its slopes; returns whether a line is too steep."""
    print(f"{letter:>9}{'CPU s':>10}{'peak MB':>10}{'(not the file)':>16}", flush=True)
    for size, found in zip(sizes, results, strict=True):
        own = f"({found['own']:.0f})"
        print(f"{size:9}{found['seconds']:10.3f}{found['peak']:10.0f}{own:>16}")
    steep = False
    for name, key in (("time", "seconds"), ("memory", "peak")):
        line, last = slopes(sizes, [found[key] for found in results])
        steep = steep or line > STEEPEST
        print(f"{name} over {letter}: slope {line:.2f}, between the two largest {last:.2f}")
    return steep


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 10, 40, 160])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        path, replicas = options.case
        print(json.dumps(run_case(path, int(replicas))))
        return
    if min(len(options.examples), len(options.replicas)) < 2:
        parser.error("a slope needs two sizes: pass two values of --examples and --replicas")
    examples, replicas = sorted(options.examples), sorted(options.replicas)
    with tempfile.TemporaryDirectory() as folder:
        paths = {count: Path(folder) / f"{count}.npy" for count in {*examples, NUM_DATA}}
        for count, path in paths.items():
            write_images(path, count)
        over_n = [measure(paths[count], 1, options.repeats) for count in examples]
        steep = report("N", examples, over_n)
        over_m = [measure(paths[NUM_DATA], count, options.repeats) for count in replicas]
        steep = report("M", replicas, over_m) or steep
    if steep:
        sys.exit(f"time or memory grows faster than in proportion: a slope is above {STEEPEST}")


if __name__ == "__main__":
    main()
