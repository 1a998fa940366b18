"""Damaged Rosetta files are refused in one sentence or load equal to the original; the benchmark reads 10,000."""

import os
import warnings

import numpy as np
import pytest
from loading import load_file

from rvae_lite import RosettaPoints, storage

tool = load_file("benchmarks/damaged_files.py")


@pytest.mark.slow
def test_five_hundred_damaged_files_are_refused_or_harmless(tmp_path):
    before = os.getcwd()
    try:
        counts, failures, _ = tool.run(500, tmp_path, seed=1, limited=False)
    finally:
        os.chdir(before)
    assert failures == []
    assert sum(number for (_, outcome), number in counts.items() if outcome == "refused") > 400


@pytest.mark.parametrize("damage", sorted({damage.__name__ for damage in tool.DAMAGES}))
def test_every_damage_can_be_refused_or_is_harmless_by_nature(tmp_path, damage):
    tool.original().save(tmp_path / "good.npz")
    expected, content = (
        RosettaPoints.load(tmp_path / "good.npz"),
        (tmp_path / "good.npz").read_bytes(),
    )
    found = set()
    for seed in range(12):
        random = np.random.default_rng([seed, 7])
        (tmp_path / "damaged.npz").write_bytes(getattr(tool, damage)(content, random))
        found.add(tool.outcome(tmp_path / "damaged.npz", expected))
    assert found <= {"refused", "equal", "equal, other header"}
    assert ("refused" in found) == (damage != "surrounded")


def consistent(tmp_path, **changes):
    """A file with a right hash whose arrays or header are changed; the message with which it is refused."""
    tool.original().save(tmp_path / "good.npz")
    arrays, header = tool._parts((tmp_path / "good.npz").read_bytes())
    header_changes = changes.pop("header", {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (tmp_path / "points.npz").write_bytes(
            tool.consistent(arrays | changes, header | header_changes)
        )
    with pytest.raises(ValueError) as caught:
        RosettaPoints.load(tmp_path / "points.npz")
    return str(caught.value)


def test_a_header_that_contradicts_the_arrays_is_refused(tmp_path):
    assert "contradicts its own header (latent_dim): get a fresh copy" in consistent(
        tmp_path, header=dict(latent_dim=7)
    )


def test_arrays_of_other_types_are_refused(tmp_path):
    assert "holds arrays of other types than Rosetta points" in consistent(
        tmp_path, z=np.zeros((16, 3))
    )
    assert "holds arrays of other types than Rosetta points" in consistent(
        tmp_path, ids=np.arange(16)
    )


def test_points_that_are_none_are_refused_with_the_path(tmp_path):
    message = consistent(tmp_path, z=np.full((16, 3), np.nan, np.float32))
    assert "points.npz holds no valid points (points hold NaN or infinite values" in message


def test_a_size_of_zero_cannot_hide_a_huge_array(tmp_path):
    tool.original().save(tmp_path / "good.npz")
    content = (tmp_path / "good.npz").read_bytes()
    text = (
        b"{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    )
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    (tmp_path / "bad.npz").write_bytes(
        tool.zipped((tool.members(content) | {"x.npy": head}).items())
    )
    with pytest.raises(ValueError, match="it holds <U0, which is neither numbers nor text"):
        RosettaPoints.load(tmp_path / "bad.npz")


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    tool.original().save(tmp_path / "good.npz")
    content = tool.overlapping((tmp_path / "good.npz").read_bytes(), np.random.default_rng(0))
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ValueError, match="is not a readable rosetta file"):
        RosettaPoints.load(tmp_path / "bad.npz")


def test_the_kind_of_a_file_is_told(tmp_path):
    tool.original().save(tmp_path / "good.npz")
    assert storage.kind_of(tmp_path / "good.npz") == "rosetta"
    with pytest.raises(FileNotFoundError, match="there is no rvae_lite file at .*: check the path"):
        storage.kind_of(tmp_path / "none.npz")


def test_a_file_that_may_not_be_read_is_said_to_be_so(tmp_path, monkeypatch):
    tool.original().save(tmp_path / "good.npz")

    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage.zipfile, "ZipFile", forbidden)
    with pytest.raises(PermissionError, match="good.npz may not be read: change its permissions"):
        RosettaPoints.load(tmp_path / "good.npz")
