"""Several results appear together or not at all, whenever the process ends."""

import json
import multiprocessing
import os
import stat
import threading

import pytest

from rvae_lite import publishing
from rvae_lite.publishing import claimed, publish, recover, write_atomically


def writing(content):
    return lambda file: file.write(content)


def names(folder):
    return sorted(os.listdir(folder))


def test_results_appear_together(tmp_path):
    a, b = tmp_path / "a.npz", tmp_path / "b.json"
    assert publish({a: writing(b"1"), b: writing(b"2")}) == [a, b]
    assert (a.read_bytes(), b.read_bytes()) == (b"1", b"2")
    assert names(tmp_path) == ["a.npz", "b.json"]


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("failing", [1, 2])
def test_none_appears_where_one_cannot_be_written(tmp_path, replace, failing):
    def full(file):
        raise OSError(28, "No space left on device")

    contents = {tmp_path / "a": writing(b"1"), tmp_path / "b": writing(b"2")}
    contents[tmp_path / ("a" if failing == 1 else "b")] = full
    with pytest.raises(OSError, match=r"cannot write .*/[ab] \(No space left on device\): free"):
        publish(contents, replace=replace)
    assert names(tmp_path) == []


def test_what_is_there_stays_and_both_results_get_names_of_their_own(tmp_path):
    (tmp_path / "a.model.npz").write_bytes(b"older")
    paths = publish({tmp_path / "a.npz": writing(b"1"), tmp_path / "a.model.npz": writing(b"2")})
    assert [path.name for path in paths] == ["a-1.npz", "a-1.model.npz"]
    assert names(tmp_path) == ["a-1.model.npz", "a-1.npz", "a.model.npz"]
    assert (tmp_path / "a.model.npz").read_bytes() == b"older"


def dying(folder, at):
    """Publish two results in a process that dies at its n-th move."""
    moves, replace = [], os.replace

    def move(*paths):
        moves.append(paths)
        if len(moves) == at:
            os._exit(9)
        replace(*paths)

    os.replace = move
    publish({folder / "a.npz": writing(b"1"), folder / "b.npz": writing(b"2")})


@pytest.mark.parametrize("at", [1, 2])
def test_a_run_that_was_killed_between_two_moves_is_finished_by_the_next(tmp_path, at):
    process = multiprocessing.get_context("fork").Process(target=dying, args=(tmp_path, at))
    process.start()
    process.join()
    assert process.exitcode == 9
    recover([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert names(tmp_path) == ["a.npz", "b.npz"]
    assert (tmp_path / "b.npz").read_bytes() == b"2"
    assert recover([tmp_path / "a.npz", tmp_path / "b.npz"]) == []


def test_what_a_killed_run_left_is_used_again(tmp_path):
    (tmp_path / ".a.npz.0.part").write_bytes(b"half of a file that was larger than the next one")
    write_atomically(tmp_path / "a.npz", writing(b"1"))
    assert names(tmp_path) == ["a.npz"] and (tmp_path / "a.npz").read_bytes() == b"1"


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    path = tmp_path / "a.npz"

    def write(file):
        write_atomically(path, writing(b"the other's"))
        file.write(b"one's own")

    write_atomically(path, write)
    assert path.read_bytes() == b"one's own" and names(tmp_path) == ["a.npz"]


@pytest.mark.parametrize(
    "journal",
    [
        b"",
        b"[1]",
        b"{",
        json.dumps({"a.npz": "../stranger"}).encode(),
        json.dumps({"a.npz": ["x"]}).encode(),
        json.dumps({"other": ".other.0.part"}).encode(),
    ],
)
def test_a_journal_of_a_stranger_moves_nothing(tmp_path, journal):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "stranger").write_bytes(b"1")
    (folder / ".other.0.part").write_bytes(b"1")
    (folder / ".a.npz.publishing").write_bytes(journal)
    assert recover([folder / "a.npz"]) == []
    assert names(folder) == [".other.0.part"] and names(tmp_path) == ["folder", "stranger"]


def test_files_are_never_writable_for_everybody_even_for_a_moment(tmp_path):
    before, wrong = os.umask(0o022), []

    def work(number):
        for _ in range(100):
            path = tmp_path / f"f{number}"
            write_atomically(path, writing(b"x"))
            if stat.S_IMODE(path.stat().st_mode) != 0o644:
                wrong.append(number)

    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        os.umask(before)
    assert wrong == []


def test_threads_that_write_one_file_do_not_mix(tmp_path):
    path = tmp_path / "a"

    def work(letter):
        for _ in range(50):
            write_atomically(path, writing(letter * 1000))

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"x", b"y", b"z")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(path.read_bytes())) == 1 and names(tmp_path) == ["a"]


def test_a_home_folder_is_meant_by_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_atomically("~/x/a", writing(b"1"))
    assert (tmp_path / "x" / "a").read_bytes() == b"1"


def test_names_as_long_as_the_file_system_allows_are_written(tmp_path):
    write_atomically(tmp_path / ("n" * 255), writing(b"1"))
    assert names(tmp_path) == ["n" * 255]


@pytest.mark.parametrize("locks", ["none", "refused"])
def test_file_systems_without_locks_are_written_to(tmp_path, monkeypatch, locks):
    def refuse(*arguments):
        raise OSError(95, "Operation not supported")

    if locks == "none":
        monkeypatch.setattr(publishing, "fcntl", None)
    else:
        monkeypatch.setattr(publishing.fcntl, "flock", refuse)
    publish({tmp_path / "a": writing(b"1"), tmp_path / "b": writing(b"2")})
    assert names(tmp_path) == ["a", "b"]


def test_one_of_several_claims_a_path_and_another_waits(tmp_path):
    order = []

    def second():
        with claimed(tmp_path / "unit.csv", wait=True) as ours:
            order.append(("second", ours))

    waiting = threading.Thread(target=second)
    with claimed(tmp_path / "unit.csv") as ours:
        order.append(("first", ours))
        waiting.start()
        with claimed(tmp_path / "unit.csv") as theirs, claimed(tmp_path / "other.csv") as other:
            assert not theirs and other
        waiting.join(0.2)
        order.append(("first ends", True))
    waiting.join(10)
    assert order == [("first", True), ("first ends", True), ("second", True)]
    assert names(tmp_path) == []


def test_a_claim_of_a_killed_process_is_free(tmp_path):
    (tmp_path / ".unit.csv.claim").touch()
    os.link(tmp_path / ".unit.csv.claim", tmp_path / "snapshot")
    with claimed(tmp_path / "unit.csv") as ours:
        assert ours
    assert names(tmp_path) == ["snapshot"]


def test_a_claim_cannot_be_led_elsewhere_by_a_link(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".unit.csv.claim").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="cannot write .*unit.csv"), claimed(tmp_path / "unit.csv"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"
