"""The commands' doors: names, streams, consoles and results that are in each other's way."""

import contextlib
import hashlib
import io
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from serving import Site, giving
from workbench import circle

from rvae_lite import RosettaPoints, cli

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--epochs", "2", "--batch-size", "32"]


def run(folder, *arguments, code=0):
    """A command, in this process; what it says on stdout and stderr."""
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rvae-lite", *map(str, arguments)])
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            with pytest.raises(SystemExit) as ended, warnings.catch_warnings():
                cli.main()
            if isinstance(ended.value.code, str):
                errors.write(ended.value.code + "\n")
    assert bool(ended.value.code) == bool(code), errors.getvalue()
    return out.getvalue(), errors.getvalue()


def in_a_process(folder, *arguments, **env):
    """`inspect` in a process of its own, by a shell; its stdout and stderr as bytes."""
    env = os.environ | dict(PYTHONPATH=str(ROOT), PYTHON=sys.executable) | env
    command = f'"$PYTHON" -m rvae_lite inspect {" ".join(arguments)}'
    result = subprocess.run(["sh", "-c", command], cwd=folder, env=env, capture_output=True)
    assert b"Traceback" not in result.stderr and b"Exception" not in result.stderr
    return result


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A folder of a lady's recordings, and what was distilled from it."""
    folder = tmp_path_factory.mktemp("doors")
    (folder / "data").mkdir()
    for number, row in enumerate(circle()):
        np.save(folder / "data" / f"Doe_Jane_{number:03d}.npy", row)
    np.save(folder / "x.npy", circle())
    out, _ = run(folder, "distil", "data", "-o", "a.npz", *QUICK)
    assert "the names of the chosen files travel with the points: --ids none leaves them" in out
    return folder


def test_names_of_files_can_be_left_out(bench):
    assert RosettaPoints.load(bench / "a.npz").ids[0].startswith("Doe_Jane")
    out, _ = run(bench, "distil", "data", "-o", "b.npz", "--ids", "none", *QUICK)
    assert "travel" not in out and set(RosettaPoints.load(bench / "b.npz").ids) == {""}
    assert b"Jane" not in (bench / "b.npz").read_bytes()
    _, errors = run(bench, "distil", "data", "-o", "c.npz", "--ids", "some", code=1)
    assert errors == "rvae-lite: --ids must be names or none, not 'some'\n"


def test_an_error_of_the_system_names_the_file(bench):
    _, errors = run(bench, "distil", "x.npy", "-o", "n.npz", "--preprocessing", "no.json", code=1)
    assert errors == "rvae-lite: there is no file no.json: check --preprocessing\n"


def test_a_json_with_a_byte_order_mark_is_read(bench):
    (bench / "spec.json").write_text('{"rate": 1}', encoding="utf-8-sig")
    arguments = ["--preprocessing", "spec.json", *QUICK]
    run(bench, "distil", "x.npy", "-o", "bom.npz", *arguments)
    assert RosettaPoints.load(bench / "bom.npz").header["preprocessing"] == dict(rate=1)


def test_a_result_never_replaces_an_input(bench):
    for out in ("x.npy", "./data/../x.npy"):
        _, errors = run(bench, "distil", "x.npy", "-o", out, "--force", code=1)
        assert "x.npy is read by this command: choose another path for the result" in errors
    _, errors = run(bench, "train", "x.npy", "a.npz", "-o", "a.npz", "--force", code=1)
    assert "a.npz is read by this command" in errors
    compared = ["a.model.npz", "b=a.model.npz", "--data", "x.npy", "-o", "a.model.npz", "--force"]
    _, errors = run(bench, "compare", *compared, code=1)
    assert "a.model.npz is read by this command" in errors


def test_names_with_dots_and_equals_signs_are_kept(bench):
    run(bench, "distil", "x.npy", "-o", "lab.v1", *QUICK)
    run(bench, "distil", "x.npy", "-o", "lab.v2", *QUICK)
    assert {"lab.v1.model.npz", "lab.v2.model.npz"} <= set(os.listdir(bench))
    (bench / "beta=1").mkdir()
    for name in ("alice", "bob"):
        os.link(bench / "a.model.npz", bench / "beta=1" / f"{name}.model.npz")
    spaces = ["beta=1/alice.model.npz", "beta=1/bob.model.npz", "--data", "x.npy"]
    out, _ = run(bench, "compare", *spaces, "-o", "equal.html")
    assert out.startswith("bob: the space of alice")


@pytest.mark.parametrize("coding", ["ascii", "cp1252"])
def test_a_console_without_a_letter_is_no_trouble(bench, coding):
    points = RosettaPoints.load(bench / "a.npz")
    points.header["source"] = "鳥 \x1b[31m"
    points.save(bench / "鳥.npz")
    result = in_a_process(bench, "鳥.npz", PYTHONIOENCODING=coding)
    assert result.returncode == 0 and b"\x1b" not in result.stdout
    assert b"\\x1b[31m" in result.stdout and (b"\\u9ce5" in result.stdout or coding == "ascii")


def test_names_that_are_no_text_are_written_and_told(bench):
    out, _ = run(bench, "distil", "x.npy", "-o", os.fsdecode(b"caf\xe9.npz"), *QUICK)
    assert "caf\\udce9.npz" in out
    assert os.path.exists(os.path.join(os.fsencode(bench), b"caf\xe9.npz"))


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-", "| true"])
def test_closed_streams_and_readers_that_go_early_do_not_matter(bench, closed):
    assert in_a_process(bench, "a.npz", closed).returncode == 0


def test_a_senders_noise_that_makes_no_sense_is_refused(bench):
    points = RosettaPoints.load(bench / "a.npz")
    points.header["model"]["noise_variance"] = 1e300
    points.save(bench / "noisy.npz")
    _, errors = run(bench, "train", "x.npy", "noisy.npz", "-o", "noisy.model.npz", *QUICK, code=1)
    assert "the points' maker used noise variance 1e+300, the data have a variance of" in errors
    own = ["--noise-variance", "0.1", *QUICK]
    run(bench, "train", "x.npy", "noisy.npz", "-o", "noisy.model.npz", *own)


def test_results_are_never_links_to_nothing_or_in_a_circle(bench):
    for name, target in (("dangling.npz", "nowhere.npz"), ("loop.npz", "loop.npz")):
        os.symlink(target, bench / name)
        _, error = run(bench, "distil", "x.npy", "-o", name, *QUICK, code=1)
        assert f"{name} is there already: choose another path" in error
    for name in ("", "."):
        _, error = run(bench, "distil", "x.npy", "-o", name, *QUICK, code=1)
        assert error == "rvae-lite: . is a folder: name a file in it\n"


def test_a_file_at_home_is_inspected(bench, monkeypatch):
    monkeypatch.setenv("HOME", str(bench))
    assert "rosetta" in run(bench, "inspect", "~/a.npz")[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "a.model.npz", "--epochs", "9"], "--epochs: nothing is trained where --model"),
        (["--model", "a.model.npz", "--model-out", "b"], "--model-out: nothing is trained where"),
        (["--noise-variance", "0"], "noise_variance must be positive, not 0.0"),
        (["--preprocessing", '{"a": 1, "a": 2}'], "no valid JSON (it names 'a' twice)"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(bench, options, message):
    assert message in run(bench, "distil", "x.npy", "-o", "new.npz", *options, code=1)[1]


def test_names_of_spaces_are_told_apart_and_written(bench):
    same = ["b.model.npz", "--data", "x.npy", "-o", "c.html"]
    (bench / "b.model.npz").write_bytes((bench / "a.model.npz").read_bytes())
    _, error = run(bench, "compare", "=a.model.npz", *same, code=1)
    assert "=a.model.npz names a space by nothing: name it as in alice=a.model.npz" in error
    _, error = run(bench, "compare", "b =a.model.npz", *same, code=1)
    assert "two spaces are called b: name them as in alice=" in error
    _, error = run(bench, "compare", "a.model.npz", *same, "--num-points", "120", code=1)
    assert "leave none to measure on: choose fewer" in error
    both = ["--points", "a.npz", "--num-points", "3"]
    assert "leave --num-points out" in run(bench, "compare", "a.model.npz", *same, *both, code=1)[1]
    no_text = os.fsdecode(b"a\xff")
    run(bench, "compare", f"{no_text}=a.model.npz", *same)
    assert "a\\udcff" in (bench / "c.html").read_text(encoding="utf-8")


def test_a_saved_model_meets_columns_in_the_order_it_was_trained_on(bench):
    x, names = np.load(bench / "x.npy"), list("abcdefgh")[: np.load(bench / "x.npy").shape[1]]
    for name, order in (("t.csv", slice(None)), ("r.csv", slice(None, None, -1))):
        rows = [",".join(names[order]), *(",".join(map(str, row[order])) for row in x)]
        (bench / name).write_text("\n".join(rows))
    run(bench, "distil", "t.csv", "-o", "t.npz", *QUICK)
    refused = f"column 0 of the data is '{names[-1]}', of the training 'a': bring the columns into"
    again = ["distil", "r.csv", "-o", "u.npz", "--model", "t.model.npz"]
    assert refused in run(bench, *again, code=1)[1]
    two = ["compare", "one=t.model.npz", "two=t.model.npz", "--data", "r.csv", "-o", "u.html"]
    assert f"one: {refused}" in run(bench, *two, code=1)[1]
    run(bench, *two, "--points", "t.npz")  # by which the columns are sorted


def test_points_at_an_address_are_taken_with_their_checksum(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    told = ["--licence", "CC0", "--citation", "Doe (2026), Owls"]
    run(bench, "distil", "x.npy", "-o", "cited.npz", *told, *QUICK)
    content = (bench / "cited.npz").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert digest in run(bench, "inspect", "cited.npz")[0]
    site = Site()
    site.answers["/cited.npz"] = giving(content)
    plain = site.address("/cited.npz")
    address = f"{plain}#sha256={digest}"
    out, _ = run(bench, "inspect", address)
    for line in (f"file +{plain}", "citation +Doe \\(2026\\), Owls", "licence +CC0"):
        assert re.search(rf"^{line}$", out, re.MULTILINE)
    run(bench, "train", "x.npy", address, "-o", "far.model.npz", *QUICK)
    spaces = ["cited.model.npz", "far.model.npz", "--data", "x.npy", "--points", address]
    run(bench, "compare", *spaces, "-o", "far.html")
    assert site.asked == ["/cited.npz"]
    for command in (["inspect", plain], ["train", "x.npy", plain, "-o", "no.npz"]):
        _, error = run(bench, *command, code=1)
        assert error.startswith(f"rvae-lite: {plain} is taken only with its checksum: pass sha256=")
    assert not (bench / "no.npz").exists()
    site.end()
