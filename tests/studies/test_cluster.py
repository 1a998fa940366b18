"""Units on workers: the same tables, failures by name, workers that do not fit, two commands."""

import errno
import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import distributed
import pytest
from distributed import CancelledError, Client, LocalCluster
from distributed.scheduler import KilledWorker
from loading import ROOT
from typer.testing import CliRunner

from rvae_lite import cli
from rvae_lite.publishing import claimed, write_atomically
from rvae_lite.studies import cluster
from rvae_lite.studies import units as units_module
from rvae_lite.studies.running import run_study
from rvae_lite.studies.units import kept_text, measure, units_of

FAKE = """
import os
from pathlib import Path

from rvae_lite.studies.study import Study

study = Study("fake", reproduces="nothing", profiles=dict(quick=dict(seeds=[0, 1, 2])))
study.grid(lambda profile: profile.seeds)


@study.unit
def unit(profile, seed, keep):
    print(f"epoch 1 of {seed}")
    with (Path(__file__).parent / "calls.txt").open("a") as calls:
        calls.write(f"{seed} ")
    FAULT
    return [dict(seed=seed, value=seed / 3)]
"""


WORKERS = dict(threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL)


@pytest.fixture(scope="module")
def folder_of_all(tmp_path_factory):
    """The folder of the study, known to workers as they start."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("studies")
        patch.setenv("RVAE_LITE_STUDIES", str(folder))
        yield folder


@pytest.fixture(scope="module")
def scheduler(folder_of_all):
    """The address of a scheduler with two workers."""
    with LocalCluster(n_workers=2, **WORKERS) as found:
        yield found.scheduler_address


@pytest.fixture
def write(folder_of_all):
    """A function that writes the study, with a line of fault in its unit, and gives its folder."""

    def write(fault="pass"):
        (folder_of_all / "fake.py").write_text(FAKE.replace("FAULT", fault))
        return folder_of_all

    yield write
    for path in folder_of_all.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def calls(folder: Path) -> list[str]:
    return sorted((folder / "calls.txt").read_text().split())


def test_a_scheduler_gives_the_table_of_one_process(write, scheduler):
    folder = write()
    here = run_study("fake", "quick", out=folder / "here", progress=False)
    there = run_study("fake", "quick", out=folder / "there", progress=False, scheduler=scheduler)
    assert there.equals(here) and calls(folder) == ["0", "0", "1", "1", "2", "2"]
    kept = sorted(path.name for path in (folder / "there/units/fake-quick").iterdir())
    assert kept == ["seed0.csv", "seed1.csv", "seed2.csv"]
    run_study("fake", "quick", out=folder / "there", progress=False, scheduler="tcp://127.0.0.1:9")
    assert len(calls(folder)) == 6  # finished units need no scheduler


def test_rows_of_a_worker_that_writes_elsewhere_are_written_here(write, monkeypatch):
    folder = write()

    def measure_elsewhere(unit, **options):
        return measure(unit._replace(folder=folder / "elsewhere"), **options)

    monkeypatch.setattr(cluster, "measure", measure_elsewhere)
    with LocalCluster(n_workers=1, processes=False, protocol="tcp", **WORKERS) as found:
        options = dict(out=folder / "out", progress=False, scheduler=found.scheduler_address)
        run_study("fake", "quick", **options)
    assert (folder / "out/units/fake-quick/seed2.csv").is_file()


@pytest.mark.slow
def test_processes_of_this_machine_give_the_same_table(write):
    folder = write()
    here = run_study("fake", "quick", out=folder / "here", progress=False)
    command = [sys.executable, "-m", "rvae_lite", "study", "fake", "--workers", "2"]
    command += ["--out", str(folder / "there")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "there/fake.csv").read_text() == here.to_csv(index=False, float_format="%.7g")


@pytest.mark.parametrize(
    "fault, reason",
    [
        ("if seed == 1: raise ValueError('rho must be\\n positive')", "rho must be positive"),
        (
            f"if seed == 1: raise OSError({errno.ENOSPC}, 'No space left on device', 'a.npz')",
            "No space left on device",
        ),
        ("if seed == 1: raise MemoryError", "MemoryError"),
    ],
)
def test_a_failed_unit_is_named_with_its_log_and_the_others_are_kept(
    write, scheduler, capsys, fault, reason
):
    folder = write(fault)
    with pytest.raises(
        ValueError,
        match=rf"1 of 3 units failed, and what is finished is kept: seed1 on tcp.*{reason}",
    ):
        run_study("fake", "quick", out=folder / "out", progress=False, scheduler=scheduler)
    said = capsys.readouterr()
    assert "epoch 1 of 1" in said.out + said.err and "Traceback" in said.out + said.err
    units = folder / "out/units/fake-quick"
    assert {path.name for path in units.iterdir()} == {"seed0.csv", "seed1.log", "seed2.csv"}
    write()
    table = run_study("fake", "quick", out=folder / "out", progress=False, scheduler=scheduler)
    assert len(table) == 3 and calls(folder) == ["0", "1", "1", "2"]
    assert not (units / "seed1.log").exists()


def keep_on_full_disk(path, write):
    """Write a unit's file, but for that of seed 1, for which there is no space."""

    def fail(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_atomically(path, fail if path.stem == "seed1" else write)


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_unit_whose_file_finds_the_disk_full_is_named_and_finished_ones_are_kept(
    write, monkeypatch, where
):
    folder = write()
    out, units = folder / "out", folder / "out/units/fake-quick"
    with monkeypatch.context() as patch:
        patch.setattr(units_module, "write_atomically", keep_on_full_disk)
        reason = r"cannot write .*seed1.csv \(No space left on device\): free some space or choose"
        if where == "here":
            with pytest.raises(OSError, match=reason):
                run_study("fake", "quick", out=out, progress=False)
        else:
            wanted = pytest.raises(
                ValueError, match=f"1 of 3 units failed, .*: seed1 on .*{reason}"
            )
            with LocalCluster(n_workers=1, processes=False, protocol="tcp", **WORKERS) as found:
                options = dict(progress=False, scheduler=found.scheduler_address)
                with wanted:
                    run_study("fake", "quick", out=out, **options)
    kept = {"here": ["seed0.csv"], "there": ["seed0.csv", "seed1.log", "seed2.csv"]}
    assert sorted(path.name for path in units.iterdir()) == kept[where]
    assert len(run_study("fake", "quick", out=out, progress=False)) == 3
    assert calls(folder).count("1") == 2 and calls(folder).count("0") == 1


class FakeFuture:
    """A task that has ended: with a unit's text, or an error."""

    def __init__(self, end):
        self.end = end

    def result(self):
        if isinstance(self.end, Exception):
            raise self.end
        return cluster.Measured(self.end, [])


@pytest.fixture
def fake_client(monkeypatch):
    """A function: error -> a client whose tasks measure their units here, but end so for seed 1."""
    monkeypatch.setattr(cluster, "_check_workers", lambda *_: None)
    monkeypatch.setattr(distributed, "as_completed", list)

    def client(error):
        def submit(function, unit, *_, **__):
            return FakeFuture(error if unit.name == "seed1" else measure(unit))

        return SimpleNamespace(submit=submit)

    return client


LAST = SimpleNamespace(address="tcp://10.0.0.7:4000")
ENDS = {
    "killed": (
        KilledWorker("seed1", LAST, 3),
        "seed1 on tcp://10.0.0.7:4000: all workers that tried it died; "
        "often memory is short, or their time was over",
    ),
    "not begun": (
        ModuleNotFoundError("No module named 'rvae_lite'"),
        """seed1 on a worker: it could not begin: ModuleNotFoundError("No module named 'rvae_lite'")""",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_unit_that_no_worker_finished_is_told_in_one_sentence(write, fake_client, capsys, end):
    error, sentence = ENDS[end]
    units = units_of("fake", "quick", folder=write() / "out")
    units[1].folder.mkdir(parents=True)
    units[1].log.write_text("epoch 7 of 1\n")
    with pytest.raises(ValueError) as told:
        list(cluster._gathered(fake_client(error), units))
    head = "1 of 3 units failed, and what is finished is kept: "
    assert str(told.value) == head + sentence
    assert kept_text(units[0]) and kept_text(units[2])
    assert ("epoch 7 of 1" in capsys.readouterr().err) == (end == "killed")


def test_a_scheduler_that_has_gone_is_told_in_one_sentence(write, fake_client):
    units = units_of("fake", "quick", folder=write() / "out")
    coming = cluster._gathered(fake_client(CancelledError("seed1")), units)
    assert next(coming)[0].name == "seed0"
    gone = "^the Dask scheduler has gone: finished units are kept, and the same command goes on$"
    with pytest.raises(OSError, match=gone):
        next(coming)
    assert kept_text(units[0])


@pytest.mark.parametrize("where", ["here", "there"])
def test_units_without_data_are_left_out_and_told(write, scheduler, capsys, where):
    folder = write("if seed == 1: raise FileNotFoundError('toy is not in x: put a.npz there')")
    options = dict(out=folder / "out", progress=False)
    options.update({} if where == "here" else dict(scheduler=scheduler))
    assert list(run_study("fake", "quick", **options).seed) == [0, 2]
    assert "seed1 is left out: toy is not in x: put a.npz there" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="seed1 is left out: toy is not in x: put a.npz"):
        run_study("fake", "quick", only="seed1", **options)


def test_warnings_of_a_worker_are_told(write, scheduler, capsys):
    folder = write("import warnings; warnings.warn('points are not reached')")
    run_study("fake", "quick", out=folder / "out", progress=False, scheduler=scheduler)
    said = capsys.readouterr().err
    assert said.count("points are not reached") == 3 and "seed2: points are" in said


def test_workers_of_another_release_are_refused_by_name(write, scheduler):
    unit = units_of("fake", "quick", folder=write() / "out")[0]
    with Client(scheduler) as client:
        with pytest.raises(
            ValueError, match="worker tcp://.* another rvae_lite or PyTorch than this"
        ):
            cluster._check_workers(client, "fake", "of another release")
        with pytest.raises(ValueError, match="worker tcp://.* cannot load the study 'nowhere'"):
            cluster._check_workers(client, "nowhere", "")
        found = client.submit(cluster.measure_there, unit, "of another release").result()
    assert found.unit == "seed0" and "another rvae_lite" in found.reason  # one that came late


BARE_SCHEDULER = """
import sys

sys.modules["rvae_lite"] = None
from distributed.cli.dask_scheduler import main

main(["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", sys.argv[1]])
"""


def address_in(file: Path, *, seconds: float = 60) -> str:
    """The address that a scheduler has written to its file, once it has."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return json.loads(file.read_text())["address"]
        except (FileNotFoundError, json.JSONDecodeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def bare_scheduler(tmp_path):
    """The address of a scheduler that cannot import the package."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-c", BARE_SCHEDULER, str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield address_in(file)
        finally:
            process.terminate()


def test_a_scheduler_without_the_package_is_refused_by_name(write, bare_scheduler):
    options = dict(out=write() / "out", progress=False, scheduler=bare_scheduler)
    with pytest.raises(
        ValueError, match=f"^the scheduler at {bare_scheduler} cannot load rvae_lite"
    ):
        run_study("fake", "quick", **options)


def test_workers_of_several_threads_are_refused(write):
    write()
    options = WORKERS | dict(n_workers=1, processes=False, threads_per_worker=2)
    wanted = pytest.raises(ValueError, match="it has 2 threads, .*: start it with --nthreads 1")
    with LocalCluster(**options) as broad, Client(broad) as client, wanted:
        cluster._check_workers(client, "fake", cluster.release_of("fake"))


def test_no_dask_no_scheduler_and_both_at_once_are_one_sentence_each(write, monkeypatch):
    folder = write()
    options = dict(out=folder / "out", progress=False)
    with pytest.raises(ValueError, match="workers must be at least 1, not 0"):
        run_study("fake", "quick", workers=0, **options)
    with pytest.raises(ValueError, match="--workers starts .* --scheduler names others: choose"):
        run_study("fake", "quick", workers=2, scheduler="tcp://127.0.0.1:9", **options)
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense", "nowhere://127.0.0.1:9"):
        with pytest.raises(OSError, match=f"no Dask scheduler answers at {address}: start one"):
            run_study("fake", "quick", scheduler=address, **options)
        gc.collect()  # its client closes now; where it does while the next one starts, both wait
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'dask is missing: pip install "rvae_lite\[cluster\]"'):
        run_study("fake", "quick", workers=2, **options)
    assert CliRunner().invoke(cli.app, ["study", "fake", "--workers", "0"]).exit_code == 2
    shown = CliRunner().invoke(cli.app, ["study", "--help"]).output
    assert 'pip install "rvae_lite[cluster]"' in shown


def test_a_unit_that_another_process_measures_comes_last(write):
    folder = write()
    units = units_of("fake", "quick", folder=folder / "out")
    with claimed(units[0].path) as ours:
        assert ours and measure(units[0]) is None
    assert measure(units[0]) is not None
    assert not [path for path in units[0].folder.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_two_commands_on_one_folder_do_no_unit_twice(write):
    folder = write("import time; time.sleep(1)")
    command = [sys.executable, "-m", "rvae_lite", "study", "fake", "--out", str(folder / "out")]
    options = dict(cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, text=True)
    both = [subprocess.Popen(command, **options) for _ in range(2)]
    said = [each.communicate()[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert calls(folder) == ["0", "1", "2"]
