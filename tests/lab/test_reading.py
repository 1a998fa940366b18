"""Data of every kind come out as the same arrays; what cannot be read is refused in a sentence."""

import os
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rvae_lite.lab.reading import read_data


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
    assert np.allclose(read_data(tmp_path / "a.csv", key="c, a").x, x[:, [2, 0]])


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
    "broken.h5": (b"hello", r"cannot be read as .h5 \("),
    "empty.csv": (b"", r"cannot be read as .csv \("),
    "words.csv": (
        b"a,b\n1,x\n2,y\n",
        r"has columns that are no numbers \(b\): choose the columns by key",
    ),
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
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    refused(tmp_path / "a.csv", "has no columns c: it has a, b", key="a,c")


def test_pickles_are_refused_and_never_run(tmp_path):
    witness = tmp_path / "witness"

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(witness),))

    np.save(tmp_path / "a.npy", np.array([Payload(), 1], dtype=object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Payload()))
    refused(tmp_path / "a.npy", "cannot be read as .npy")
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


def test_images_that_are_none_or_too_deep_are_refused(tmp_path):
    write_images(tmp_path / "broken", pictures(1))
    (tmp_path / "broken" / "image1.png").write_bytes(b"hello")
    refused(tmp_path / "broken", "image1.png cannot be read as an image")
    write_images(tmp_path / "deep", [np.ones((4, 4), np.uint16)])
    refused(tmp_path / "deep", "has more than 8 bits a pixel: convert such images to arrays")


def test_a_scale_must_be_positive(tmp_path):
    refused(tmp_path, "value_scale must be a positive number, not 0", value_scale=0)


def test_our_own_files_are_not_data(tmp_path):
    np.savez(tmp_path / "points.npz", header=np.array("{}"), x=rows())
    refused(tmp_path / "points.npz", "is a file of rvae_lite, not data: .* inspect")
