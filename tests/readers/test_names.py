"""Ids of examples are found in tables, HDF5 and .npz, and nowhere else."""

import h5py
import numpy as np
import pytest

from rvae_lite.readers.names import names_in

IDS = ["a1", "b2", "c3"]


def write_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("id,u,v\na1,1,2\nb2,3,4\nc3,5,6\n", ["u", "v"]),
        ("u;IDs;v\n1,5;a1;2\n3;b2;4\n5;c3;6\n", ["u", "v"]),
        (",u,v\na1,1,2\nb2,3,4\nc3,5,6\n", ["u", "v"]),  # as pandas writes an index
    ],
)
def test_a_tables_ids_are_in_a_column_of_that_name_or_the_first_without_one(tmp_path, text, others):
    (tmp_path / "t.csv").write_text(text)
    found = names_in(tmp_path / "t.csv")
    assert found.ids.tolist() == IDS and found.others == others


@pytest.mark.parametrize(
    "text",
    ["u,v\n1,2\n3,4\n", ",u\n0,1\n1,2\n", "id,ids,u\n1,2,3\n4,5,6\n", '"a\nb",u\n1,2\n3,4\n'],
)
def test_a_table_without_such_a_column_has_none(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    assert names_in(tmp_path / "t.csv").ids is None


def test_arrays_called_ids_name_the_examples_of_hdf5_and_npz(tmp_path):
    path = write_hdf5(tmp_path / "t.h5", ids=np.array(IDS, "S"), z=np.ones((3, 2)), more=[1])
    found = names_in(path, beside=("z", "means"))
    assert found.ids.tolist() == IDS and found.others == ["z"]
    np.savez(tmp_path / "t.npz", id=[3, 1, 2], z=np.ones((3, 2)))
    found = names_in(tmp_path / "t.npz")
    assert found.ids.tolist() == ["3", "1", "2"] and found.others == ["z"]


def test_other_files_have_none(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3))
    np.savez(tmp_path / "x.npz", z=np.ones(3))
    assert names_in(tmp_path / "x.npy").ids is None
    assert names_in(tmp_path / "x.npz").ids is None
    assert names_in(write_hdf5(tmp_path / "x.h5", z=np.ones(3))).ids is None


def test_ids_that_are_no_list_are_refused(tmp_path):
    np.savez(tmp_path / "t.npz", ids=np.ones((3, 2)), z=np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"t.npz has ids of shape \(3, 2\): write one per example"):
        names_in(tmp_path / "t.npz")
