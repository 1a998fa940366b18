"""Results are refused beforehand or written together; text of strangers stays text."""

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
    with pytest.raises(OSError, match=r"the name n+\.\.\. is too long"):
        outputs.check_outputs(tmp_path / ("n" * 300))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="pipe is no ordinary file: choose another path"):
        outputs.check_outputs(tmp_path / "pipe", force=True)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(PermissionError, match="may not be written"),
    ):
        patch.setattr(os, "access", lambda *_: False)
        outputs.check_outputs(tmp_path / "a")


def test_a_result_never_takes_the_place_of_an_input_however_it_is_spelled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.npy").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.npy").symlink_to("x.npy")
    os.link(tmp_path / "x.npy", tmp_path / "twin.npy")
    for spelled in ("x.npy", "folder/../x.npy", "link.npy", "twin.npy", tmp_path / "x.npy"):
        with pytest.raises(ValueError, match="is read by this command: choose another path"):
            outputs.check_outputs(spelled, inputs=["x.npy", None], force=True)
    with pytest.raises(ValueError, match="is named for two results"):
        outputs.check_outputs("new.npz", "folder/../new.npz")
    outputs.check_outputs("new.npz", inputs=["x.npy", "book:digits"])


def test_results_beside_another_keep_all_of_its_name():
    names = [outputs.beside(outputs.Path(name), ".model.npz").name for name in ("a.npz", "lab.v1")]
    assert names == ["a.model.npz", "lab.v1.model.npz"]


def test_what_appears_during_the_work_stays_and_is_told(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"older")
    contents = {tmp_path / "a.npz": lambda file: file.write(b"1")}
    with pytest.warns(UserWarning, match=r"a\.npz appeared meanwhile and stays: see .*a-1\.npz"):
        assert outputs.publish_results(contents, force=False) == [tmp_path / "a-1.npz"]
    assert outputs.publish_results(contents, force=True) == [tmp_path / "a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("zwölf Vögel 鳥", "zwölf Vögel 鳥"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nforged: line\r", "a\\nforged: line\\r"),
        ("\u202egnp.exe\u2028", "\\u202egnp.exe\\u2028"),
        ("\udcff", "\\udcff"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_text_of_strangers_does_nothing_to_a_terminal(text, shown):
    assert outputs.printable(text) == shown
    assert outputs.printable({text: [text, 1]}) == {shown: [shown, 1]}


def test_an_interrupt_waits_until_results_are_written():
    done = []
    with pytest.raises(KeyboardInterrupt), outputs.uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append("the rest")
    assert done == ["the rest"]
    with outputs.uninterrupted():
        pass
