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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import rvae_lite
from rvae_lite.studies.study import study_files
from rvae_lite.studies.units import Unit, keep, kept_text, measure

ANSWER_SECONDS = 15  # in which a scheduler must answer
LOG_LINES = 15  # of a failed unit that are shown
CALM = {"distributed.scheduler.worker-saturation": 1.0}  # no unit waits at a busy worker


class Failure(NamedTuple):
    """A unit that no worker could measure: why in one sentence, and the end of its log."""

    unit: str
    worker: str
    reason: str
    log: str = ""


def spread(
    units: Sequence[Unit], *, workers: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[Unit, str]]:
    """Each unit and its signed text, as they are finished.

    Args:
        units: of one study.
        workers: start so many processes on this machine.
        scheduler: or the address of a Dask scheduler.

    Raises:
        ValueError: both are given, or workers do not fit this command; they are named.
        ImportError: Dask is not installed.
        OSError: no scheduler answers there, or it has gone.
        ValueError: units failed; they are named, and all others are kept.
    """
    if workers is not None and scheduler is not None:
        raise ValueError("--workers starts processes here and --scheduler names others: choose one")
    if importlib.util.find_spec("distributed") is None:
        raise ImportError('dask is missing: pip install "rvae_lite[cluster]"')
    todo = []
    for unit in units:
        text = kept_text(unit)
        if text is None:
            todo.append(unit)
        else:
            yield unit, text
    if not todo:
        return
    opened = _here(min(workers, len(todo))) if scheduler is None else _there(scheduler)
    with opened as client, contextlib.closing(_gathered(client, todo)) as finished:
        yield from finished


@contextlib.contextmanager
def _here(workers: int):
    """A Dask client of workers on this machine; strangers on it have no keys to them."""
    import dask
    from distributed import Client, LocalCluster

    drawn = importlib.util.find_spec("bokeh") is not None
    options = dict(n_workers=workers, threads_per_worker=1, memory_limit=0, security=True)
    options.update(dashboard_address="127.0.0.1:0", host="127.0.0.1")
    options.update(silence_logs=logging.ERROR)
    with (
        dask.config.set(CALM),
        LocalCluster(**options) as cluster,
        Client(cluster, security=cluster.security) as client,
    ):
        _say(f"dashboard: {client.dashboard_link}" if drawn else "")
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
        if not client.scheduler_info(n_workers=-1)["workers"]:
            _say(f"the scheduler at {scheduler} has no workers yet: waiting for one")
        client.wait_for_workers(1)
        yield client


def _gathered(client, units: Sequence[Unit]) -> Iterator[tuple[Unit, str]]:
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
        elif isinstance(found, Failure):
            failures.append(found)
            _say(f"{found.unit} failed on {found.worker}: {found.reason}\n{found.log}")
        else:
            if kept_text(unit) is None:  # its worker writes elsewhere
                keep(unit, found)
            yield unit, found
    if failures:
        told = "; ".join(f"{each.unit} on {each.worker}: {each.reason}" for each in failures)
        kept = f"{len(units) - len(failures)} others are kept"
        raise ValueError(f"{len(failures)} of {len(units)} units failed, {kept}: {told}")


def measure_there(unit: Unit, release: str, *, wait: bool = False) -> str | Failure | None:
    """In a worker: `measure` the unit, if the worker has the same release."""
    from distributed import get_worker

    worker = get_worker().address
    if release_of(unit.study) != release:
        return Failure(unit.name, worker, "it has another rvae_lite, or another file of this study")
    try:
        return measure(unit, wait=wait, logged=True)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Failure(unit.name, worker, reason, _end_of(unit.log) + traceback.format_exc())


def release_of(study: str) -> str:
    """A hash of all that measures a study: the package's files, and the study's own."""
    package = Path(rvae_lite.__file__).parent
    digest = hashlib.sha256(study_files()[study].read_bytes())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _check_workers(client, study: str, release: str) -> None:
    """Refuse workers that would measure something else, or several units in one process."""
    for worker, found in client.run(release_of, study, on_error="return").items():
        if isinstance(found, Exception):
            raise ValueError(f"worker {worker} cannot load the study {study!r}: {found!r}")
        if found != release:
            same = "install the same release there, and the study's file"
            raise ValueError(f"worker {worker} has another rvae_lite than this command: {same}")
    for worker, found in client.scheduler_info(n_workers=-1)["workers"].items():
        if found["nthreads"] != 1:
            count = f"{found['nthreads']} threads, and a unit wants a process of its own"
            raise ValueError(f"worker {worker} has {count}: start it with --nthreads 1")


def _outcome(future, unit: Unit) -> str | Failure | None:
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        why = "all workers that tried it died; often memory is short"
        return Failure(unit.name, str(error.last_worker.address), why, _end_of(unit.log))
    except CancelledError as error:
        kept = "finished units are kept, and the same command goes on"
        raise OSError(f"the Dask scheduler has gone: {kept}") from error


def _end_of(log: Path) -> str:
    """The last lines of a log, without those that a progress bar overwrote."""
    if not log.is_file():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    shown = [line.rpartition("\r")[2] for line in lines[-LOG_LINES:]]
    return "".join(f"{line}\n" for line in shown)


def _say(text: str) -> None:
    from tqdm import tqdm

    if text:
        tqdm.write(text)
