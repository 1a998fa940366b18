"""Benchmarks at toy scale: they run, go on where they left off, and find what they are there for."""

import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from loading import ROOT, load_file

from rvae_lite.studies import multi_rate
from rvae_lite.studies import over_beta as over_beta_module

NAMES = ("ceiling", "growth", "gpu", "syllables")
PROTOCOLS = ("reproducibility", "sequential")
ceiling, growth, gpu, syllables = (load_file(f"benchmarks/{name}.py") for name in NAMES)


EXTRACT = syllables.COMMANDS["extract"]


@pytest.fixture
def sizes(monkeypatch):
    """The benchmark of sizes, which takes functions from another, with seconds' worth of work."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = load_file("benchmarks/sizes.py")
    monkeypatch.setattr(benchmark, "EPOCHS", 2)
    return benchmark


def run(monkeypatch, benchmark, *options):
    """A benchmark's command, in this process."""
    monkeypatch.setattr(sys, "argv", [benchmark.__file__, *options])
    benchmark.main()


@pytest.mark.slow
def test_the_benchmark_of_a_gpu_writes_its_table_and_goes_on_where_it_left_off(
    monkeypatch, capsys, tmp_path
):
    options = ["--out", str(tmp_path), "--device", "cpu", "--quick"]
    run(monkeypatch, gpu, *options, "--minutes", "0.01")
    assert "5 parts of 5 are left" in capsys.readouterr().out
    run(monkeypatch, gpu, *options)
    table = pd.read_csv(tmp_path / "gpu.csv")
    assert set(table.gpu) == {"CPU"}
    assert set(table[table.metric == "passed"].value) == {1.0}
    assert set(table.part) == {*gpu.PARTS, gpu.TOY}
    assert {"rv", "distortion"} <= set(pd.read_csv(tmp_path / f"{gpu.TOY}.csv").metric)
    (tmp_path / "parts" / "options.csv").unlink()
    capsys.readouterr()
    run(monkeypatch, gpu, *options)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("done before")] == [
        f"{part}: done before" for part in gpu.parts(True) if part != "options"
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_its_benchmark_says_so(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="^there is no CUDA device: run it where there is one"):
        run(monkeypatch, gpu, "--out", str(tmp_path))


def test_a_device_whose_numbers_differ_fails_its_benchmark(monkeypatch, tmp_path):
    row = dict(case="images", difference=0.5, of_losses=0.5, limit=1e-3, passed=0.0)
    monkeypatch.setattr(gpu, "PARTS", {"check trainings": lambda device, quick: [row]})
    monkeypatch.setattr(gpu, "parts", lambda quick: ["check trainings"])
    with pytest.raises(SystemExit, match="numbers are not those of the CPU"):
        run(monkeypatch, gpu, "--out", str(tmp_path), "--device", "cpu", "--quick")


def test_at_the_scale_of_the_papers_it_runs_three_studies_in_the_order_of_their_worth():
    templates = [f"template{template}" for template in range(3)]
    songs = [f"{protocol}-{template}" for template in templates for protocol in PROTOCOLS]
    binary = "multi_rate/binary_mnist-resnet"
    assert gpu.parts(False) == [
        *gpu.PARTS,
        "mnist/reproducibility-R64",
        "mnist/sequential-R64",
        f"{binary}-MR-VAE",
        f"{binary}-beta-VAE-annealed",
        *(f"zebra_finch/{unit}" for unit in songs),
        "mnist/reproducibility-R32",
        "mnist/sequential-R32",
    ]


def measured_options(folder, **ratios):
    """The file of the finished part `options` with these ratios to a plain step."""
    rows = pd.DataFrame(dict(case=list(ratios), metric="ratio", value=list(ratios.values())))
    gpu.write_table(gpu.file_of(folder, "options"), rows)


def test_studies_train_with_what_was_faster_and_say_so(monkeypatch, tmp_path):
    assert gpu.choices(tmp_path) == {}
    measured_options(tmp_path, plain=1.0, tf32=0.7, compile=1.2, channels_last=0.5)
    told, setups = [], []

    def over_beta(setup):
        setups.append(setup)
        return [dict(value=1.0)]

    digits = over_beta_module.rate_setup("binary_digits", network="mlp")
    monkeypatch.setattr(gpu, "allow_tf32", told.append)
    monkeypatch.setattr(multi_rate, "over_beta", over_beta)
    monkeypatch.setattr(
        multi_rate, "rate_setup", lambda name, network, **changes: digits._replace(**changes)
    )
    profile = dict(multi_rate.study.profiles["paper"])
    table = gpu.run_unit("multi_rate/binary_mnist-resnet-MR-VAE", False, tmp_path)
    assert told == [True] and set(table.tf32) == {True} and set(table.compile) == {False}
    assert setups[0].compile is False and setups[0].replicas == 1
    assert setups[0].betas == (0.01, 0.1, 1.0, 10.0) and [*setups[0].methods] == ["MR-VAE"]
    assert multi_rate.study.profiles["paper"] == profile


def test_a_growth_is_the_slope_of_logarithms():
    sizes = [10, 100, 1000]
    assert np.allclose(growth.slopes(sizes, [3.0, 30.0, 300.0]), 1)
    assert np.allclose(growth.slopes(sizes, [1.0, 100.0, 10_000.0]), 2)
    assert np.allclose(growth.slopes(sizes, [1.0, 1.0, 10.0]), [0.5, 1.0])


def test_a_growth_in_proportion_passes_and_a_steeper_one_does_not(capsys):
    results = [dict(seconds=0.1 * size, peak=500 + size, own=500) for size in (1, 10, 100)]
    assert not growth.report("N", [1, 10, 100], results)
    steep = [dict(result, peak=result["seconds"] ** 1.1) for result in results]
    assert growth.report("M", [1, 10, 100], steep)
    assert "memory over M: slope 1.10" in capsys.readouterr().out


def test_a_case_of_growth_trains_on_a_file(tmp_path):
    growth.write_images(tmp_path / "images.npy", 1500)
    found = growth.run_case(tmp_path / "images.npy", 2)
    assert found["seconds"] > 0 and found["peak"] >= found["own"] > 0


def test_the_ceiling_takes_turns_and_leaves_the_engine_alone():
    run_epoch = ceiling.engine.Trainer.run_epoch
    seconds, around = ceiling.measure(1, 2, 4, torch.device("cpu"))
    assert np.shape(seconds) == (2, 2) and np.min(seconds) > 0 and around > 0
    assert ceiling.engine.Trainer.run_epoch is run_epoch


def test_made_up_recordings_are_extracted_and_their_memory_is_told(tmp_path, capsys):
    syllables.write_recordings(tmp_path / "n150", 150)
    assert len(list((tmp_path / "n150").glob("*.wav"))) == 2
    found = syllables.measure([part.format(folder=tmp_path / "n150") for part in EXTRACT])
    assert found["seconds"] > 0 and 0.01 < found["memory"] < syllables.MOST
    with h5py.File(tmp_path / "n150.h5", "r") as file:
        assert file["specs"].shape == (150, 64, 64)
    small = dict(seconds=1.0, memory=0.5)
    assert not syllables.report("train", [100, 1000], [small, dict(seconds=10.0, memory=0.5)])
    assert "train    seconds grow with N to the power of 1.00" in capsys.readouterr().out
    assert syllables.report("train", [100, 1000], [small, dict(seconds=9.0, memory=2.5)])


def test_a_command_that_fails_ends_the_benchmark_of_syllables(tmp_path):
    with pytest.raises(SystemExit, match="there is nothing at"):
        syllables.measure(["extract", str(tmp_path / "none"), "-o", str(tmp_path / "x.h5")])


def test_each_step_of_a_size_is_measured_on_a_file(sizes, tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "MOST_SEEN", 500)
    for count, epochs in ((200, 2), (300, 1), (600, 1)):
        path = tmp_path / f"{count}.npy"
        sizes.write_images(path, count)
        found = {step: sizes.run_step(step, path) for step in sizes.STEPS}
        assert found["training"]["epochs"] == epochs and found["points"]["epochs"] == 0
        assert min(step["seconds"] for step in found.values()) > 0
        assert min(step["megabytes"] for step in found.values()) > 10


def test_sizes_go_on_where_they_left_off(sizes, tmp_path, monkeypatch, capsys):
    done = []

    def measured(step, path):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append((step, path.stem))
        return dict(epochs=0, seconds=1.234, megabytes=5.0, file_megabytes=1.0)

    monkeypatch.setattr(sizes, "measure", measured)
    options = ["--examples", "30", "20", "--out", str(tmp_path / "sizes.csv")]
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, sizes, *options)
    assert len(pd.read_csv(tmp_path / "sizes.csv")) == 4
    first = done.copy()
    done.clear()
    run(monkeypatch, sizes, *options)
    steps = [(step, count) for count in ("20", "30") for step in sizes.STEPS]
    assert first + done == steps
    assert set(pd.read_csv(tmp_path / "sizes.csv").seconds) == {1.23}


def test_a_step_that_fails_stops_the_benchmark_of_sizes(sizes, tmp_path):
    (tmp_path / "20.npy").write_bytes(b"no array")
    with pytest.raises(SystemExit, match="^training of 20 examples failed"):
        sizes.measure("training", tmp_path / "20.npy")


def test_the_committed_sizes_are_those_that_the_book_names(sizes):
    table = pd.read_csv(sizes.RESULTS)
    assert {*zip(table.examples, table.step, strict=True)} == {
        (10**power, step) for power in (4, 5, 6) for step in sizes.STEPS
    }
    memory = table.groupby("examples").megabytes.max()
    assert memory.max() < 2 * memory.min()  # a copy of the million would be 4 GB
