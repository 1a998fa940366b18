"""The commands' doors: names, streams, consoles and results that are in each other's way."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
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
