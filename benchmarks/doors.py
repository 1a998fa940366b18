"""Damaged and hostile files of every kind: each is refused in one sentence or read as what it is.

    python benchmarks/doors.py                        # 10,000 files of all kinds
    python benchmarks/doors.py --kind png --kind csv  # these kinds alone
    python benchmarks/doors.py --keep failed          # keeps the files that failed

A file is opened in a process that may take 1 GiB more memory than it has with all libraries
loaded, and 10 s.  A process that a file ended is replaced, and the run goes on.  Refusals are
ValueError or OSError of one printable line that names the file.  A file under a hash, if it is
read, gives what was written, unless it was forged with a right hash; a witness folder would show
that code had run.  File number n of a seed is always the same.
"""

import argparse
import collections
import multiprocessing
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from multiprocessing import connection
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent))

import damages
from kinds import KINDS

MEMORY, SECONDS, LONGEST = 2**30, 10, 1000
OUTCOMES = ("refused", "read", "made anew", "traceback", "sentence", "wrong", "memory", "crash")
OUTCOMES += ("hang",)
GOOD = OUTCOMES[:3]


def task_of(number: int, kinds: list[str], seed: int):
    """Kind, damage and random numbers of a file."""
    kind = kinds[number % len(kinds)]
    random = np.random.default_rng([seed, list(KINDS).index(kind), number // len(kinds)])
    offered = KINDS[kind].damages
    return kind, offered[number // len(kinds) % len(offered)], random


class Room:
    """A folder with the good files of one kind, in which one after the other is damaged."""

    def __init__(self, kind: str, folder: Path):
        folder.mkdir(parents=True)
        self.folder, self.kind = folder, KINDS[kind]
        self.files = {path: path.read_bytes() for path in self.kind.write(folder)}
        self.good = self.kind.open(folder)

    def put(self, damage, random) -> Path:
        """Damage a file; its path."""
        for path, content in self.files.items():
            path.write_bytes(content)
        path = list(self.files)[random.integers(len(self.files))]
        path.write_bytes(damage(self.files[path], random))
        return path

    def outcome(self, path: Path, damage: str) -> tuple[str, str]:
        """One of OUTCOMES, and details."""
        os.chdir(self.folder)
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                found = self.kind.open(self.folder)
        except BaseException as error:  # whatever a file brings about
            return _refusal(error, path)
        if Path("witness").exists():
            os.rmdir("witness")
            return "wrong", "code was run"
        if damage in damages.REFUSED and not self.kind.heals:
            return "wrong", "it was read"
        exact = self.kind.exact and damage not in damages.FORGED
        if exact and not _same(found, self.good):
            return "wrong", "something else was read"
        if not _sound(found):
            return "wrong", "NaN or infinite numbers, or another number of them, were read"
        healed = self.kind.heals and any(path.name in str(each.message) for each in told)
        return ("made anew" if healed else "read"), ""


def _refusal(error: BaseException, path: Path) -> tuple[str, str]:
    text, causes = str(error), [error]
    while causes[-1].__cause__ or causes[-1].__context__:
        causes.append(causes[-1].__cause__ or causes[-1].__context__)
    if any(isinstance(cause, MemoryError) for cause in causes):
        return "memory", f"{type(error).__name__}: {text[:200]!r}"
    if not isinstance(error, ValueError | OSError) or isinstance(error, UnicodeError):
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        return "traceback", f"{type(error).__name__} at {where}: {text[:200]!r}"
    if path.name.split(".")[0] not in text:
        return "sentence", f"no path: {text[:200]!r}"
    if not text.isprintable() or len(text) > LONGEST:
        return "sentence", f"no one printable line: {text[:300]!r}"
    return "refused", ""


def _flat(value) -> list:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return [each for entry in value for each in _flat(entry)]
    return [np.asarray(value)]


def _same(one, other) -> bool:
    pairs = zip(_flat(one), _flat(other), strict=True)
    return all(a.shape == b.shape and (a == b).all() for a, b in pairs)


def _sound(found) -> bool:
    if found is None or isinstance(found, dict | str | list | int | float | bool):
        return True  # JSON, texts
    return all(np.isfinite(a).all() for a in _flat(found) if a.dtype.kind == "f")


def work(pipe, *arguments) -> None:
    """Open files whose numbers come through a pipe, in a process of little memory."""
    try:
        _work(pipe, *arguments)
    except Exception:  # a fault of the benchmark
        pipe.send(("fault", traceback.format_exc(), 0))


def _work(pipe, folder: Path, kinds: list[str], seed: int) -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    os.dup2(sys.stderr.fileno(), 2)
    rooms = {kind: Room(kind, folder / kind) for kind in kinds}
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        kind, damage, random = task_of(pipe.recv(), kinds, seed)
        path = rooms[kind].put(damage, random)
        shutil.copy(path, folder / "last")
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is counted anew
        before = _peak()
        pipe.send(path.name)
        outcome = rooms[kind].outcome(path, damage.__name__)
        pipe.send((*outcome, _peak() - before))


def _peak() -> int:
    """The most memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


class Worker:
    """A process that opens files, and is replaced when one ends it."""

    def __init__(self, place: Path, kinds: list[str], seed: int):
        self.place, self.arguments, self.number = place, (kinds, seed), None
        self.start()

    def start(self) -> None:
        """A new process in a new folder."""
        shutil.rmtree(self.place, ignore_errors=True)
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        arguments = (other, self.place, *self.arguments)
        self.process = context.Process(target=work, args=arguments, daemon=True)
        self.process.start()
        other.close()
        self.name, self.end = None, float("inf")

    def give(self, number: int | None) -> None:
        """Let it open a file; None leaves it idle."""
        self.number, self.name, self.end = number, None, float("inf")
        if number is not None:
            self.pipe.send(number)

    def answer(self) -> tuple | None:
        """Outcome, details and memory, once they are known."""
        if time.monotonic() > self.end:
            self.process.kill()
            return "hang", f"more than {SECONDS} s", 0
        if not self.pipe.poll():
            return None
        try:
            found = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return "crash", f"exit code {self.process.exitcode}", 0
        if isinstance(found, tuple) and found[0] == "fault":
            raise RuntimeError(found[1])
        if isinstance(found, tuple):
            return found
        self.name, self.end = found, time.monotonic() + SECONDS
        return None

    def keep(self, folder: Path, kind: str) -> None:
        """Copy the file that was opened last."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.place / "last", folder / f"{kind}-{self.number}-{self.name}")


def run(count: int, kinds: list[str], *, seed=0, jobs=2, keep=None, progress=True):
    """Open files in some processes: (kind, outcome) -> count, failures, kind -> most memory."""
    counts, failures, memory = collections.Counter(), [], collections.Counter()
    numbers = iter(range(count))
    bar = tqdm(total=count, desc="files", unit="file", disable=not progress)
    with tempfile.TemporaryDirectory(prefix="doors-") as folder:
        workers = [Worker(Path(folder, f"{number}"), kinds, seed) for number in range(jobs)]
        for worker in workers:
            worker.give(next(numbers, None))
        while sum(counts.values()) < count:
            connection.wait([worker.pipe for worker in workers], timeout=0.5)
            for worker in workers:
                answer = worker.answer()
                if answer is None:
                    continue
                outcome, details, more = answer
                kind, damage, _ = task_of(worker.number, kinds, seed)
                counts[kind, outcome] += 1
                memory[kind] = max(memory[kind], more)
                bar.update()
                if outcome not in GOOD:
                    failures.append((worker.number, kind, damage.__name__, outcome, details))
                    if keep is not None:
                        worker.keep(keep, kind)
                if outcome in ("crash", "hang"):
                    worker.process.join()
                    worker.start()
                worker.give(next(numbers, None))
        for worker in workers:
            worker.process.kill()
            worker.process.join()
    bar.close()
    return counts, failures, memory


def table_of(counts, memory, kinds: list[str]) -> str:
    """A line a kind: how many files came to which end, and the most memory that it took."""
    lines = ["".join([f"{'kind':16}", *(f"{name:>11}" for name in OUTCOMES), f"{'MiB more':>10}"])]
    for kind in [*kinds, "all"]:
        chosen = kinds if kind == "all" else [kind]
        found = [sum(counts[each, outcome] for each in chosen) for outcome in OUTCOMES]
        most = max(memory[each] for each in chosen) / 2**20
        lines.append("".join([f"{kind:16}", *(f"{n:11}" for n in found), f"{most:10.0f}"]))
    return "\n".join(lines)


def listed(failures) -> str:
    """The failures, like ones together."""
    groups = collections.defaultdict(list)
    for number, kind, damage, outcome, details in failures:
        alike = re.sub(r"(/\S*/|0x\w+|\d+)", "", details)[:90]
        groups[kind, outcome, alike].append(f"{details[:300]} (number {number}, {damage})")
    lines = [f"{len(each)} x {key[0]}, {key[1]}: {each[0]}" for key, each in groups.items()]
    return "\n".join(sorted(lines))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="files of all kinds together")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="by default all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kinds, began = options.kind or list(KINDS), time.monotonic()
    settings = dict(seed=options.seed, jobs=options.jobs, keep=options.keep)
    counts, failures, memory = run(options.count, kinds, **settings)
    print(table_of(counts, memory, kinds))
    print(f"{options.count} files in {time.monotonic() - began:.0f} s")
    if failures:
        sys.exit(listed(failures))


if __name__ == "__main__":
    main()
