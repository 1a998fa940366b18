"""The laboratory's commands from end to end: results, refusals, interrupts that leave no halves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from workbench import circle, explored, refused, run

from rvae_lite import Fit, RosettaPoints

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--epochs", "2", "--batch-size", "32"]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder in which Alice has distilled and Bob has trained."""
    folder = tmp_path_factory.mktemp("workshop")
    for name, seed in (("alice", 0), ("bob", 1)):
        (folder / name).mkdir()
        for number, row in enumerate(circle(seed=seed)):
            np.save(folder / name / f"{number:03d}.npy", row)
    told = ["--preprocessing", '{"rate": 32000}', "--licence", "CC0", "--source", "made up"]
    said = run("distil", folder / "alice", "-o", folder / "alice.npz", *told, *QUICK)
    assert "30 Rosetta points of K = 2" in said and "on 12 held-out examples" in said
    said = run(
        "train",
        folder / "bob",
        folder / "alice.npz",
        "-o",
        folder / "bob.model.npz",
        "--beta",
        "2",
        *QUICK,
    )
    assert re.search(r"^points (not )?reached: the points' inputs", said, re.MULTILINE)
    return folder


def test_distil_writes_points_with_their_header_and_the_model_they_come_from(workshop):
    points = RosettaPoints.load(workshop / "alice.npz")
    assert points.header["preprocessing"] == dict(rate=32000)
    assert (points.header["licence"], points.header["source"]) == ("CC0", "made up")
    assert points.ids[0].endswith(".npy")
    model = Fit.load(workshop / "alice.model.npz")
    assert np.allclose(model.encode(points.x)[0], points.z, atol=1e-6)


def test_distil_takes_a_trained_model_and_may_ship_decoded_inputs(workshop, tmp_path):
    model = [
        "--model",
        workshop / "alice.model.npz",
        "--num-points",
        5,
        "--method",
        "random",
        "--seed",
        3,
    ]
    said = run("distil", workshop / "alice", "-o", tmp_path / "a.npz", *model, "--share", "decoded")
    assert "decoded inputs stand in place of the originals: squared error " in said
    assert sorted(os.listdir(tmp_path)) == ["a.npz"]
    header = RosettaPoints.load(tmp_path / "a.npz").header
    assert header["share"]["inputs"] == "decoded" and header["selection_method"] == "random"
    result = json.loads(
        run("distil", workshop / "alice", "-o", tmp_path / "b.npz", *model, "--json")
    )
    assert result["num_points"] == 5 and result["share"] == dict(inputs="as they are")


def test_train_writes_a_model_and_a_report(workshop):
    model, report = (
        Fit.load(workshop / "bob.model.npz"),
        json.loads((workshop / "bob.model.report.json").read_text()),
    )
    points = RosettaPoints.load(workshop / "alice.npz")
    assert np.isclose(report["anchor_distance"], model.anchor_distance(points)[0])
    assert report["plan"]["beta"] == 2.0 and model.beta[0] == 2.0
    assert (
        set(report["held_out"]) >= {"distortion", "rate", "negative_elbo"} and "verdict" in report
    )


def test_train_reports_as_text_too_and_knows_the_books_points(tmp_path):
    from rvae_lite import data

    np.save(tmp_path / "digits.npy", data.load("digits", num_examples=200).x)
    files = [
        "-o",
        tmp_path / "m.npz",
        "--report",
        tmp_path / "report.txt",
        "--network",
        "mlp",
        "--epochs",
        1,
    ]
    result = json.loads(run("train", tmp_path / "digits.npy", "book:digits", *files, "--json"))
    assert not result["reached"] and result["model"] == str(tmp_path / "m.npz")
    text = (tmp_path / "report.txt").read_text()
    assert text.startswith("200 examples, network mlp") and "points not reached: " in text


def test_compare_writes_a_page_and_numbers(workshop, tmp_path):
    models = [workshop / "alice.model.npz", workshop / "bob.model.npz"]
    more = [
        "--data",
        workshop / "alice",
        "--points",
        workshop / "alice.npz",
        "--title",
        "Alice and Bob",
    ]
    result = json.loads(run("compare", *models, *more, "-o", tmp_path / "report.html", "--json"))
    assert result["spaces"] == ["alice", "bob"] and set(result["verdicts"]) == {"bob"}
    assert {row["metric"] for row in result["pairs"]} >= {
        "lsd",
        "cka",
        "procrustes",
        "similarity",
        "affine",
        "ridge",
        "smooth",
        "relative",
        "unaligned",
        "neighbours",
    }
    page = (tmp_path / "report.html").read_text()
    assert "<h1>Alice and Bob</h1>" in page and "bob: network mlp, beta 2" in page


def test_compare_takes_encoded_arrays_with_names(workshop, tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(seed).standard_normal((40, 3)))
    said = run(
        "compare",
        f"ann={tmp_path / 'a.npy'}",
        tmp_path / "b.npy",
        "-o",
        tmp_path / "r.html",
        "--num-points",
        8,
    )
    assert said.startswith("b: another space than ann")


def test_compare_shows_labels_and_names_or_neither(workshop, tmp_path):
    models = [workshop / "alice.model.npz", workshop / "bob.model.npz"]
    more = ["--data", workshop / "alice", "-o", tmp_path / "report.html", "--force"]
    (tmp_path / "kinds.txt").write_text("\n".join(["call", "song"] * 60))
    result = json.loads(
        run("compare", *models, *more, "--labels", tmp_path / "kinds.txt", "--json")
    )
    answers = {claim["answer"] for claim in result["claims"]["bob"]}
    assert answers <= {"yes", "no", "open", "not measured"}
    assert "names of examples are in the report: --no-pictures leaves them out" in result["notes"]
    data = explored((tmp_path / "report.html").read_text())
    assert data["ids"][2] == "002.npy" and data["labels"]["names"] == ["call", "song"]
    run("compare", *models, *more, "--no-pictures")
    page = (tmp_path / "report.html").read_text()
    assert explored(page)["labels"] is None and "002.npy" not in page
    (tmp_path / "few.txt").write_text("call\nsong\n")
    few = ["--labels", tmp_path / "few.txt"]
    refused(
        "there are 2 labels for 120 examples: give one label an", "compare", *models, *more, *few
    )
    missing = ["--labels", tmp_path / "none.txt"]
    refused("there is no table at", "compare", *models, *more, *missing)
    assert (tmp_path / "report.html").read_text() == page


def test_inspect_tells_what_is_in_points_and_in_models(workshop, tmp_path):
    said = run("inspect", workshop / "alice.npz")
    for entry in ("rosetta", "rate 32000", "CC0", "num points", "sha256", "made up", "(3)"):
        assert entry in said
    described = json.loads(run("inspect", workshop / "bob.model.npz", "--json"))
    assert (
        described["kind"] == "fit" and described["beta"] == [2.0] and described["latent_dim"] == 2
    )
    assert json.loads(run("inspect", "book:digits", "--json"))["data_shape"] == [1, 8, 8]


@pytest.mark.parametrize("file", ["alice.npz", "bob.model.npz", "book:digits"])
@pytest.mark.parametrize("suffix", [".png", ".html"])
def test_inspect_draws_points_and_models(workshop, tmp_path, file, suffix):
    name = file if file.startswith("book:") else workshop / file
    run("inspect", name, "--render", tmp_path / f"drawn{suffix}")
    content = (tmp_path / f"drawn{suffix}").read_bytes()
    assert content.startswith(b"\x89PNG" if suffix == ".png" else b"<!doctype html>")


@pytest.fixture(scope="module")
def rates(workshop):
    """Alice has distilled curves, Bob has trained at a beta of his own, Carol at all."""
    curves, quick = (
        workshop / "curves.npz",
        ["--epochs", "6", "--batch-size", "16", "--learning-rate", "0.01"],
    )
    said = run("distil", workshop / "alice", "-o", curves, "--multi-rate", *quick)
    assert (
        "curves over beta from 0.01 to 10" in said
        and "examples, at beta\n  0.01    distortion " in said
    )
    run("train", workshop / "bob", curves, "-o", workshop / "low.npz", "--beta", "0.1", *quick)
    run("train", workshop / "bob", curves, "-o", workshop / "many.npz", "--multi-rate", *quick)
    return workshop


def test_curves_go_from_one_laboratory_to_the_other(rates):
    curves = RosettaPoints.load(rates / "curves.npz")
    assert curves.z.shape == (10, 30, 2) and Fit.load(rates / "low.npz").beta[0] == 0.1
    report = json.loads((rates / "many.report.json").read_text())
    assert report["plan"]["beta_range"] == [0.01, 10.0] and len(report["over_beta"]) == 7
    assert Fit.load(rates / "many.npz").model.beta_range == (0.01, 10.0)


def test_a_multi_rate_model_is_distilled_into_curves_or_at_one_beta(rates, tmp_path):
    model = ["--model", rates / "curves.model.npz", "--num-points", 5]
    run("distil", rates / "alice", "-o", tmp_path / "curves.npz", *model, "--share", "decoded")
    assert RosettaPoints.load(tmp_path / "curves.npz").header["share"]["decoded_at"] == 0.01
    result = json.loads(
        run(
            "distil", rates / "alice", "-o", tmp_path / "plain.npz", *model, "--beta", 0.5, "--json"
        )
    )
    assert result["beta_range"] is None and result["latent_dim"] == 2
    assert RosettaPoints.load(tmp_path / "plain.npz").header["model"]["beta"] == 0.5


def test_compare_reads_models_at_their_betas_and_uses_the_files_map(rates, tmp_path):
    alice = f"alice={rates / 'curves.model.npz'}@1"
    models = [alice, f"{rates / 'many.npz'}@0.1", rates / "low.npz"]
    more = [
        "--data",
        rates / "alice",
        "--points",
        rates / "curves.npz",
        "-o",
        tmp_path / "report.html",
    ]
    result = json.loads(run("compare", *models, *more, "--json", "--progress"))
    assert result["betas"] == {"alice": 1.0, "many at 0.1": 0.1, "low": 0.1}
    assert "known" in {row["metric"] for row in result["pairs"]}
    assert len(result["over_beta"]["many at 0.1"]["beta"]) == len(
        result["over_beta"]["many at 0.1"]["unaligned"]
    )
    assert any(note.startswith("the file's own map between two betas") for note in result["notes"])
    assert "after the file&#39;s own map" in (tmp_path / "report.html").read_text()


def test_inspect_tells_and_draws_curves(rates, tmp_path):
    said = run("inspect", rates / "curves.npz", "--render", tmp_path / "drawn.html")
    assert re.search(r"^beta range +\(0.01, 10\)$", said, re.MULTILINE)
    assert "decoder makes of them" in (tmp_path / "drawn.html").read_text()
    assert "beta range" in run("inspect", rates / "many.npz", "--render", tmp_path / "drawn.png")


def test_what_has_no_rates_is_refused(rates, tmp_path):
    alice, curves, out = rates / "alice", rates / "curves.npz", ["-o", tmp_path / "out.npz"]
    plain = ["--model", rates / "alice.model.npz"]
    refused(
        "is a plain model, which has no curves: leave",
        "distil",
        alice,
        *out,
        *plain,
        "--multi-rate",
    )
    refused(
        "beta 3 was asked of a plain model, trained at 1",
        "distil",
        alice,
        *out,
        *plain,
        "--beta",
        3,
    )
    refused(
        "--multi-rate trains every beta at once: leave --beta out",
        "train", alice, curves, *out, "--multi-rate", "--beta", 1,
    )  # fmt: skip
    refused(
        "beta must be positive, not 0, since the points are curves",
        "train",
        alice,
        curves,
        *out,
        "--beta",
        0,
    )
    models = [rates / "many.npz", rates / "low.npz"]
    refused(
        "many.npz is a multi-rate model: say at which beta",
        "compare",
        *models,
        "--data",
        alice,
        *out,
    )
    assert os.listdir(tmp_path) == []


def test_what_is_missing_or_of_another_kind_is_refused(workshop, tmp_path):
    alice, points, out = workshop / "alice", workshop / "alice.npz", ["-o", tmp_path / "out.npz"]
    refused("there are no data at .*nothing: check the path", "distil", tmp_path / "nothing", *out)
    refused(
        "there is no fit file at .*none.npz: check",
        "distil",
        alice,
        *out,
        "--model",
        tmp_path / "none.npz",
    )
    refused(
        "is a 'rosetta' file, not a fit file: pass the right one",
        "distil",
        alice,
        *out,
        "--model",
        points,
    )
    refused(
        "is a 'fit' file, not a rosetta file", "train", alice, workshop / "alice.model.npz", *out
    )
    refused("is a file of rvae_lite, not data", "train", points, points, *out)
    refused("there is no rvae_lite file at", "inspect", tmp_path / "none.npz")
    refused("there are no points 'book:owls'", "inspect", "book:owls")
    refused(
        "is a model: pass the data",
        "compare",
        workshop / "alice.model.npz",
        workshop / "bob.model.npz",
        *out,
    )
    refused("two spaces are called alice", "compare", points, points, *out)
    assert os.listdir(tmp_path) == []


def test_results_that_exist_are_refused_unless_forced(workshop, tmp_path):
    (tmp_path / "out.npz").write_text("precious")
    model = ["--model", workshop / "alice.model.npz"]
    distil = ["distil", workshop / "alice", "-o", tmp_path / "out.npz", *model]
    refused("out.npz is there already: choose another path, or force to replace it", *distil)
    assert (tmp_path / "out.npz").read_text() == "precious"
    run(*distil, "--force")
    assert len(RosettaPoints.load(tmp_path / "out.npz")) == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], r"Missing argument .* \(see .*train --help\)"),
        (["train", "a", "b", "-o", "c", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["train", "a", "b", "-o", "c", "--beta", "-1"], "Invalid value for '--beta'"),
        (["teach"], "No such command 'teach'"),
        (["distil", "a", "-o", "b", "--hurry"], "No such option: --hurry"),
        (
            ["distil", "a", "-o", "b", "--preprocessing", "{rate"],
            "--preprocessing is no valid JSON",
        ),
    ],
)
def test_errors_of_use_are_one_sentence(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    refused(message, *arguments)


def test_preprocessing_may_be_text_or_a_file(tmp_path):
    from rvae_lite.lab.commands import read_preprocessing

    (tmp_path / "spec.json").write_text('{"axis": "mel"}')
    assert read_preprocessing(str(tmp_path / "spec.json")) == dict(axis="mel")
    assert read_preprocessing("cut by hand") == "cut by hand" and read_preprocessing(None) is None


@pytest.mark.parametrize("command", ["extract", "distil", "train", "compare", "inspect"])
def test_every_command_has_help_with_examples(command):
    said = run(command, "--help")
    assert "Examples:" in said and f"rvae-lite {command} " in said


@pytest.mark.parametrize("seconds", [0.2, 1.0, None])
def test_an_interrupt_leaves_nothing_half_written(tmp_path, seconds):
    """At loading, while reading or importing, and (None) in the middle of the training."""
    np.save(tmp_path / "x.npy", circle(2000))
    command = [
        sys.executable,
        "-m",
        "rvae_lite",
        "distil",
        "x.npy",
        "-o",
        "out.npz",
        "--epochs",
        "100000",
        "--progress",
    ]
    env = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    # A test run in the background may itself ignore interrupts, and hand that down.
    heeding = dict(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, env=env, **heeding
    ) as process:
        try:
            if seconds is None:
                while b"epoch" not in process.stderr.read1():
                    pass
            else:
                time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=60)[1].decode()
        finally:
            process.kill()
    # Before Python has come to our own code it ends by the signal, which a shell shows as 130 too.
    assert process.returncode in (130, -signal.SIGINT) and (
        seconds is not None or process.returncode == 130
    )
    assert os.listdir(tmp_path) == ["x.npy"]
    assert seconds is not None or "Traceback" not in errors


def test_a_failed_command_exits_with_1_and_one_line(tmp_path):
    command = [sys.executable, "-m", "rvae_lite", "distil", "none", "-o", "out.npz"]
    result = subprocess.run(
        command, cwd=tmp_path, env=os.environ | dict(PYTHONPATH=str(ROOT)), capture_output=True
    )
    assert result.returncode == 1 and result.stdout == b""
    assert result.stderr == b"rvae-lite: there are no data at none: check the path\n"
