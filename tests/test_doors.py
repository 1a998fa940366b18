"""Files of every kind, damaged at random, are refused in one sentence; the benchmark opens 10,000."""

import subprocess
import sys

import numpy as np
import pytest
from loading import ROOT, load_file

from rvae_lite import RosettaPoints, storage

damages = load_file("benchmarks/damages.py")
FILES_OF_A_KIND, NUM_KINDS = 30, 29


@pytest.mark.slow
def test_no_damaged_file_of_any_kind_does_harm():
    count = ["--count", str(FILES_OF_A_KIND * NUM_KINDS), "--jobs", "1", "--seed", "1"]
    command = [sys.executable, "benchmarks/doors.py", *count]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    rows = [line.split() for line in done.stdout.splitlines()]
    total = next(row for row in rows if row[0] == "all")
    assert int(total[1]) > 400 and sum(map(int, total[1:4])) == FILES_OF_A_KIND * NUM_KINDS
    assert len(rows) == NUM_KINDS + 3  # with the head, all, and the time


@pytest.fixture
def good(tmp_path):
    """A Rosetta file."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (16, 1, 6, 6)).astype(np.uint8)
    points = RosettaPoints(x, random.standard_normal((16, 3)), ids=[f"x{i}" for i in range(16)])
    points.save(tmp_path / "good.npz")
    return (tmp_path / "good.npz").read_bytes()


def refusal(tmp_path, content):
    """The sentence with which a file is refused."""
    (tmp_path / "points.npz").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        RosettaPoints.load(tmp_path / "points.npz")
    return str(caught.value)


def forged(good, header=(), **changes):
    """A file with a right hash whose arrays or header are changed."""
    arrays, told = damages.parts(good)
    return damages.consistent(arrays | changes, told | dict(header))


@pytest.mark.parametrize("damage", sorted(set(damages.OWN), key=lambda each: each.__name__))
def test_every_damage_of_a_rosetta_file_is_refused_or_harmless(tmp_path, good, damage):
    (tmp_path / "good.npz").write_bytes(good)
    expected, refused = RosettaPoints.load(tmp_path / "good.npz"), 0
    for seed in range(12):
        (tmp_path / "bad.npz").write_bytes(damage(good, np.random.default_rng([seed, 7])))
        try:
            loaded = RosettaPoints.load(tmp_path / "bad.npz")
        except ValueError as error:
            assert "bad.npz" in str(error) and "\n" not in str(error)
            refused += 1
        else:
            known = damage.__name__ in damages.FORGED
            assert known or loaded.x.tobytes() == expected.x.tobytes()
    assert refused > 0 or damage.__name__ == "surrounded"


def test_a_header_that_contradicts_the_arrays_is_refused(tmp_path, good):
    said = refusal(tmp_path, forged(good, header=dict(latent_dim=7)))
    assert "contradicts its own header (latent_dim): get a fresh copy" in said


@pytest.mark.parametrize("changes", [dict(z=np.zeros((16, 3))), dict(ids=np.arange(16))])
def test_arrays_of_other_types_are_refused(tmp_path, good, changes):
    said = refusal(tmp_path, forged(good, **changes))
    assert "holds arrays of other types than Rosetta points" in said


def test_points_that_are_none_are_refused_with_the_path(tmp_path, good):
    said = refusal(tmp_path, forged(good, z=np.full((16, 3), np.nan, np.float32)))
    assert "points.npz holds no valid points (points hold NaN or infinite values" in said


def test_a_size_of_zero_cannot_hide_a_huge_array(tmp_path, good):
    text = b"{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }"
    text = text.ljust(117) + b"\n"
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    content = damages.zipped((damages.members(good) | {"x.npy": head}).items())
    assert "it holds <U0, which is neither numbers nor text" in refusal(tmp_path, content)


def test_entries_that_share_their_bytes_are_refused(tmp_path, good):
    content = damages.overlapping(good, np.random.default_rng(0))
    assert "is not a readable rosetta file" in refusal(tmp_path, content)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, good):
    content = damages.bomb(good, np.random.default_rng(0))
    assert "it holds a compressed member" in refusal(tmp_path, content)


def test_the_kind_of_a_file_is_told(tmp_path, good):
    assert storage.kind_of(tmp_path / "good.npz") == "rosetta"
    with pytest.raises(FileNotFoundError, match="there is no rvae_lite file at .*: check the path"):
        storage.kind_of(tmp_path / "none.npz")


def test_a_file_that_may_not_be_read_is_said_to_be_so(tmp_path, good, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage.zipfile, "ZipFile", forbidden)
    with pytest.raises(PermissionError, match="good.npz may not be read: change its permissions"):
        RosettaPoints.load(tmp_path / "good.npz")
