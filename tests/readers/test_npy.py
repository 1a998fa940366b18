"""Arrays of .npy and .npz come as they were saved; what a header claims is compared first."""

import io
import os
import struct
import warnings
import zipfile

import numpy as np
import pytest

from rvae_lite.readers.npy import read_npy, read_npz
from rvae_lite.storage import save_arrays

X = np.random.default_rng(0).normal(size=(6, 5))


def npy(array, version=None, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, **options)
    return file.getvalue()


def claiming(descr, shape, content=b"", by_columns=False):
    """A .npy file with a header of one's own."""
    header = repr(dict(descr=descr, fortran_order=by_columns, shape=shape)).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def zipped(path, members, packing=zipfile.ZIP_STORED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", packing) as archive:
        warnings.simplefilter("ignore")  # of a name that is used twice
        for name, content in members:
            archive.writestr(name, content)
    return path


def refused(read, path, message, **options):
    with pytest.raises(ValueError, match=message) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(
    "kind", ["<f8", ">f8", "<f2", ">i4", "|u1", "|b1", "<c16", "<U3", "<M8[s]"]
)
def test_arrays_of_every_kind_and_order_arrive_as_they_were(tmp_path, version, kind):
    for array in (X.astype("i4").astype(kind), np.asfortranarray(X.astype("i4").astype(kind))):
        for shaped in (array, array.reshape(3, 2, 5), array[0, 0].reshape(()), array[:0]):
            (tmp_path / "x.npy").write_bytes(npy(shaped, version))
            found = read_npy(tmp_path / "x.npy")
            assert found.dtype == shaped.dtype and found.shape == shaped.shape
            assert np.array_equal(found, shaped)


FALSE = {
    "cut": (npy(X)[:-1], r"its header says \(6, 5\) float64, 239 bytes follow"),
    "two": (npy(X) + npy(X), "bytes after its array: save one array a file"),
    "huge": (claiming("<f8", (10**12, 10**12)), "its header says .* 0 bytes follow"),
    "negative": (claiming("<f8", (-1, 5)), "its header says .* 0 bytes follow"),
    "objects": (claiming("|O", (2,), b"x" * 16), "holds pickled objects, which are never loaded"),
    "table": (
        npy(np.zeros(3, [("a", "f4")])),
        r"named columns \(a\): save them as \(N, D\) numbers",
    ),
    "void": (claiming("|V0", (2,)), "its header says"),
    "no shape": (claiming("<f8", "all"), "cannot be read as .npy"),
    "no header": (b"\x93NUMPY\x01\x00\xff\xff", "cannot be read as .npy"),
    "version": (b"\x93NUMPY\x09\x00" + npy(X)[8:], "cannot be read as .npy"),
    "empty": (b"", "cannot be read as .npy"),
    "pickle": (b"\x80\x04K\x01.", "cannot be read as .npy"),
}


@pytest.mark.parametrize("name", FALSE)
def test_headers_that_are_not_true_are_refused(tmp_path, name):
    content, message = FALSE[name]
    (tmp_path / "x.npy").write_bytes(content)
    refused(read_npy, tmp_path / "x.npy", message)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_only_array_or_the_one_named_is_read(tmp_path, packing):
    path = zipped(tmp_path / "x.npz", [("x.npy", npy(X))], packing)
    assert np.array_equal(read_npz(path)[0], X)
    path = zipped(path, [("x.npy", npy(X)), ("größe/π.npy", npy(2 * X))], packing)
    assert np.array_equal(read_npz(path, key="größe/π")[0], 2 * X)
    refused(read_npz, path, "holds 2 arrays: choose one by key, of x, größe/π")
    refused(read_npz, path, "holds no array 'y': choose one by key, of x, größe/π", key="y")


def test_members_that_are_no_arrays_are_noted(tmp_path):
    path = zipped(tmp_path / "x.npz", [("x.npy", npy(X)), ("readme.txt", b"hello")])
    found, notes = read_npz(path)
    assert np.array_equal(found, X)
    assert notes == ["1 members of x.npz are no arrays and were left out"]


def test_names_that_are_used_twice_or_hold_controls_are_told_on_one_line(tmp_path):
    twice = zipped(tmp_path / "x.npz", [("x.npy", npy(X)), ("x.npy", npy(2 * X))])
    refused(read_npz, twice, "holds two arrays called 'x': write it again")
    path = zipped(tmp_path / "y.npz", [("a\n\x1b[2Jb.npy", npy(X)), ("c.npy", npy(X))])
    refused(read_npz, path, r"of a\\n\\x1b\[2Jb, c")


def test_what_is_packed_counts_as_what_it_unfolds_to(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((2000, 1000), np.uint8))
    assert not read_npz(tmp_path / "x.npz")[0].any()
    monkeypatch.setattr("rvae_lite.readers.limits.FREE", 10**6)
    message = "unfolds to 0.00186 GiB, the limit is 0.000931 GiB: pass memory=0.1 if you trust it"
    refused(read_npz, tmp_path / "x.npz", message)
    assert not read_npz(tmp_path / "x.npz", memory=0.002)[0].any()
    for memory in (0, -1, np.nan, "1"):
        with pytest.raises(ValueError, match="memory must be a positive number of GiB, not"):
            read_npz(tmp_path / "x.npz", memory=memory)


def test_a_directory_that_lies_of_sizes_is_refused(tmp_path):
    path = zipped(tmp_path / "x.npz", [("x.npy", npy(X))], zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02") + 24  # the unfolded size in the directory
    for size in (10, 1000):
        content[place : place + 4] = struct.pack("<I", size)
        path.write_bytes(content)
        refused(read_npz, path, "cannot be read as .npz|bytes after its array")


def test_ways_of_packing_that_numpy_does_not_use_are_refused(tmp_path):
    path = zipped(tmp_path / "x.npz", [("x.npy", npy(X))], zipfile.ZIP_BZIP2)
    refused(read_npz, path, "is packed in a way that numpy does not write")


def test_an_array_called_header_may_be_data(tmp_path):
    path = tmp_path / "x.npz"
    for header in (np.arange(3), np.array("recorded on Monday"), np.array('{"rate": 32000}')):
        np.savez(path, header=header, x=X)
        assert np.array_equal(read_npz(path, key="x")[0], X)
    np.savez(path, header=X)
    assert np.array_equal(read_npz(path)[0], X)
    save_arrays(path, kind="rosetta", version=1, header={}, arrays=dict(x=X))
    for key in (None, "x"):
        refused(read_npz, path, "is a file of rvae_lite, not data: .* inspect", key=key)


def test_damaged_files_give_arrays_or_one_sentence(tmp_path):
    random = np.random.default_rng(0)
    zipped(tmp_path / "x.npz", [("x.npy", npy(X)), ("y.npy", npy(X))], zipfile.ZIP_DEFLATED)
    wholes = [(read_npy, npy(X)), (read_npz, (tmp_path / "x.npz").read_bytes())]
    for number in range(600):
        read, whole = wholes[number % 2]
        content = bytearray(whole[: random.integers(len(whole)) if number % 5 == 0 else None])
        for place in random.integers(0, max(len(content), 1), random.integers(1, 5)):
            content[place : place + 1] = bytes([random.integers(256)])
        path = tmp_path / "y"
        path.write_bytes(content)
        try:
            found = read(path) if read is read_npy else read(path, key="x")[0]
            assert found.dtype != object
        except (ValueError, OSError) as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("read", [read_npy, read_npz])
def test_what_is_no_regular_file_is_not_opened(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/dev/zero", tmp_path / "zero")
    for name in ("pipe", "zero"):
        refused(read, tmp_path / name, "is no regular file")
