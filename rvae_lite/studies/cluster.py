"""Units of a study on many workers: processes of this machine, or any machines, by Dask.

A worker measures a unit as this process would, and writes its file; where the two share no folder,
the rows come back and are written here.  A unit whose worker dies runs again on another one, from
the checkpoints that it left.
"""

import contextlib
import hashlib
import importlib.util
import logging
import traceback
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

import rvae_lite
from rvae_lite.publishing import claimed
from rvae_lite.studies.study import study_files
from rvae_lite.studies.units import Unit, keep, kept_text, measure, say

ANSWER_SECONDS = 15  # in which a scheduler must answer
LOG_LINES = 15  # of a failed unit that are shown
TALKATIVE = ["distributed." + name for name in ("client", "core", "utils", "comm", "batched")]
QUIET = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"  # no traceback at Ctrl-C
CALM = {"distributed.scheduler.worker-saturation": 1.0}  # no unit waits at a busy worker


class Measured(NamedTuple):
    """A unit's signed text, and the warnings that came with it."""

    text: str
    notes: list[str]


class Failure(NamedTuple):
    """A unit that no worker could measure: why in one sentence, and the end of its log."""

    unit: str
    worker: str
    reason: str
    log: str = ""
    missing: bool = False  # its data


def spread(
    units: Sequence[Unit], *, workers: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[Unit, str | FileNotFoundError]]:
    """Each unit and its signed text, or which data it lacks, as they are finished.

    Args:
        units: of one study.
        workers: start so many processes on this machine.
        scheduler: or the address of a Dask scheduler.

    Raises:
        ValueError: both are given or no worker, workers do not fit, or units failed (named).
        ImportError: Dask is not installed.
        OSError: no scheduler answers there, or it has gone.
    """
    if workers is not None and scheduler is not None:
        raise ValueError("--workers starts processes here and --scheduler names others: choose one")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    if importlib.util.find_spec("distributed") is None:
        raise ImportError('dask is missing: pip install "rvae_lite[cluster]"')
    waiting = []
    for unit in units:
        text = kept_text(unit)
        if text is None:
            waiting.append(unit)
        else:
            yield unit, text
    if not waiting:
        return
    for name in TALKATIVE:  # their tracebacks would hide the sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    opened = _here(min(workers, len(waiting))) if scheduler is None else _there(scheduler)
    with opened as client, contextlib.closing(_gathered(client, waiting)) as finished:
        yield from finished


@contextlib.contextmanager
def _here(workers: int):
    """A Dask client of workers on this machine; strangers on it have no keys to them."""
    import dask
    from distributed import Client, LocalCluster

    drawn = importlib.util.find_spec("bokeh") is not None
    options = dict(n_workers=workers, threads_per_worker=1, memory_limit=0, security=True)
    options.update(dashboard_address="127.0.0.1:0", host="127.0.0.1")
    options.update(silence_logs=logging.ERROR, env=dict(OMP_NUM_THREADS="1"), preload=[QUIET])
    with (
        dask.config.set(CALM),
        LocalCluster(**options) as cluster,
        Client(cluster, security=cluster.security) as client,
    ):
        if drawn:
            say(f"dashboard: {client.dashboard_link}")
        yield client


@contextlib.contextmanager
def _there(scheduler: str):
    """A Dask client of the workers of a scheduler, once it has some."""
    from distributed import Client

    remedy = f"start one with `dask scheduler`, or run --workers; waited {ANSWER_SECONDS} s"
    try:
        client = Client(scheduler, timeout=ANSWER_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise OSError(f"no Dask scheduler answers at {scheduler}: {remedy}") from error
    with client:
        _check_scheduler(client, scheduler)
        if not client.scheduler_info(n_workers=-1)["workers"]:
            say(f"the scheduler at {scheduler} has no workers yet: waiting for one")
        client.submit(int).result()  # a task, so that a cluster which adapts asks for a worker
        yield client


def _gathered(client, units: Sequence[Unit]) -> Iterator[tuple[Unit, str | FileNotFoundError]]:
    """Submit units, and give each with its text as it comes; then tell of those that failed."""
    from distributed import as_completed

    release, failures = release_of(units[0].study), []
    _check_workers(client, units[0].study, release)
    futures = {client.submit(measure_there, unit, release, pure=False): unit for unit in units}
    coming = as_completed(futures)
    for future in coming:
        unit = futures[future]
        found = _outcome(future, unit)
        if found is None:  # another command is measuring it
            again = client.submit(measure_there, unit, release, wait=True, pure=False)
            futures[again] = unit
            coming.add(again)
        elif isinstance(found, Measured):
            for note in found.notes:
                say(f"{unit.name}: {note}")
            _keep_here(unit, found.text)
            yield unit, found.text
        elif found.missing:
            yield unit, FileNotFoundError(f"{found.reason} (on {found.worker})")
        else:
            failures.append(found)
            say(f"{found.unit} failed on {found.worker}: {found.reason}\n{found.log}")
    if failures:
        told = "; ".join(f"{each.unit} on {each.worker}: {each.reason}" for each in failures)
        count = f"{len(failures)} of {len(units)} units"
        raise ValueError(f"{count} failed, and what is finished is kept: {told}")


def _keep_here(unit: Unit, text: str) -> None:
    """Write the rows of a worker that writes elsewhere."""
    if kept_text(unit) is None:
        with claimed(unit.path, wait=True):
            if kept_text(unit) is None:
                keep(unit, text)


def measure_there(unit: Unit, release: str, *, wait: bool = False) -> Measured | Failure | None:
    """In a worker: `measure` the unit, if the worker has the same release."""
    from distributed import get_worker

    worker = get_worker()
    failed = partial(Failure, unit.name, worker.address)
    try:
        fault = _fault_of(release_of(unit.study), worker.state.nthreads, release)
        if fault:
            return failed(fault)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            text = measure(unit, wait=wait, logged=True)
        notes = list(dict.fromkeys(str(each.message) for each in caught))
        return None if text is None else Measured(text, notes)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        log = _end_of(unit.log) + traceback.format_exc()
        return failed(reason, log, isinstance(error, FileNotFoundError))


def release_of(study: str) -> str:
    """A hash of what measures a study: the package's programs, the study's own, and PyTorch."""
    package = Path(rvae_lite.__file__).parent
    torch_release = torch.__version__.split("+")[0]  # the same for every kind of device
    digest = hashlib.sha256(torch_release.encode() + study_files()[study].read_bytes())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _check_scheduler(client, address: str) -> None:
    """Refuse a scheduler without the package: it reads the units before it hands them out."""
    try:
        client.run_on_scheduler(_fault_of, "", 1, "")  # to call any function here is to load it
    except (ImportError, AttributeError, SyntaxError, TypeError) as error:
        where = f"the scheduler at {address} cannot load rvae_lite"
        raise ValueError(f"{where} ({error}): install the same release there as here") from error


def _check_workers(client, study: str, release: str) -> None:
    """Refuse workers that would measure something else, or several units in one process."""
    threads = client.scheduler_info(n_workers=-1)["workers"]
    for worker, found in client.run(release_of, study, on_error="return").items():
        if isinstance(found, Exception):
            raise ValueError(f"worker {worker} cannot load the study {study!r}: {found!r}")
        count = threads[worker]["nthreads"] if worker in threads else 1
        fault = _fault_of(found, count, release)
        if fault:
            raise ValueError(f"worker {worker} does not fit: {fault}")


def _fault_of(found: str, threads: int, release: str) -> str:
    """What is wrong with a worker of that release and so many threads, or ""."""
    if found != release:
        same = "install the same there, and the study's file"
        return f"it has another rvae_lite or PyTorch than this command: {same}"
    if threads != 1:
        alone = "a unit wants a process of its own"
        return f"it has {threads} threads, and {alone}: start it with --nthreads 1"
    return ""


def _outcome(future, unit: Unit) -> Measured | Failure | None:
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        why = "all workers that tried it died; often memory is short, or their time was over"
        return Failure(unit.name, str(error.last_worker.address), why, _end_of(unit.log))
    except CancelledError as error:
        kept = "finished units are kept, and the same command goes on"
        raise OSError(f"the Dask scheduler has gone: {kept}") from error
    except Exception as error:  # in a worker without the package, or with another Python
        return Failure(unit.name, "a worker", f"it could not begin: {error!r}")


def _end_of(log: Path) -> str:
    """The last lines of a log, without those that a progress bar overwrote."""
    if not log.is_file():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    shown = [line.rpartition("\r")[2] for line in lines[-LOG_LINES:]]
    return "".join(f"{line}\n" for line in shown)
