"""What 10^4, 10^5 and 10^6 examples take: to train, to encode, to choose Rosetta points.

    python benchmarks/sizes.py                        # about ten minutes on one thread
    python benchmarks/sizes.py --examples 1000 --out sizes.csv

A network of patches, as in the chapter on your own data, on 64x64 images of bytes in batches of
128: 24 epochs of 10^4, three of 10^5, one of 10^6.  The images lie in a .npy file that is
memory-mapped for reading.  Each step runs in a process of its own on one thread, and is added to
the table (results/sizes.csv) when it is done; a step that the table has is not repeated.

seconds: CPU time of the step, which is the time that passes where the processor is free.
megabytes: the process's peak memory without pages of the file; file_megabytes: the file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from growth import mapped_megabytes, peak_megabytes

from rvae_lite.publishing import write_atomically
from rvae_lite.studies.units import own_version

RESULTS = Path(__file__).resolve().parent.parent / "results" / "sizes.csv"
SHAPE, LATENT_DIM, BATCH_SIZE, NUM_POINTS = (1, 64, 64), 8, 128, 32
EPOCHS, MOST_SEEN = 24, 3 * 10**5  # fewer epochs where they would show more examples than that
STEPS = ("training", "encoding", "points")
NUM_TYPES, PIECE = 12, 2**14  # kinds of images; images written at once


def write_images(path, num_data):
    """Noisy images of a few kinds in a .npy file, never all in memory."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 192, (NUM_TYPES, 1, 8, 8), dtype=np.uint8)
    kinds = coarse.repeat(8, axis=2).repeat(8, axis=3)
    images = np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=(num_data, *SHAPE))
    for start in range(0, num_data, PIECE):
        piece = images[start : start + PIECE]
        noise = random.integers(0, 64, piece.shape, dtype=np.uint8)
        piece[:] = kinds[random.integers(0, NUM_TYPES, len(piece))] + noise
    images.flush()


def run_step(step, path):
    """CPU seconds and memory of one step, in this process, on the images of a file."""
    import torch

    from rvae_lite import VAE, fit, select_points

    torch.set_num_threads(1)
    model = VAE.patch(SHAPE, LATENT_DIM, patch_size=8, channels=16, hidden=(64,))
    options = dict(batch_size=BATCH_SIZE, device="cpu", compile=False)
    # What the steps start from; their first calls load libraries, which are files as well.
    small = np.array(np.load(path, mmap_mode="r")[: 64 * BATCH_SIZE])
    trained = fit(model, small, epochs=1, **options)
    select_points(small, trained.encode(small)[0], 2, decode=trained.decode)
    files, images = mapped_megabytes(), np.load(path, mmap_mode="r")
    epochs = max(1, min(EPOCHS, MOST_SEEN // len(images)))
    means = trained.encode(images)[0] if step == "points" else None
    began = time.process_time()
    if step == "training":
        fit(model, images, epochs=epochs, progress=f"{len(images)} examples", **options)
    elif step == "encoding":
        trained.encode(images)
    else:
        select_points(images, means, NUM_POINTS, decode=trained.decode)
    seconds = time.process_time() - began
    own = peak_megabytes() - max(mapped_megabytes() - files, 0)
    return dict(epochs=epochs if step == "training" else 0, seconds=seconds, megabytes=own)


def measure(step, path):
    """What a step takes in a process of its own."""
    command = [sys.executable, __file__, "--step", step, str(path)]
    environment = os.environ | dict(OMP_NUM_THREADS="1")
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{step} of {path.stem} examples failed: its message stands above")
    found = json.loads(done.stdout.splitlines()[-1])
    return found | dict(file_megabytes=path.stat().st_size / 2**20)


def add(table, out, **row):
    """The table with one row more, written whole."""
    import torch

    rounded = {key: round(row[key], 2) for key in ("seconds", "megabytes", "file_megabytes")}
    about = dict(side=SHAPE[-1], network="patch", latent_dim=LATENT_DIM, batch_size=BATCH_SIZE)
    about |= dict(num_points=NUM_POINTS, torch=torch.__version__.split("+")[0])
    about |= dict(commit=own_version())
    table = pd.concat([table, pd.DataFrame([row | rounded | about])], ignore_index=True)
    table = table.sort_values(["examples", "step"], ignore_index=True)
    content = table.to_csv(index=False).encode()
    write_atomically(out, lambda file: file.write(content))
    return table


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--out", type=Path, default=RESULTS)
    machine = f"{os.cpu_count()} cores, one thread"
    parser.add_argument("--machine", default=machine, help="what to call it in the table")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step, path = options.step
        print(json.dumps(run_step(step, Path(path))))
        return
    table = pd.read_csv(options.out) if options.out.is_file() else pd.DataFrame()
    done = set(zip(table.examples, table.step, strict=True)) if len(table) else set()
    for count in sorted(options.examples):
        steps = [step for step in STEPS if (count, step) not in done]
        if not steps:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{count}.npy"
            write_images(path, count)
            for step in steps:
                found = measure(step, path)
                row = dict(machine=options.machine, examples=count, step=step) | found
                table = add(table, options.out, **row)
                numbers = f"{found['seconds']:.1f} s, {found['megabytes']:.0f} MB"
                print(f"{count:9,} examples, {step}: {numbers}", flush=True)


if __name__ == "__main__":
    main()
