"""MAT-5 files: what scipy writes is read alike, and no byte is trusted."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from rvae_lite.readers.mat5 import read_mat5

NUMBERS = {
    "doubles": np.array([[1.5, -2.0], [np.nan, np.inf]]),
    "singles": np.float32([[1, 2, 3]]),
    "flags": np.array([[True, False]]),
    "none": np.empty((0, 0)),
    "deep": np.arange(24, dtype=np.int16).reshape(2, 3, 4),
    **{f"u{size}": np.array([[0, 255]], f"u{size}") for size in (1, 2, 4, 8)},
    **{f"i{size}": np.array([[-128, 127]], f"i{size}") for size in (1, 2, 4, 8)},
}


@pytest.mark.parametrize("do_compression", [False, True])
def test_what_scipy_writes_is_read_alike(do_compression, tmp_path):
    path = tmp_path / "a.mat"
    others = dict(text="häß", words=np.array(["ab", "c"]), empty="", record=dict(a=1, b="x"))
    others["cells"] = np.array(["ab", "", "c"], object)
    savemat(path, NUMBERS | others, do_compression=do_compression)
    found = read_mat5(path, [*NUMBERS, "text", "words", "empty", "cells", "absent"])
    for name, array in NUMBERS.items():
        assert found[name].shape == array.shape and np.array_equal(found[name], array, True), name
    assert found["text"].tolist() == [list("häß")]
    assert found["words"].tolist() == [["a", "b"], ["c", " "]]
    assert found["cells"].ravel().tolist() == ["ab", "", "c"]
    assert found["empty"].size == 0 and "absent" not in found


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(name, values, *, kind=6, shape=None, stored=9, dtype="<f8"):
    content = np.asarray(values).astype(dtype).tobytes()
    shape = shape or (1, len(values))
    parts = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack("<2i", *shape))
    return element(14, parts + element(1, name.encode()) + element(stored, content))


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"


def packed(inner):
    content = zlib.compress(inner)
    return struct.pack("<II", 15, len(content)) + content


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "it has 0 bytes, a MAT-5 file at least 128"),
    (b"MATLAB 7.3 MAT-file".ljust(512), "it is a MATLAB 7.3 file, of HDF5"),
    (b"\0\0\0\0" + bytes(200), "it is a MATLAB 4 file, or none"),
    (b"x" * 200, "it has no header of MAT-5"),
    (HEAD + b"abc", "it is cut off in a tag"),
    (HEAD + struct.pack("<II", 14, 2**31), "an element says 2147483648 bytes, 0 are left"),
    (HEAD + element(9, bytes(8)), "there is an element of type 9 among the arrays"),
    (HEAD + matrix("a", [1.0], shape=(1, 2)), "'a' is 1x2 and has 1 values"),
    (HEAD + matrix("a", [1.0], shape=(2**31 - 1,) * 2), "'a' is 2147483647x.* and has 1 values"),
    (HEAD + matrix("a", [1.0], shape=(-1, -1)), "an array of -1x-1"),
    (HEAD + matrix("a", [1.0], kind=2), "'a' is neither real numbers nor text"),
    (HEAD + matrix("a", [1.0], stored=77), "a part of an array is of type 77"),
    (HEAD + matrix("a", [1, 2, 3], dtype="u1"), "'a' has 3 bytes of 8 each"),
    (HEAD + matrix("a", [1.5], kind=12), "'a' has fractions among integers"),
    (HEAD + matrix("a", [0xD800], kind=4, stored=4, dtype="<u2"), "'a' holds numbers that are no"),
    (HEAD + matrix("a", [1.0], kind=1), "'a' says 1 cells in|a part of an array is of type 9"),
    (HEAD + matrix("a", [1.0]) * 2, "it holds 'a' twice"),
    (HEAD + packed(element(9, bytes(8))), "a compressed element holds type 9"),
    (HEAD + packed(matrix("a", [1.0]) + bytes(8)), "'a' unfolds to another length than it says"),
    (HEAD + packed(matrix("a", [1.0])[:-8]), "'a' has 56 bytes, not 64"),
    (HEAD + packed(b""), "an array is cut off"),
    (HEAD + struct.pack("<II", 15, 8) + b"no zlib!", "Error -3 while decompressing data"),
])  # fmt: skip
def test_what_contradicts_itself_is_refused(content, reason, tmp_path):
    (tmp_path / "a.mat").write_bytes(content)
    message = rf"a.mat cannot be read \(.*({reason}).*\): save it again with -v7"
    with pytest.raises(ValueError, match=message) as caught:
        read_mat5(tmp_path / "a.mat", ["a"])
    assert "\n" not in str(caught.value)


def test_what_unfolds_beyond_the_limit_is_refused_and_what_nobody_asks_for_is_not_unfolded(
    tmp_path,
):
    path = tmp_path / "a.mat"
    savemat(path, dict(bomb=np.zeros(2**18), onsets=[1.0]), do_compression=True)
    with pytest.raises(ValueError, match="a.mat cannot be read .it unfolds to more than 1 MiB.: "):
        read_mat5(path, ["bomb"], limit=2**20)
    assert read_mat5(path, ["onsets"], limit=2**20)["onsets"].tolist() == [[1]]


@pytest.mark.parametrize("do_compression", [False, True])
def test_no_wrong_byte_does_more_than_be_refused(do_compression, tmp_path):
    path, random = tmp_path / "a.mat", np.random.default_rng(0)
    content = dict(onsets=np.arange(5.0), labels="abcde", cells=np.array(["a", "b"], object))
    savemat(path, content, do_compression=do_compression)
    whole = path.read_bytes()
    for place in range(124, len(whole)):
        changed = bytearray(whole)
        changed[place] = random.integers(256)
        path.write_bytes(changed[: random.integers(len(whole))] if place % 4 == 0 else changed)
        try:
            found = read_mat5(path, list(content))
        except ValueError as error:
            assert "cannot be read" in str(error) and "\n" not in str(error)
        else:
            assert sum(array.nbytes for array in found.values()) < 2**12
