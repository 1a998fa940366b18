"""HDF5 is read without leaving the file, within a limit of memory and time, whatever the damage."""

import io
import os

import h5py
import numpy as np
import pytest

from rvae_lite.birdsong.ava import read_ava
from rvae_lite.readers import hdf5
from rvae_lite.readers.hdf5 import read_hdf5, read_hdf5_files

X = np.random.default_rng(0).normal(size=(20, 5))


def written(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def refused(path, message, **options):
    with pytest.raises(ValueError, match=message) as caught:
        read_hdf5(path, **options)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


@pytest.fixture
def linked(tmp_path):
    """A file with an array in a group, links to it of every kind, and a circle of groups."""
    written(tmp_path / "other.h5", secret=X)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["group/x"] = X
        file["group/back"] = file["/"]
        file["soft"], file["group/near"] = h5py.SoftLink("/group/x"), h5py.SoftLink("x")
        file["over"] = h5py.SoftLink("/soft")
        file["circle"], file["nothing"] = h5py.SoftLink("/circle"), h5py.SoftLink("/gone")
        file["away"] = h5py.ExternalLink("other.h5", "/secret")
        file["bent"] = h5py.SoftLink("/away")
    return tmp_path / "x.h5"


def test_the_only_array_of_its_own_is_read_and_links_to_others_are_noted(linked):
    found, notes = read_hdf5(linked)
    assert np.array_equal(found, X)
    assert notes == ["1 arrays that lie in other files were left out: away"]


@pytest.mark.parametrize(
    "key", ["group/x", "/group/x/", "soft", "over", "group/near", "group/back/group/x", "./soft"]
)
def test_links_that_stay_in_the_file_are_followed(linked, key):
    assert np.array_equal(read_hdf5(linked, key=key)[0], X)


def test_links_that_lead_nowhere_or_round_are_refused(linked):
    refused(linked, "holds no array 'nothing': choose one by key, of group/x", key="nothing")
    refused(linked, "holds no array 'group': choose one by key, of group/x", key="group")
    refused(linked, "holds no array 'soft/x'", key="soft/x")
    refused(linked, "has a circle of links at circle: name the array itself", key="circle")


@pytest.mark.parametrize("key", ["away", "bent", "group/back/away"])
def test_links_to_other_files_are_not_followed(linked, key):
    refused(linked, f"has {key} in another file, which is not followed: copy it", key=key)


def test_bytes_of_other_files_are_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(X.tobytes())
    with h5py.File(tmp_path / "x.h5", "w") as file:
        place = [(str(tmp_path / "secret"), 0, X.nbytes)]
        file.create_dataset("x", shape=X.shape, dtype="f8", external=place)
    refused(tmp_path / "x.h5", "has x in another file, which is not followed")
    refused(tmp_path / "x.h5", "has x in another file, which is not followed", key="x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_virtual_array_is_refused_and_its_source_never_opened(tmp_path):
    os.mkfifo(tmp_path / "source.h5")  # whoever opens it waits for ever
    layout = h5py.VirtualLayout(X.shape, "f8", maxshape=(None, 5))
    layout[:] = h5py.VirtualSource(str(tmp_path / "source.h5"), "x", X.shape)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    refused(tmp_path / "x.h5", "has x in another file, which is not followed")
    refused(tmp_path / "x.h5", "has x in another file, which is not followed", key="x")


def test_nested_groups_end_at_once(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file
        for _ in range(3000):
            group = group.create_group("g")
        group["x"] = X
    refused(tmp_path / "x.h5", "holds more than 10000 objects or groups nested 32 deep: name an")
    assert np.array_equal(read_hdf5(tmp_path / "x.h5", key="g/" * 3000 + "x")[0], X)


def test_fill_values_count_as_what_they_unfold_to(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", shape=(10**9,), dtype="f8", fillvalue=1, chunks=(1000,))
        file.create_dataset("y", shape=(10**5, 10**9), dtype="f8", chunks=(1000, 1000))
        chunks = dict(maxshape=(None, None), chunks=(10**5, 5000), compression="gzip")
        file.create_dataset("z", shape=(2, 2), dtype="f8", **chunks)
    message = "unfolds to 7.45 GiB, the limit is 0.5 GiB: pass memory=7.5 if you trust it"
    refused(tmp_path / "x.h5", message, key="x")
    refused(tmp_path / "x.h5", "unfolds to 7.45e.05 GiB", key="y")
    refused(tmp_path / "x.h5", "unfolds to 3.73 GiB, the limit is 0.5 GiB", key="z")
    refused(tmp_path / "x.h5", "the limit is 2 GiB", key="x", memory=2)


def test_what_is_no_array_of_numbers_is_refused(tmp_path):
    texts, table = np.array(["a", "bb"], object), np.zeros(3, [("a", "f4"), ("b", "i4")])
    path = written(tmp_path / "x.h5", texts=texts, table=table, nothing=h5py.Empty("f4"), x=X)
    with h5py.File(path, "r+") as file:
        file["references"] = np.array([file["x"].ref] * 2, dtype=h5py.ref_dtype)
    refused(path, "holds object at texts: write numbers, or texts of one length", key="texts")
    refused(path, "holds a table at table: write numbers", key="table")
    refused(path, "holds object at references: write numbers", key="references")
    refused(path, "holds nothing at nothing: write the array into it", key="nothing")


@pytest.mark.parametrize(
    "array",
    [X, X.astype(">f4"), X > 0, X.astype("f2"), X.astype("u1"), np.float64(3), X[:0], X + 1j],
)
def test_arrays_of_every_kind_arrive_as_they_are(tmp_path, array):
    found, _ = read_hdf5(written(tmp_path / "x.h5", x=array))
    assert found.dtype == np.asarray(array).dtype and np.array_equal(found, array)


def test_large_arrays_arrive_in_blocks(tmp_path):
    x = np.arange(6_000_000.0).reshape(3000, 2000)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=x, chunks=(700, 300))
    assert np.array_equal(read_hdf5(tmp_path / "x.h5")[0], x)


def test_one_process_reads_many_files(tmp_path):
    paths = [written(tmp_path / f"{i}.h5", x=X + i, y=X[i:]) for i in range(3)]
    with h5py.File(paths[1], "r+") as file:
        del file["y"]
        file.attrs["told"] = "so"
    found = list(read_hdf5_files(paths, keys=["x", "y"], attribute="told"))
    assert [path for path, _, _ in found] == paths
    assert [sorted(arrays) for _, arrays, _ in found] == [["x", "y"], ["x"], ["x", "y"]]
    assert all(np.array_equal(arrays["x"], X + i) for i, (_, arrays, _) in enumerate(found))
    assert [attribute for _, _, attribute in found] == [None, "so", None]
    assert list(read_hdf5_files([], keys=["x"])) == []


def test_avas_files_point_nowhere_and_unfold_to_no_more_than_the_limit(tmp_path):
    arrays = dict(onsets=[0.1], offsets=[0.2], audio_filenames=np.array([b"a.wav"]))
    path = written(tmp_path / "syllables_0000.hdf5", **arrays)
    with h5py.File(path, "r+") as file:
        file["specs"] = h5py.ExternalLink("other.hdf5", "/specs")
    with pytest.raises(ValueError, match="0000.hdf5 has specs in another file, which is not foll"):
        read_ava(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["specs"]
        file.create_dataset("specs", (1, 10**5, 10**5), "f4", chunks=(1, 100, 100), fillvalue=0.5)
    with pytest.raises(ValueError, match="0000.hdf5 unfolds to 37.3 GiB, the limit is 0.5 GiB"):
        read_ava(tmp_path)


def script(tmp_path, monkeypatch, text):
    """Let another script take the place of the reader."""
    (tmp_path / "script.py").write_text(text)
    monkeypatch.setattr(hdf5, "WORKER", tmp_path / "script.py")


def test_a_reader_that_dies_or_hangs_is_one_sentence(tmp_path, monkeypatch):
    path = written(tmp_path / "x.h5", x=X)
    message = r"x.h5 cannot be read as HDF5 \(the library of HDF5 failed or took too long, status -"
    script(tmp_path, monkeypatch, "import os; os.kill(os.getpid(), 11)")
    refused(path, message)
    monkeypatch.setattr(hdf5, "SECONDS", 0.5)
    script(tmp_path, monkeypatch, "import time; time.sleep(1000)")
    refused(path, message)


def test_what_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"hello")
    refused(tmp_path / "x.h5", r"cannot be read as HDF5 \(.*\): get a fresh copy of it")
    with pytest.raises(FileNotFoundError, match="there is no file at .*y.h5: check the path"):
        read_hdf5(tmp_path / "y.h5")
    with pytest.raises(ValueError, match=" is no regular file"):
        read_hdf5(os.devnull)


def test_damaged_files_give_arrays_or_one_sentence(tmp_path):
    random, buffer = np.random.default_rng(0), io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("x", data=X, chunks=(4, 5), compression="gzip", shuffle=True)
        file["y"], file["name"] = X, np.array([b"a"] * 3)
    whole, paths = buffer.getvalue(), []
    for number in range(12):
        content = bytearray(whole[: random.integers(len(whole)) if number % 3 == 0 else None])
        for place in random.integers(0, len(content), random.integers(1, 5)):
            content[place] = random.integers(256)
        (tmp_path / f"{number}.h5").write_bytes(content)
        paths.append(tmp_path / f"{number}.h5")
    while paths:
        try:
            for path, arrays, _ in read_hdf5_files(paths, keys=["x", "y", "name"]):
                assert set(arrays) <= {"x", "y", "name"}
                paths = paths[paths.index(path) + 1 :]
        except ValueError as error:
            assert "\n" not in str(error)
            assert str(error).startswith(str(paths[0]))
            paths = paths[1:]


def test_an_array_of_many_chunks_that_were_never_written_is_refused_at_once(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", (2**20, 4), "f8", fillvalue=1.0, chunks=(1, 4))
    with pytest.raises(ValueError, match="has 1048576 chunks at x, most of them never written"):
        read_hdf5(tmp_path / "x.h5")


def attributed(path, array, **attributes):
    with h5py.File(path, "w") as file:
        file["x"] = array
        file["x"].attrs.update(attributes)
    return path


def test_what_matlab_wrote_is_turned_as_matlab_shows_it(tmp_path):
    x = np.arange(24.0).reshape(2, 3, 4)
    path = attributed(tmp_path / "x.h5", x, MATLAB_class=np.bytes_("double"))
    found, notes = read_hdf5(path)
    assert np.array_equal(found, x.T)
    assert notes == ["the axes were put into MATLAB's order, (4, 3, 2)"]
    mask = (x % 2).astype(np.uint8)
    path = attributed(tmp_path / "y.h5", mask, MATLAB_class=np.bytes_("logical"))
    assert np.array_equal(read_hdf5(path)[0], mask.T.astype(bool))


def test_packed_and_missing_values_of_netcdf_are_refused(tmp_path):
    refused(
        attributed(tmp_path / "x.h5", X, scale_factor=0.1),
        r"x.h5 is packed at x \(scale_factor, add_offset\): unpack it, and write it as floats",
    )
    holes = np.where(X > 1, -999.0, X)
    refused(
        attributed(tmp_path / "y.h5", holes, _FillValue=[-999.0]),
        rf"y.h5 has {(X > 1).sum()} missing values \(-999\) at x: drop their examples",
    )
    plain = dict(scale_factor=1.0, add_offset=0, _FillValue=np.nan)
    assert np.array_equal(read_hdf5(attributed(tmp_path / "z.h5", X, **plain))[0], X)


def test_an_array_in_one_piece_stays_in_the_file(tmp_path):
    path = written(tmp_path / "x.h5", a=X, b=X[:3])
    with h5py.File(path, "r+") as file:
        file.create_dataset("packed", data=X, chunks=(5, 5), compression="gzip")
        file.create_dataset("unwritten", (4, 4), np.float32)
        file["turned"] = X.astype(">f8")
    keys = ["a", "b", "packed", "unwritten", "turned", "absent"]
    ((_, arrays, _),) = read_hdf5_files([path], keys=keys, mapped=keys)
    mapped = {key for key, array in arrays.items() if isinstance(array, np.memmap)}
    assert mapped == {"a", "b"} and list(arrays) == keys[:-1]
    for key in ("a", "packed", "turned"):
        assert np.array_equal(arrays[key], X)
    assert np.array_equal(arrays["b"], X[:3]) and not arrays["unwritten"].any()
    ((_, arrays, _),) = read_hdf5_files([path], keys=keys, needed=("a", "absent"))
    assert arrays == {}


def test_an_array_that_the_file_is_too_short_for_is_refused(tmp_path):
    path = written(tmp_path / "x.h5", a=X)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(X.tobytes()) + 100])
    with pytest.raises(ValueError, match="x.h5 cannot be read as HDF5"):
        list(read_hdf5_files([path], keys=["a"], mapped=["a"]))


def test_numbers_that_numpy_has_not_are_converted_instead_of_mapped(tmp_path):
    bfloat16 = h5py.h5t.IEEE_F32LE.copy()  # 8 bits of exponent, 7 of mantissa
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_size(2)
    values = np.array([0.0, 0.5, 1.0, -2.0, 2.0**100], np.float32)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        space = h5py.h5s.create_simple(values.shape)
        h5py.h5d.create(file.id, b"a", bfloat16, space).write(space, space, values)
    ((_, arrays, _),) = read_hdf5_files([tmp_path / "x.h5"], keys=["a"], mapped=["a"])
    assert not isinstance(arrays["a"], np.memmap)
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(arrays["a"], file["a"][()])
    assert arrays["a"][:4].tolist() == values[:4].tolist()


@pytest.mark.parametrize("way", ["replaced", "written"])
def test_a_file_that_changes_under_the_reader_is_refused(tmp_path, monkeypatch, way):
    path, other = written(tmp_path / "x.h5", a=X), written(tmp_path / "y.h5", a=X + 1)
    line = hdf5._line

    def changed(*arguments):
        told = line(*arguments)
        if way == "replaced":
            os.replace(other, path)
        else:
            path.write_bytes(other.read_bytes() + b"more")
        return told

    monkeypatch.setattr(hdf5, "_line", changed)
    with pytest.raises(ValueError, match="x.h5 was replaced or written while it was read: try ag"):
        list(read_hdf5_files([path], keys=["a"], mapped=["a"]))
