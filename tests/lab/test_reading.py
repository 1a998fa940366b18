"""Data of every kind come out as the same arrays; what cannot be read is refused in a sentence."""

import os
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rvae_lite.lab.reading import Arrays, arranged, read_data
from rvae_lite.storage import save_arrays


def rows(num_data=5, dim=3):
    return np.random.default_rng(0).standard_normal((num_data, dim)).astype(np.float32)


def pictures(num_data=5, *shape):
    return (
        np.random.default_rng(0).integers(0, 256, (num_data, *(shape or (8, 6)))).astype(np.uint8)
    )


def write_images(folder, images, *, suffix=".png", mode=None):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        picture = Image.fromarray(image)
        (picture.convert(mode) if mode else picture).save(folder / f"image{number}{suffix}")


def write_arrays(folder, arrays):
    folder.mkdir()
    for number, array in enumerate(arrays):
        np.save(folder / f"array{number}.npy", array)


def test_every_kind_of_file_gives_the_same_rows(tmp_path):
    x = rows()
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "a.npz", x)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("deep/inside", data=x)
    pd.DataFrame(x, columns=["a", "b", "c"]).to_csv(tmp_path / "header.csv", index=False)
    pd.DataFrame(x).to_csv(tmp_path / "plain.csv", index=False, header=False)
    write_arrays(tmp_path / "one", x)
    write_arrays(tmp_path / "many", [x[:2], x[2:]])
    for name in ("a.npy", "a.npz", "a.h5", "header.csv", "plain.csv", "one"):
        found = read_data(tmp_path / name)
        assert found.x.dtype == np.float32
        assert np.allclose(found.x, x, atol=1e-7) and len(found.ids) == len(x)
    many = read_data(tmp_path / "many", per_file="many")
    assert np.array_equal(many.x, x)
    assert many.ids.tolist() == [f"array0.npy#{i}" for i in (0, 1)] + [
        f"array1.npy#{i}" for i in (0, 1, 2)
    ]


def test_images_become_channels_first_bytes(tmp_path):
    grey, colour = pictures(), pictures(5, 8, 6, 3)
    write_images(tmp_path / "grey", grey)
    write_images(tmp_path / "colour" / "inner", colour)
    assert np.array_equal(read_data(tmp_path / "grey").x, grey[:, None])
    found = read_data(tmp_path / "colour")
    assert np.array_equal(found.x, colour.transpose(0, 3, 1, 2))
    assert found.x.dtype == np.uint8 and found.ids[0] == "inner/image0.png"
    np.save(tmp_path / "last.npy", colour)
    assert np.array_equal(read_data(tmp_path / "last.npy").x, found.x)
    np.save(tmp_path / "flat.npy", grey)
    assert read_data(tmp_path / "flat.npy").x.shape == (5, 1, 8, 6)
    assert read_data(tmp_path / "flat.npy", images=False).x.shape == (5, 8, 6)


def test_grey_among_coloured_images_becomes_coloured_and_other_files_are_counted(tmp_path):
    write_images(tmp_path / "mixed", pictures(2, 8, 6, 3))
    write_images(tmp_path / "mixed", pictures(1), suffix=".jpg")
    (tmp_path / "mixed" / "notes.txt").write_text("hello")
    (tmp_path / "mixed" / ".hidden.png").write_text("no image")
    found = read_data(tmp_path / "mixed")
    assert found.x.shape == (3, 3, 8, 6)
    assert found.notes[0] == "1 other files in mixed were left out"


def test_one_array_or_some_columns_are_chosen_by_key(tmp_path):
    x = rows()
    np.savez(tmp_path / "a.npz", first=x, second=2 * x)
    assert np.array_equal(read_data(tmp_path / "a.npz", key="second").x, 2 * x)
    pd.DataFrame(x, columns=["a", "b", "c"]).assign(name="bird").to_csv(
        tmp_path / "a.csv", index=False
    )
    found = read_data(tmp_path / "a.csv", key="c, a")
    assert np.allclose(found.x, x[:, [2, 0]]) and found.names == ["c", "a"]
    assert read_data(tmp_path / "a.npz", key="first").names is None


def test_values_are_divided_by_the_scale_and_it_is_said(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0, 65535], [65535, 0]], dtype=np.uint16))
    found = read_data(tmp_path / "a.npy", value_scale=65535)
    assert found.x.tolist() == [[0, 1], [1, 0]]
    assert found.notes == ["values were divided by 65535"]


def refused(path, message, **options):
    with pytest.raises((ValueError, OSError), match=message) as caught:
        read_data(path, **options)
    assert "\n" not in str(caught.value)


SPOILT = {
    "missing.npy": (None, "there are no data at .*missing.npy: check the path"),
    "text.xyz": (b"hello", "is of no known kind: pass .npy, .npz, .csv"),
    "broken.npy": (b"hello", r"broken.npy cannot be read as .npy \(.*\): get a fresh copy of it"),
    "broken.npz": (b"PK hello", r"cannot be read as .npz \("),
    "broken.h5": (b"hello", r"cannot be read as HDF5 \("),
    "gaps.csv": (
        b"a,b\n1,2\n2,\n",
        r"has NaN or infinite values \(or empty cells\) in 1 examples, first in 1",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_files_are_refused(tmp_path, name):
    content, message = SPOILT[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


ARRAYS = {
    "integers": (
        np.arange(6).reshape(3, 2),
        r"holds int64 from 0 to 5, whose unit is not known: pass value_scale",
    ),
    "text": (np.array([["a", "b"], ["c", "d"]]), "holds <U1, no numbers"),
    "complex": (np.ones((3, 2), complex), "holds complex128, no numbers"),
    "infinite": (
        np.array([[1.0, 2.0], [np.inf, 1.0]]),
        "has NaN or infinite values .* first in 1: drop them",
    ),
    "flat": (np.ones(5), r"holds an array of shape \(5,\): examples are rows"),
    "single": (np.ones((1, 5)), "holds one example, at least 2 are needed"),
    "empty": (np.ones((0, 5)), r"holds an array of shape \(0, 5\)"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_no_data_are_refused(tmp_path, name):
    array, message = ARRAYS[name]
    np.save(tmp_path / "a.npy", array)
    refused(tmp_path / "a.npy", message)


def test_several_arrays_need_a_key_and_wrong_keys_name_the_right_ones(tmp_path):
    np.savez(tmp_path / "a.npz", one=rows(), two=rows())
    refused(tmp_path / "a.npz", "holds 2 arrays: choose one by key, of one, two")
    refused(
        tmp_path / "a.npz", "holds no array 'three': choose one by key, of one, two", key="three"
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("nothing")
    refused(tmp_path / "a.h5", "holds 0 arrays: choose one by key, of none")
    np.save(tmp_path / "a.npy", rows())
    refused(tmp_path / "a.npy", "is a single array: leave key out", key="one")


def test_pickles_are_refused_and_never_run(tmp_path):
    witness = tmp_path / "witness"

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(witness),))

    np.save(tmp_path / "a.npy", np.array([Payload(), 1], dtype=object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Payload()))
    refused(tmp_path / "a.npy", "holds pickled objects, which are never loaded: save numbers")
    refused(tmp_path / "b.npy", "cannot be read as .npy")
    assert not witness.exists()


def test_folders_of_several_shapes_or_kinds_are_refused(tmp_path):
    write_arrays(tmp_path / "shapes", [np.ones((4, 2)), np.ones((3, 2))])
    refused(tmp_path / "shapes", r"array0.npy: \(4, 2\) float64, .* or pass per_file='many'")
    write_arrays(tmp_path / "both", [np.ones((4, 2))])
    write_images(tmp_path / "both", pictures(1))
    refused(tmp_path / "both", "holds both images and .npy arrays: pass a folder of one kind")
    (tmp_path / "none").mkdir()
    refused(tmp_path / "none", "holds neither images .* nor .npy arrays")
    refused(tmp_path / "none", "per_file must be 'one' or 'many', not 'some'", per_file="some")


def test_pictures_of_several_sizes_are_to_be_resized(tmp_path):
    write_images(tmp_path / "sizes", [*pictures(1), *pictures(1, 9, 6)])
    message = r"several sizes \(image0.png: 8x6, image1.png: 9x6\): resize them to one$"
    refused(tmp_path / "sizes", message)


def test_images_that_are_none_or_too_deep_are_refused(tmp_path):
    write_images(tmp_path / "broken", pictures(1))
    (tmp_path / "broken" / "image1.png").write_bytes(b"hello")
    refused(tmp_path / "broken", "image1.png cannot be read as an image")
    write_images(tmp_path / "deep", [np.ones((4, 4), np.uint16)])
    refused(tmp_path / "deep", "has more than 8 bits a pixel: convert such images to arrays")


def test_a_scale_must_be_positive(tmp_path):
    refused(tmp_path, "value_scale must be a positive number, not 0", value_scale=0)


def test_our_own_files_are_not_data(tmp_path):
    path, header = tmp_path / "points.npz", dict(licence="CC0")
    save_arrays(path, kind="rosetta", version=1, header=header, arrays=dict(x=rows()))
    refused(tmp_path / "points.npz", "is a file of rvae_lite, not data: .* inspect")


def test_ink_on_nothing_and_turned_pictures_are_seen_as_a_viewer_shows_them(tmp_path):
    ink = np.zeros((2, 8, 8, 4), np.uint8)
    ink[:, 2:6, 2:6, 3] = 255
    write_images(tmp_path / "ink", ink)
    found = read_data(tmp_path / "ink")
    assert found.x.max() == 255 and found.x[:, :, 2:6, 2:6].max() == 0
    assert found.notes == ["2 of the pictures were transparent in places and put on white"]


UNSUITED = {
    "large": (
        np.r_[[[1e39, 1.0]], np.ones((3, 2))],
        r"x.npy has values up to 1e\+39, which do not",
    ),
    "offset": (rows().astype("f8") + 1e9, "x.npy has values near 1e.09 that vary by only"),
    "tiny": (rows().astype("f8") * 1e-50, "which float32 cannot hold"),
    "times": (10**12 + np.arange(8).reshape(4, 2), "x.npy has values near 1e.12 that vary by"),
}


@pytest.mark.parametrize("name", UNSUITED)
def test_values_that_float32_cannot_hold_are_refused(tmp_path, name):
    array, message = UNSUITED[name]
    np.save(tmp_path / "x.npy", array)
    refused(tmp_path / "x.npy", message, value_scale=None if array.dtype.kind == "f" else 1)


@pytest.mark.parametrize("kind", [">f8", "<f4", ">f4", "f2", "?", ">i2", "<u4", ">u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_every_kind_become_the_same_float32(tmp_path, monkeypatch, kind, order):
    monkeypatch.setattr("rvae_lite.lab.reading.BLOCK", 7)
    x = np.random.default_rng(0).integers(0, 2, (9, 3, 2))
    np.save(tmp_path / "x.npy", np.asarray(x.astype(kind), order=order))
    scale = None if np.dtype(kind).kind in "fb" else 1
    found = read_data(tmp_path / "x.npy", value_scale=scale).x
    assert found.dtype == np.dtype("f4") and found.flags.c_contiguous
    assert np.array_equal(found, x)
    assert np.array_equal(read_data(tmp_path / "x.npy", value_scale=4).x, x / 4)
    if np.dtype(kind).itemsize == 8:
        np.save(tmp_path / "x.npy", (1 + x).astype(kind) * 10**18)
        assert np.allclose(read_data(tmp_path / "x.npy", value_scale=1e18).x, 1 + x)


@pytest.mark.parametrize("shape", [(3, 3), (3, 9), (9, 3), (1, 9), (2, 2), (5, 4)])
def test_pictures_of_few_pixels_are_pictures_too(tmp_path, shape):
    grey, colours = pictures(3, *shape), pictures(3, *shape, 3)
    write_images(tmp_path / "grey", grey)
    write_images(tmp_path / "colours", colours)
    assert np.array_equal(read_data(tmp_path / "grey").x, grey[:, None])
    found = read_data(tmp_path / "colours")
    assert np.array_equal(found.x, colours.transpose(0, 3, 1, 2)) and found.notes == []


def test_masks_of_bytes_are_noted(tmp_path):
    note = "uint8 values reach only 1 of 255: pass value_scale=1"
    np.save(tmp_path / "x.npy", pictures() % 2)
    assert read_data(tmp_path / "x.npy").notes == [note]
    assert note not in read_data(tmp_path / "x.npy", value_scale=1).notes
    np.save(tmp_path / "x.npy", pictures() % 16)
    assert read_data(tmp_path / "x.npy").notes == [note.replace("1", "15", 1).replace("=1", "=15")]
    np.save(tmp_path / "x.npy", pictures() % 33)
    assert read_data(tmp_path / "x.npy").notes == []


SHAPES = {
    (5, 8, 6, 3): ((5, 3, 8, 6), "channels were moved before the pixels"),
    (5, 3, 8, 6): ((5, 3, 8, 6), None),
    (5, 3, 8, 3): ((5, 3, 8, 3), "the axes (3, 8, 3) of an example were taken as channels"),
    (5, 1, 8, 1): ((5, 1, 8, 1), "the axes (1, 8, 1) of an example were taken as channels"),
    (5, 8, 6, 4): ((5, 8, 6, 4), "the axes (8, 6, 4) of an example were taken as channels"),
    (5, 2, 2, 2, 2): ((5, 2, 2, 2, 2), None),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_taken_for_channels_is_noted_where_it_may_be_doubted(tmp_path, shape):
    expected, note = SHAPES[shape]
    np.save(tmp_path / "x.npy", pictures(*shape))
    found = read_data(tmp_path / "x.npy")
    assert found.x.shape == expected and len(found.notes) == (note is not None)
    assert note is None or found.notes[0].startswith(note)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".h5"])
def test_what_is_no_regular_file_is_never_opened(tmp_path, suffix):
    os.symlink("/dev/zero", tmp_path / f"zero{suffix}")
    os.mkfifo(tmp_path / f"pipe{suffix}")
    for name in ("zero", "pipe"):
        refused(tmp_path / f"{name}{suffix}", f"{name}{suffix} is no regular file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe.npy")
    os.symlink("/gone", tmp_path / "folder" / "gone.npy")
    write_arrays(tmp_path / "folder" / "inner", rows())
    os.symlink(tmp_path / "folder" / "inner", tmp_path / "folder" / "again")
    found = read_data(tmp_path / "folder")
    assert len(found.x) == 5 and found.notes == [
        "1 entries that are links to folders were left out: again",
        "2 entries that are broken links or no files were left out: gone.npy, pipe.npy",
    ]


def test_a_subfolder_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    write_arrays(tmp_path / "x", rows())
    write_arrays(tmp_path / "x" / "locked", rows())
    allowed = os.scandir

    def scandir(where):
        if str(where).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(where))
        return allowed(where)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match="locked may not be read: change its permissions"):
        read_data(tmp_path / "x")


def test_hidden_files_and_folders_are_left_out(tmp_path):
    write_arrays(tmp_path / "x", rows())
    write_arrays(tmp_path / "x" / ".Trash-0", rows())
    np.save(tmp_path / "x" / "._array0.npy", rows())
    found = read_data(tmp_path / "x")
    assert len(found.x) == 5 and found.notes == []


def test_names_are_told_and_kept_on_one_line_in_one_form(tmp_path):
    names = [b"a\x1b[2J\n.npy", b"b\xff.npy", "Ma\u0308nnchen.npy".encode()]
    for name, array in zip(names, rows(3), strict=True):
        np.save(tmp_path / os.fsdecode(name), array)
    ids = read_data(tmp_path).ids.tolist()
    assert sorted(ids) == ["Männchen.npy", r"a\x1b[2J\n.npy", r"b\udcff.npy"]
    (tmp_path / os.fsdecode(names[0])).write_bytes(b"hello")
    refused(tmp_path, r"a\\x1b\[2J\\n.npy cannot be read as .npy")


def test_notes_and_names_of_columns_are_told_on_one_line(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"], file["a\n\x1b[2Jb"] = rows(), h5py.ExternalLink("y.h5", "/x")
    (note,) = read_data(tmp_path / "x.h5").notes
    assert note == r"1 arrays that lie in other files were left out: a\n\x1b[2Jb"
    os.symlink("/gone", tmp_path / "a\nb.npy")
    np.save(tmp_path / "c.npy", rows())
    np.save(tmp_path / "d.npy", rows())
    assert all(note.isprintable() for note in read_data(tmp_path).notes)


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    np.save(tmp_path / "home" / "x.npy", rows())
    assert np.array_equal(read_data("~/x.npy").x, rows())
    (tmp_path / "~").mkdir()
    np.save(tmp_path / "~" / "x.npy", 2 * rows())
    assert np.array_equal(read_data("~/x.npy").x, 2 * rows())


def test_more_memory_is_asked_for_by_name(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", np.zeros((400, 1000)))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", (400, 1000), "f8")
    write_images(tmp_path / "x", np.zeros((4, 1000, 1000), np.uint8))
    monkeypatch.setattr("rvae_lite.readers.limits.FREE", 10**6)
    for name in ("x.npz", "x.h5", "x"):
        refused(tmp_path / name, "unfolds to 0.00.* GiB, the limit is .* GiB: pass memory=0.1 if")
        assert len(read_data(tmp_path / name, memory=0.1).x) in (4, 400)
    refused(tmp_path / "x", "memory must be a positive number of GiB, not -1", memory=-1)


def test_a_table_may_be_told_whether_its_first_row_is_a_header(tmp_path):
    (tmp_path / "x.csv").write_text("1.5,2.5\n3.5,1\n2,2.5\n")
    assert len(read_data(tmp_path / "x.csv", header=False).x) == 3
    found = read_data(tmp_path / "x.csv", header=True)
    assert len(found.x) == 2 and found.names == ["1.5", "2.5"]


def test_a_german_table_has_its_decimal_commas(tmp_path):
    (tmp_path / "x.csv").write_text("a;b\n1,5;2,5\n3,5;4,5\n1,0;2,0\n")
    found = read_data(tmp_path / "x.csv")
    assert found.x.tolist() == [[1.5, 2.5], [3.5, 4.5], [1, 2]] and found.names == ["a", "b"]


def test_columns_are_brought_into_the_order_of_the_points():
    examples = Arrays(np.arange(6.0).reshape(2, 3), np.array(["0", "1"]), [], ["c", "a", "b"])
    met = arranged(examples, dict(names=["a", "b", "c"]))
    assert met.x.tolist() == [[1, 2, 0], [4, 5, 3]] and met.names == ["a", "b", "c"]
    assert met.notes == ["columns were brought into the points' order: a, b, c"]
    for names in (None, ["a", "b"], ["a", "b", "d"], ["c", "a", "b"], "cab"):
        assert arranged(examples, dict(names=names)).x is examples.x


def test_other_units_than_the_makers_are_told():
    examples = Arrays(np.zeros((2, 3)), np.array(["0", "1"]), [])
    met = arranged(examples, dict(value_scale=65535), value_scale=255.0)
    assert met.notes == [
        "values were divided by 255 here, by 65535 where the points come from: same units?"
    ]
    assert arranged(examples, dict(value_scale=255), value_scale=255.0).notes == []


def test_memory_that_runs_out_is_told_with_the_file(tmp_path, monkeypatch):
    def exhausted(*given):
        raise MemoryError("Unable to allocate 128 MiB")

    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    monkeypatch.setattr("rvae_lite.lab.reading._in_units", exhausted)
    with pytest.raises(MemoryError, match=r"x\.npy needs more memory than there is .*: read it in"):
        read_data(tmp_path / "x.npy")


@pytest.mark.parametrize("value_scale", ["255", True, -1, np.nan])
def test_a_value_scale_that_is_no_positive_number_is_refused(tmp_path, value_scale):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    with pytest.raises(ValueError, match="value_scale must be a positive number, not "):
        read_data(tmp_path / "x.npy", value_scale=value_scale)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_values_that_overflow_when_they_are_divided_are_refused(tmp_path, kind):
    np.save(tmp_path / "x.npy", np.full((3, 2), 1e30, kind))
    with pytest.raises(ValueError, match="x.npy has values that no float holds in these units"):
        read_data(tmp_path / "x.npy", value_scale=1e-300)


def test_an_option_of_another_kind_of_file_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    with pytest.raises(ValueError, match="x.npy is no table: leave header out"):
        read_data(tmp_path / "x.npy", header=True)
    with pytest.raises(ValueError, match="is a folder: leave key out"):
        read_data(tmp_path, key="x")


def test_one_name_in_two_forms_of_unicode_is_refused(tmp_path):
    write_images(tmp_path / "own", pictures(2))
    first, second = sorted((tmp_path / "own").iterdir())
    first.rename(first.with_name("a\u0308.png"))
    second.rename(first.with_name("\u00e4.png"))
    with pytest.raises(ValueError, match="holds two files .*, in two forms of Unicode: rename one"):
        read_data(tmp_path / "own")


def test_matlabs_order_of_images_is_noted(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((8, 8, 50)))
    note = "the first of the axes (8, 8, 50) was taken for the examples"
    assert read_data(tmp_path / "x.npy").notes == [note]


@pytest.mark.parametrize("theirs", [["a", "b", "d"], ["b", "A"], ["a", "a"]])
def test_columns_of_other_names_are_noted(theirs):
    own = Arrays(np.ones((2, len(theirs))), np.arange(2), [], ["a", "b", "c"][: len(theirs)])
    (note,) = arranged(own, dict(names=theirs, value_scale="x"), value_scale=2.0).notes
    here, there = ", ".join(own.names), ", ".join(theirs)
    told = f"columns are called {here} here, {there} where the points come from"
    assert note == f"{told}: same features, in the same order?"
