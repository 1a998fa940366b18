"""How long a user waits: `rvae-lite --help`, the imports, a first training, each in a new process.

    python benchmarks/start.py                 # the smallest of five, half a minute
    python benchmarks/start.py --rounds 9

Exits with an error where `--help` takes longer than 0.5 s.  PYTHONDONTWRITEBYTECODE is taken out
of the environment: with it each process compiles every module anew, and all of these take about
twice as long.
"""

import argparse
import os
import subprocess
import sys
import time

HELP_SECONDS = 0.5
TRAINING = """
import rvae_lite
from rvae_lite import data

x = data.load("eight_gaussians").x
rvae_lite.fit(rvae_lite.VAE.mlp(5, 2), x, epochs=2, batch_size=100)
"""
COMMANDS = {
    "rvae-lite --help": ["-m", "rvae_lite", "--help"],
    "rvae-lite study": ["-m", "rvae_lite", "study"],
    "import torch": ["-c", "import torch"],
    "import rvae_lite": ["-c", "import rvae_lite"],
    "a first training": ["-c", TRAINING],
}


def seconds(arguments: list[str], rounds: int) -> float:
    """The shortest time that a new process takes; one more comes first, and writes bytecode."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    taken = {name: seconds(command, options.rounds) for name, command in COMMANDS.items()}
    for name, time_taken in taken.items():
        print(f"{name:20}{time_taken:6.2f} s")
    if taken["rvae-lite --help"] > HELP_SECONDS:
        sys.exit(f"rvae-lite --help takes longer than {HELP_SECONDS} s")


if __name__ == "__main__":
    main()
