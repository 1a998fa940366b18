"""Commands that are killed, interrupted, without disk, or two at once: nothing is lost or halved.

    python benchmarks/interruptions.py
    python benchmarks/interruptions.py --kills 8 --moves 4 --full 4 --pairs 2

`distil`, `train`, `compare` and `study` run on small data, in processes that are forked from one
with all libraries loaded.  Kills (SIGKILL) come at random moments of the run and exactly before or
after each move of a file into its place; interrupts (SIGINT) at random moments; a full disk is a
limit on the size of files, at random sizes.  Then the command runs again: its results are all
there, equal to those of an undisturbed run, without leftovers.  Of two commands at once on one
result, cache or folder both succeed, or one is refused.
"""

import argparse
import collections
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import jinja2  # noqa: F401
import numpy as np
import pandas
import scipy.stats  # noqa: F401
import sklearn.cluster  # noqa: F401
import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent))

import kinds

from rvae_lite.__main__ import main as command_line
from rvae_lite.birdsong import syllables
from rvae_lite.lab import comparing, distilling, report, spaces, training  # noqa: F401
from rvae_lite.studies import study

SECONDS = 120  # for a command that takes one or two
QUICK = ["--epochs", "4", "--batch-size", "16"]
COMMANDS = dict(
    distil=["distil", "data.npy", "-o", "out/a.npz", "--num-points", "8", *QUICK],
    train=["train", "data.npy", "alice.npz", "-o", "out/b.npz", *QUICK],
    compare=["compare", "alice.model.npz", "bob.model.npz", "--data", "data.npy"]
    + ["--points", "alice.npz", "-o", "out/c.html"],
    study=["study", "small", "--out", "out"],
)
RESULTS = dict(
    distil=["a.npz", "a.model.npz"],
    train=["b.npz", "b.report.json"],
    compare=["c.html"],
    study=["small.csv"],
)
# Every move of a file into its place that a command makes: its number, and whether it is done.
COUNTS = dict(distil=2, train=2, compare=1, study=7)
MOVES = [(name, n, done) for name in COUNTS for n in range(COUNTS[name]) for done in (False, True)]
STUDY = """import numpy as np

from rvae_lite import VAE, fit
from rvae_lite.studies.study import Study

study = Study("small", reproduces="nothing", profiles=dict(quick=dict(seeds=[0, 1, 2])))


@study.grid
def grid(profile):
    return profile.seeds


@study.unit
def unit(profile, seed, keep):
    x = np.load("data.npy")
    options = dict(epochs=4, batch_size=16, seed=seed, compile=False)
    space = fit(VAE.mlp(3, 2, (8,)), x, checkpoint=keep / f"{seed}.npz", **options)
    return [dict(seed=seed, metric="loss", value=float(space.terms["loss"][-1, 0]))]
"""


class Run:
    """A command in a process of its own; `prepare` is called in it first."""

    def __init__(self, folder: Path, arguments, prepare=None):
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe(duplex=False)
        self.process = context.Process(target=_in_child, args=(other, folder, arguments, prepare))
        self.process.start()
        other.close()

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said on the error stream."""
        said = ""
        try:
            if self.pipe.poll(SECONDS):
                said = self.pipe.recv()
        except EOFError:
            pass  # it was killed
        self.process.join(SECONDS)
        if self.process.is_alive():
            self.process.kill()
            return -1, "it did not end"
        return self.process.exitcode, said


def _in_child(pipe, folder: Path, arguments, prepare) -> None:
    os.chdir(folder)
    os.environ[study.OWN_FOLDER] = str(folder / "studies")
    torch.set_num_threads(1)
    sys.stdout, errors = open(os.devnull, "w"), Words()  # noqa: SIM115
    sys.stderr, sys.argv, code = errors, ["rvae-lite", *arguments], 0
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if prepare is not None:
        prepare()
    try:
        _song_cache() if arguments == ["songs"] else command_line()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            errors.write(code)
            code = 1
    except BaseException as error:
        errors.write(f"traceback of {type(error).__name__}: {error}")
        code = 99
    pipe.send("".join(errors.said))
    pipe.close()
    os._exit(code or 0)


class Words:
    """An error stream that is remembered."""

    encoding = "utf-8"

    def __init__(self):
        self.said = []

    def write(self, text: str) -> None:
        self.said.append(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def _song_cache() -> None:
    options = dict(spec=kinds.SPEC, cache="out", workers=1, progress=False)
    np.save("found.npy", syllables.load_birds(dict(bird="bird"), **options).spectrograms)


def kill_at_move(number: int, after: bool):
    """Let a process kill itself before or after it moves its file of this number."""

    def prepare():
        replace, count = os.replace, iter(range(1000))

        def replacing(*paths):
            now = next(count) == number
            if not (now and not after):
                replace(*paths)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = replacing

    return prepare


def full_disk(size: int):
    """Let a process write no more than this many bytes into a file."""

    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return prepare


def content_of(path: Path):
    """What is in a file, but for what differs from run to run: seconds, and the commit."""
    if path.suffix == ".json":
        return json.loads(path.read_text()) | dict(seconds=None)
    if path.suffix == ".csv":
        return pandas.read_csv(path).drop(columns="commit").to_csv()
    return path.read_bytes()


class Bench:
    """The inputs in a folder, what undisturbed runs make of them, and how long they take."""

    def __init__(self, folder: Path):
        self.folder, self.out = folder, folder / "out"
        (folder / "studies").mkdir()
        (folder / "studies" / "small.py").write_text(STUDY)
        np.save(folder / "data.npy", np.random.default_rng(0).normal(size=(60, 3)))
        kinds.KINDS["cache"].write(folder)
        shutil.rmtree(folder / "cache")
        self.succeed(["distil", "data.npy", "-o", "alice.npz", "--num-points", "8", *QUICK])
        self.succeed(["train", "data.npy", "alice.npz", "-o", "bob.model.npz", *QUICK])
        self.seconds, self.good, self.sizes = {}, {}, {}
        for name in [*COMMANDS, "songs"]:
            self.clear()
            began = time.monotonic()
            self.succeed(COMMANDS.get(name, [name]))
            self.seconds[name] = time.monotonic() - began
            results = RESULTS.get(name, ["../found.npy"])
            self.good[name] = {result: content_of(self.out / result) for result in results}
            self.sizes[name] = max((self.out / result).stat().st_size for result in results)

    def succeed(self, arguments) -> None:
        code, said = Run(self.folder, arguments).end()
        if code:
            raise RuntimeError(f"{arguments} ended with {code}: {said}")

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def there(self, name: str) -> list[str]:
        """The results of a command that are there."""
        return [result for result in RESULTS[name] if (self.out / result).exists()]

    def leftovers(self) -> list[str]:
        """Files that only a run in progress may have."""
        files = [path.name for path in self.out.rglob("*") if path.is_file()]
        return [name for name in files if name.endswith((".part", ".publishing"))]

    def faults_after(self, name: str, killed: bool, code: int, said: str) -> list[str]:
        """What is wrong after a disturbance, and after the next run."""
        faults = [] if code in (0, 1, 130) or (killed and code == -9) else [f"{code}: {said}"]
        there, left = self.there(name), self.leftovers()
        sentence = said.strip().split("\n")[-1]  # below the bar of a study
        if code == 1 and not sentence.startswith("rvae-lite: cannot write "):
            faults.append(f"no sentence: {said[-300:]}")
        if 0 < len(there) < len(RESULTS[name]) and not (code == -9 and left):
            faults.append(f"half of the results: {there}")
        if left and code != -9:
            faults.append(f"left over at once: {left}")
        code, said = Run(self.folder, COMMANDS[name]).end()
        if code != 0 and "is there already" not in said:
            faults.append(f"the next run ended with {code}: {said[:300]}")
        return faults + self.faults_of(name)

    def faults_of(self, name: str) -> list[str]:
        """Results that lack or differ from those of an undisturbed run, and leftovers."""
        good, faults = self.good[name], []
        for result, content in good.items():
            if not (self.out / result).exists():
                faults.append(f"{result} is missing")
            elif content_of(self.out / result) != content:
                faults.append(f"{result} differs")
        left = self.leftovers()
        return faults + ([f"left over: {left}"] if left else [])

    # Disturbances: what was wrong, as a list

    def move(self, name: str, number: int, random) -> list[str]:
        """A kill exactly before or after the move of a file into its place."""
        _, place, after = MOVES[number % len(MOVES)]
        code, said = Run(self.folder, COMMANDS[name], kill_at_move(place, after)).end()
        unreached = [] if code == -9 else [f"move {place} never came"]
        return unreached + self.faults_after(name, True, code, said)

    def kill(self, name: str, number: int, random) -> list[str]:
        """At a random moment."""
        return self.stop(name, signal.SIGKILL, random)

    def stop(self, name: str, how, random) -> list[str]:
        """By a signal at a random moment."""
        run = Run(self.folder, COMMANDS[name])
        time.sleep(self.seconds[name] * random.uniform(0.02, 1.02))
        os.kill(run.process.pid, how)
        code, said = run.end()
        return self.faults_after(name, how == signal.SIGKILL, code, said)

    def interrupt(self, name: str, number: int, random) -> list[str]:
        """At a random moment."""
        return self.stop(name, signal.SIGINT, random)

    def fill(self, name: str, number: int, random) -> list[str]:
        """A disk that is full at a random size of a file."""
        prepare = full_disk(int(random.integers(self.sizes[name] + 1000)))
        code, said = Run(self.folder, COMMANDS[name], prepare).end()
        return self.faults_after(name, False, code, said)

    def pair(self, name: str, number: int, random) -> list[str]:
        """Two at once; without --force the later one gets names of its own, or is refused."""
        arguments = COMMANDS.get(name, [name])
        number //= 3  # of the kinds of pairs
        forced = ["--force"] * (number % 2) if name in ("distil", "train", "compare") else []
        runs = []
        for _ in range(2):
            runs.append(Run(self.folder, [*arguments, *forced]))
            time.sleep(random.uniform(0, 0.2) * (number // 2 % 2) * self.seconds[name])
        ends = [run.end() for run in runs]
        faults = [
            f"{code}: {said[:300]}"
            for code, said in ends
            if code != 0 and not (code == 1 and "is there already" in said)
        ]
        if all(code for code, _ in ends):
            faults.append("neither succeeded")
        for path in self.out.glob("*-1.*"):  # the second one's own
            if content_of(path) != self.good[name][path.name.replace("-1.", ".")]:
                faults.append(f"{path.name} differs")
        return faults + self.faults_of(name)


def run(counts: dict, folder: Path, *, seed: int = 0, progress: bool = True):
    """Disturb commands so many times: (disturbance, command) -> [times, failures], failures."""
    bench, failures = Bench(folder), []
    table = collections.defaultdict(lambda: [0, 0])
    tasks = [(kind, number) for kind, count in counts.items() for number in range(count)]
    for kind, number in tqdm(tasks, desc="disturbances", disable=not progress):
        names = dict(pair=["distil", "songs", "study"], move=[move[0] for move in MOVES])
        names = names.get(kind, list(COMMANDS))
        name = names[number % len(names)]
        random = np.random.default_rng([seed, list(counts).index(kind), number])
        bench.clear()
        faults = getattr(bench, kind)(name, number, random)
        table[kind, name][0] += 1
        table[kind, name][1] += bool(faults)
        failures += [f"{kind} {number}, {name}: {fault}" for fault in faults]
    return table, failures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50 - len(MOVES), help="at random moments")
    parser.add_argument("--moves", type=int, default=len(MOVES), help="kills at moves of files")
    parser.add_argument("--interrupts", type=int, default=20)
    parser.add_argument("--full", type=int, default=20, help="full disks")
    parser.add_argument("--pairs", type=int, default=20, help="two at once, of each of three kinds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = dict(move=options.moves, kill=options.kills, interrupt=options.interrupts)
    counts |= dict(fill=options.full)
    counts["pair"] = 3 * options.pairs
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interruptions-") as folder:
        table, failures = run(counts, Path(folder), seed=options.seed)
    print(f"{'disturbance':14}{'command':10}{'times':>7}{'failed':>8}")
    for (kind, name), (times, failed) in table.items():
        print(f"{kind:14}{name:10}{times:7}{failed:8}")
    print(f"{sum(counts.values())} disturbances in {time.monotonic() - began:.0f} s")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
