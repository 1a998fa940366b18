"""A study on workers that are killed: no unit is lost or doubled, and the table stays the same.

    python benchmarks/workers.py                 # 50 kills, 5 of every other disturbance
    python benchmarks/workers.py --kills 2 --interrupts 1 --pairs 1 --machines 1
    python benchmarks/workers.py --speed         # one process against two workers, in one run

A kill (SIGKILL) takes a random worker, or the command itself, at a random moment of a study of
four units on two workers; the command, started again where it was killed, must end in the table of
an undisturbed run.  A unit starts once, and once more for each kill that it may have met.

An interrupt is Ctrl-C (SIGINT to the command and its workers) in the middle of a unit: the command
ends with exit code 130 and one sentence, and goes on when it is started again.  A pair is two
commands at once on one folder.  A lost machine is a worker with its nanny, both killed in the
middle of a unit.  `--speed` prints the time of two workers as a share of one process's; it wants a
machine with two free cores.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas
import psutil
from tqdm import tqdm

STUDY = """from pathlib import Path

import numpy as np

from rvae_lite import VAE, fit
from rvae_lite.studies.study import Study

study = Study("small", reproduces="nothing", profiles=dict(quick=dict(seeds=[0, 1, 2, 3])))
study.grid(lambda profile: profile.seeds)


@study.unit
def unit(profile, seed, keep):
    with (Path(__file__).parent / "starts.txt").open("a") as starts:
        starts.write(f"{seed} ")
    x = np.random.default_rng(seed).normal(size=(600, 3))
    options = dict(epochs=EPOCHS, batch_size=16, seed=seed, compile=False)
    space = fit(VAE.mlp(3, 2, (8,)), x, checkpoint=keep / f"{seed}.npz", **options)
    return [dict(seed=seed, metric="loss", value=float(space.terms["loss"][-1, 0]))]
"""
COMMAND = [sys.executable, "-m", "rvae_lite", "study", "small", "--out", "out"]
UNITS = 4
SECONDS = 300  # in which a command must end


class Bench:
    """A folder with a study of four units, and the table of an undisturbed run."""

    def __init__(self, folder: Path, *, epochs: int):
        self.folder, self.table = folder, folder / "out" / "small.csv"
        (folder / "small.py").write_text(STUDY.replace("EPOCHS", str(epochs)))
        root = str(Path(__file__).resolve().parents[1])
        one = dict(OMP_NUM_THREADS="1", RVAE_LITE_STUDIES=str(folder))
        self.environment = os.environ | one | dict(PYTHONPATH=root)
        began = time.monotonic()
        self.succeed(self.start())
        self.seconds, self.good = time.monotonic() - began, self.content()

    def start(self, *options: str, command=COMMAND) -> subprocess.Popen:
        """Begin a command, in a group of its own."""
        pipes = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        where = dict(cwd=self.folder, env=self.environment, start_new_session=True)
        return subprocess.Popen([*command, *options], **where, **pipes)

    def succeed(self, process: subprocess.Popen) -> None:
        """Wait for a command, which must succeed."""
        said = process.communicate(timeout=SECONDS)[1]
        if process.returncode:
            raise RuntimeError(f"a command ended with {process.returncode}: {said[-2000:]}")

    def clear(self) -> None:
        """A folder without results."""
        subprocess.run(["rm", "-rf", "out", "starts.txt"], cwd=self.folder, check=True)

    def content(self) -> str:
        """The table, but for the commit."""
        return pandas.read_csv(self.table).drop(columns="commit").to_csv()

    def starts(self) -> Counter:
        """Seed -> how often its unit was started."""
        path = self.folder / "starts.txt"
        return Counter(path.read_text().split() if path.exists() else [])

    def faults(self, *, kills: int) -> list[str]:
        """What is wrong with the table, or with the number of starts."""
        found = [] if self.content() == self.good else ["the table differs"]
        if len(self.starts()) != UNITS:
            found.append(f"started: {dict(self.starts())}")
        extra = sum(self.starts().values()) - UNITS
        if extra > kills:
            found.append(f"{extra} units were started again after {kills} could have been hit")
        left = [path.name for path in self.table.parent.rglob("*") if path.suffix == ".part"]
        return found + ([f"left over: {left}"] if left else [])

    def kill(self, draw: random.Random) -> list[str]:
        """Kill a worker or the command at a random moment, and run it to its end."""
        self.clear()
        command = self.start("--workers", "2")
        workers = self.workers_of(command)
        time.sleep(draw.uniform(0, 1) * self.seconds / 2)
        victim = draw.choice([*workers, command.pid])
        hit = 2 if victim == command.pid else 1
        os.kill(victim, signal.SIGKILL)
        if victim == command.pid:
            command.communicate()
            command = self.start("--workers", "2")
        self.succeed(command)
        return self.faults(kills=hit)

    def interrupt(self) -> list[str]:
        """Ctrl-C, which the command and its workers get, and run it to its end."""
        self.clear()
        command = self.start("--workers", "2")
        self.workers_of(command)
        os.killpg(command.pid, signal.SIGINT)
        said = command.communicate(timeout=SECONDS)[1]
        found = [] if command.returncode == 130 else [f"it ended with {command.returncode}"]
        if "Traceback" in said or "the same command goes on from there" not in said:
            found.append(f"it said: {said[-2000:]}")
        self.succeed(self.start("--workers", "2"))
        return found + self.faults(kills=2)

    def workers_of(self, command: subprocess.Popen) -> list[int]:
        """The processes of its workers, once the first unit has been started."""
        wait_for(lambda: self.starts() or command.poll() is not None)
        children = psutil.Process(command.pid).children() if command.poll() is None else []
        return [each.pid for each in children if "spawn_main" in " ".join(each.cmdline())]

    def pair(self) -> list[str]:
        """Two commands at once on one folder; together they start each unit once."""
        self.clear()
        both = [self.start(), self.start("--workers", "2")]
        for command in both:
            self.succeed(command)
        return self.faults(kills=0)

    def machine(self) -> list[str]:
        """A scheduler and two workers of their own; one vanishes in the middle of a unit."""
        self.clear()
        dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
        scheduler = self.start("--host", "127.0.0.1", "--dashboard-address", ":0", command=dask)
        others = [scheduler]
        try:
            for line in scheduler.stderr:
                if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
                    break
            dask = [sys.executable, "-m", "distributed.cli.dask_worker", found[1]]
            for _ in range(2):
                others.append(self.start("--nthreads", "1", "--no-dashboard", command=dask))
            command = self.start("--scheduler", found[1])
            wait_for(lambda: self.starts() or command.poll() is not None)
            os.killpg(others[-1].pid, signal.SIGKILL)
            self.succeed(command)
        finally:
            for each in others:
                os.killpg(each.pid, signal.SIGKILL)
                each.communicate()
        return self.faults(kills=1)

    def speed(self) -> float:
        """The time of two workers as a share of one process's, start included."""
        seconds = []
        for options in ((), ("--workers", "2")):
            self.clear()
            began = time.monotonic()
            self.succeed(self.start(*options))
            seconds.append(time.monotonic() - began)
        return seconds[1] / seconds[0]


def wait_for(condition) -> None:
    """Until it holds, at most `SECONDS`."""
    ends = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > ends:
            raise RuntimeError(f"waited {SECONDS} s in vain")
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--interrupts", type=int, default=5, help="Ctrl-C to all processes")
    parser.add_argument("--pairs", type=int, default=5, help="two commands at once")
    parser.add_argument("--machines", type=int, default=5, help="a worker and its nanny are lost")
    parser.add_argument("--epochs", type=int, default=40, help="of each unit's training")
    parser.add_argument("--speed", action="store_true", help="just measure two workers")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        bench, failures = Bench(Path(folder), epochs=options.epochs), []
        if options.speed:
            print(f"{UNITS} units, two workers: {bench.speed():.2f} of one process's time")
            return
        draw = random.Random(options.seed)
        tasks = [("kill", lambda: bench.kill(draw))] * options.kills
        tasks += [("interrupt", bench.interrupt)] * options.interrupts
        tasks += [("pair", bench.pair)] * options.pairs
        tasks += [("machine", bench.machine)] * options.machines
        for kind, task in tqdm(tasks, desc="disturbances"):
            failures += [f"{kind}: {fault}" for fault in task()]
    print(f"{len(tasks)} disturbances, {len(failures)} failures")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
