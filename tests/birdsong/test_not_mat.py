"""Evsonganaly's .not.mat files: labels in every shape, and no file that ends the process."""

import numpy as np
import pytest
from scipy.io import savemat

from rvae_lite.birdsong.annotations import read_annotations

TIMES = dict(onsets=[100.0, 300.0], offsets=[200.0, 450.0])
WORDS = np.array([["aa"], ["b"]], object)


@pytest.mark.parametrize("do_compression", [False, True])
@pytest.mark.parametrize(("labels", "expected"), [
    ("ab", ["a", "b"]),
    (np.array(["a", "b"]), ["a", "b"]),  # a column of characters
    (np.array(["aa", "b"]), ["aa", "b"]),  # a word in each row
    (np.array(["a", "b"], object), ["a", "b"]),
    (WORDS, ["aa", "b"]),
])  # fmt: skip
def test_labels_are_read_in_every_shape(labels, expected, do_compression, tmp_path):
    path = tmp_path / "s.wav.not.mat"
    savemat(path, TIMES | dict(labels=labels, Fs=32000), do_compression=do_compression)
    found = read_annotations(path)
    assert [field.tolist() for field in found] == [
        [0.1, 0.3],
        [0.2, 0.45],
        expected,
        [1, 2],
        ["s.wav"] * 2,
    ]
    assert [field.dtype.kind for field in found] == list("ffUiU")


@pytest.mark.parametrize(("changes", "message"), [
    (dict(labels=""), "has 2 onsets, 2 offsets and 0 labels: label every syllable"),
    (dict(labels=np.array(["aa", "bb", "cc"])), "has 2 onsets, 2 offsets and 0 labels"),
    (dict(labels=[1, 2]), "has 2 onsets, 2 offsets and 0 labels"),
    (dict(onsets="ab"), "has onsets that are no list of numbers .1x2.: save it again"),
    (dict(offsets=np.ones((2, 2))), "has offsets that are no list of numbers .2x2.: save it"),
    (dict(offsets=[1j, 2]), "cannot be read .'offsets' is neither real numbers nor text.: save"),
    (dict(onsets=dict(a=1)), "cannot be read .'onsets' is neither real numbers nor text.: save"),
])  # fmt: skip
def test_what_is_no_annotation_is_refused(changes, message, tmp_path):
    path = tmp_path / "s.wav.not.mat"
    savemat(path, TIMES | dict(labels="ab") | changes)
    with pytest.raises(ValueError, match=f"s.wav.not.mat {message}"):
        read_annotations(path)


def test_a_small_file_that_unfolds_to_much_is_refused(tmp_path):
    path, many = tmp_path / "s.wav.not.mat", np.zeros(2**23)
    savemat(path, dict(onsets=many, offsets=many, labels="a"), do_compression=True)
    message = "cannot be read .it unfolds to more than 32 MiB.: save it again from Evsonganaly"
    with pytest.raises(ValueError, match=message):
        read_annotations(path)


def test_matlabs_other_formats_are_refused(tmp_path):
    path = tmp_path / "s.wav.not.mat"
    savemat(path, TIMES | dict(labels="ab"), format="4")
    with pytest.raises(ValueError, match="cannot be read .it is a MATLAB 4 file, or none.: save"):
        read_annotations(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match="cannot be read .it is a MATLAB 7.3 file, of HDF5.: save"):
        read_annotations(path)


@pytest.mark.parametrize("do_compression", [False, True])
def test_one_wrong_byte_is_refused_or_changes_a_value(do_compression, tmp_path):
    path, random = tmp_path / "s.wav.not.mat", np.random.default_rng(0)
    savemat(path, TIMES | dict(labels="ab", fname="s.wav"), do_compression=do_compression)
    whole = path.read_bytes()
    for _ in range(500):
        changed = bytearray(whole)
        changed[random.integers(len(whole))] = random.integers(256)
        path.write_bytes(changed)
        try:
            assert len(read_annotations(path).labels) == 2
        except ValueError as error:
            assert "s.wav.not.mat" in str(error) and "\n" not in str(error)
