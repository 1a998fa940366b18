"""How time and memory of `extract`, `distil` and `train` grow with N syllables of 64 x 64 pixels.

    python benchmarks/syllables.py                        # some three minutes on one thread
    python benchmarks/syllables.py --syllables 1000 2000 --commands extract

The syllables are made-up sweeps, 100 a recording; the recordings lie in a temporary folder, 4 kB a
syllable.  Each command runs in a process of its own, the trainings for one epoch.  Memory is the
largest resident set of the process and of those that it starts, files that are mapped included;
seconds are of processor time.  Exits with an error where a command takes 2 GiB or more.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.io import wavfile

RATE, IN_A_RECORDING = 32000, 100
LENGTH, STEP = 0.05, 0.06  # s, of a syllable, and from one to the next
MOST = 2.0  # GiB
SIZE = ["--num-freqs", "64", "--num-times", "64"]
COMMANDS = dict(
    extract=["extract", "{folder}", "-o", "{folder}.h5", *SIZE],
    distil=["distil", "{folder}.h5", "-o", "{folder}.npz", "--epochs", "1"],
    train=["train", "{folder}.h5", "{points}", "-o", "{folder}.model.npz", "--epochs", "1"],
)
# A process starts with the memory of the one that starts it, so that one has to be small.
STARTER = """import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
sys.exit(process.returncode)
"""


def write_recordings(folder, num_syllables):
    """Recordings of sweeps over noise, and one table of all syllables."""
    folder.mkdir()
    random, length, step = np.random.default_rng(0), round(LENGTH * RATE), round(STEP * RATE)
    time, lines = np.arange(length) / RATE, ["file,onset,offset,label"]
    for first in range(0, num_syllables, IN_A_RECORDING):
        count = min(IN_A_RECORDING, num_syllables - first)
        pitches, slopes = (
            random.uniform(1e3, 5e3, (count, 1)),
            random.uniform(-4e4, 4e4, (count, 1)),
        )
        sweeps = np.sin(2 * np.pi * (pitches + slopes * time / 2) * time)
        sound = 1e-3 * random.standard_normal((count, step))
        sound[:, :length] += 0.3 * sweeps * np.hanning(length)
        name = f"{first:07d}.wav"
        wavfile.write(folder / name, RATE, np.rint(32767 * sound.ravel()).astype(np.int16))
        onsets = np.arange(count) * STEP
        kinds = np.where(slopes[:, 0] > 0, "up", "down")
        rows = zip(onsets, onsets + LENGTH, kinds, strict=True)
        lines += [f"{name},{onset:.5f},{offset:.5f},{kind}" for onset, offset, kind in rows]
    (folder / "all.csv").write_text("\n".join(lines) + "\n")


def measure(arguments):
    """Seconds of processor time and GiB of one command."""
    command = [sys.executable, "-m", "rvae_lite", *arguments, "--force"]
    options = dict(env=os.environ | dict(OMP_NUM_THREADS="1"), capture_output=True, text=True)
    done = subprocess.run([sys.executable, "-c", STARTER, *command], **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    seconds, largest = json.loads(done.stdout)
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return dict(seconds=seconds, memory=largest / unit)


def report(name, sizes, results):
    """Print a command's rows and its growth; returns whether it takes too much memory."""
    for size, found in zip(sizes, results, strict=True):
        print(f"{name:9}{size:>10,}{found['seconds']:10.1f}{found['memory']:10.2f}", flush=True)
    for key in ("seconds", "memory"):
        values = np.log([found[key] for found in results])
        slope = np.polyfit(np.log(sizes), values, 1)[0]
        print(f"{name:9}{key} grow with N to the power of {slope:.2f}", flush=True)
    return max(found["memory"] for found in results) >= MOST


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--syllables", type=int, nargs="+", default=[10**4, 10**5])
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=[*COMMANDS])
    options = parser.parse_args()
    sizes = sorted(options.syllables)
    if len(sizes) < 2:
        parser.error("a growth needs two sizes: pass two values of --syllables")
    large = False
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / f"n{size}" for size in sizes]
        for folder, size in zip(folders, sizes, strict=True):
            write_recordings(folder, size)
        points = Path(place) / f"n{sizes[0]}.npz"
        if "train" in options.commands and "distil" not in options.commands:
            for name in ("extract", "distil"):
                measure([part.format(folder=folders[0]) for part in COMMANDS[name]])
        print(f"{'command':9}{'N':>10}{'CPU s':>10}{'GiB':>10}", flush=True)
        for name in [name for name in COMMANDS if name in options.commands]:
            told = [
                [part.format(folder=folder, points=points) for part in COMMANDS[name]]
                for folder in folders
            ]
            large = report(name, sizes, [measure(arguments) for arguments in told]) or large
    if large:
        sys.exit(f"a command takes {MOST:g} GiB or more")


if __name__ == "__main__":
    main()
