"""Results are refused beforehand or written together."""

import os
import signal
import time

import pytest

from rvae_lite.lab import outputs


def test_places_that_cannot_be_written_are_refused_beforehand(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="cannot write .* is no folder"):
        outputs.check_outputs(tmp_path / "file" / "out.npz")
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        outputs.check_outputs(tmp_path)
    with pytest.raises(ValueError, match="is named for two results"):
        outputs.check_outputs(tmp_path / "a", tmp_path / "a")
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(PermissionError, match="may not be written"),
    ):
        patch.setattr(os, "access", lambda *_: False)
        outputs.check_outputs(tmp_path / "a")


def test_an_interrupt_waits_until_results_are_written():
    done = []
    with pytest.raises(KeyboardInterrupt), outputs.uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append("the rest")
    assert done == ["the rest"]
    with outputs.uninterrupted():
        pass
