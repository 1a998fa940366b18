import contextlib
import json

import h5py
import numpy as np
import pytest
from aviary import SMALL, write_bird

from rvae_lite.birdsong.ava import read_ava, write_ava
from rvae_lite.birdsong.syllables import load_birds


@pytest.fixture
def syllables(tmp_path):
    return load_birds(dict(ann=write_bird(tmp_path / "songs")), spec=SMALL, progress=False)  # six


@pytest.fixture
def folder(tmp_path, syllables):
    write_ava(tmp_path / "ava", syllables, per_file=4)
    return tmp_path / "ava"


def change(path, key, value):
    """Put another array into a file, or none."""
    with h5py.File(path, "r+") as file:
        del file[key]
        if value is not None:
            file[key] = value


def test_files_are_laid_out_as_avas(folder, syllables):
    assert sorted(path.name for path in folder.iterdir()) == [
        "syllables_0000.hdf5",
        "syllables_0001.hdf5",
    ]
    with h5py.File(folder / "syllables_0000.hdf5", "r") as file:
        assert set(file) == {"specs", "onsets", "offsets", "audio_filenames"}
        assert (
            file["specs"].shape == (4, 16, 20)
            and 0 <= file["specs"][()].min() <= file["specs"][()].max() <= 1
        )
        assert (file["specs"][()] == syllables.spectrograms[:4, 0]).all()
        assert (
            file["onsets"].dtype == np.float64
            and (file["onsets"][()] == syllables.onsets[:4]).all()
        )
        assert (file["offsets"][()] == syllables.offsets[:4]).all()
        assert file["audio_filenames"].dtype.kind == "S"
        assert file["audio_filenames"][()].tolist() == [b"s0.wav"] * 3 + [b"s1.wav"]
        assert json.loads(file.attrs["preprocessing"]) == syllables.info["preprocessing"]
    with h5py.File(folder / "syllables_0001.hdf5", "r") as file:
        assert file["specs"].shape == (2, 16, 20)


def test_what_was_written_is_read_again_with_a_short_last_file(folder, syllables):
    read = read_ava(folder, bird="ann")
    for name in ("spectrograms", "onsets", "offsets", "files", "birds"):
        assert (getattr(read, name) == getattr(syllables, name)).all(), name
    assert read.spectrograms.dtype == np.float32
    assert read.ids[[0, 5]].tolist() == ["ann/syllables_0000.hdf5:0", "ann/syllables_0001.hdf5:1"]
    assert read.labels.tolist() == [""] * 6
    assert read.info["preprocessing"] == syllables.info["preprocessing"] and read.info[
        "value_range"
    ] == (0.0, 1.0)
    assert read_ava(folder).birds.tolist() == ["ava"] * 6


def test_other_names_than_english_ones_survive(tmp_path, syllables):
    named = syllables._replace(files=np.array(["Zebrafink ä.wav"] * 6))
    write_ava(tmp_path / "ava", named)
    assert read_ava(tmp_path / "ava").files.tolist() == ["Zebrafink ä.wav"] * 6


def test_avas_own_files_have_no_settings_but_the_caller_may_know_them(folder):
    for path in folder.iterdir():
        with h5py.File(path, "r+") as file:
            del file.attrs["preprocessing"]
            specs = file["specs"][()].astype(np.float64)
        change(path, "specs", specs)
    assert "preprocessing" not in read_ava(folder).info
    read = read_ava(folder, preprocessing=SMALL.as_dict())
    assert read.info["preprocessing"] == SMALL.as_dict() and read.spectrograms.dtype == np.float32


def test_settings_that_contradict_each_other_are_refused(folder):
    assert len(read_ava(folder, preprocessing=SMALL.as_dict()).ids) == 6
    message = "syllables_0000.hdf5 has other settings than the argument preprocessing "
    message += ".axis: 'mel' against 'linear'"
    with pytest.raises(ValueError, match=message):
        read_ava(folder, preprocessing=SMALL._replace(axis="linear").as_dict())
    with h5py.File(folder / "syllables_0001.hdf5", "r+") as file:
        file.attrs["preprocessing"] = json.dumps(SMALL._replace(hop=128).as_dict())
    with pytest.raises(
        ValueError,
        match="has other settings than .*0001.hdf5 .hop: 256 against 128.: keep them apart",
    ):
        read_ava(folder)


def spoiled(value):
    specs = np.full((2, 16, 20), 0.5)
    specs[1, 3, 4] = value
    return specs


BAD = [
    ("specs", None, "0001.hdf5 has no 'specs': is it one of AVA's files of syllables?"),
    ("onsets", None, "0001.hdf5 has no 'onsets'"),
    ("audio_filenames", None, "0001.hdf5 has no 'audio_filenames'"),
    (
        "offsets",
        np.ones(3),
        r"0001.hdf5 has arrays of unequal lengths \(2 specs, 2 onsets, 3 offsets, 2 audio_filena",
    ),
    (
        "specs",
        spoiled(np.nan),
        "0001.hdf5, row 1 of 1 such: the syllable has NaN or infinite values",
    ),
    (
        "specs",
        spoiled(1.01),
        r"0001.hdf5, row 1 of 1 such: the syllable has values outside \[0, 1\]: normalise it",
    ),
    ("specs", spoiled(-0.1), "0001.hdf5, row 1 of 1 such: the syllable has values outside"),
    (
        "offsets",
        np.array([9.0, 0.0]),
        "0001.hdf5, row 1 of 1 such: the syllable has an onset that is not before",
    ),
    (
        "specs",
        np.ones((2, 320)),
        r"0001.hdf5: specs must be \(n, num_freqs, num_times\) floats, not float64 of shape",
    ),
    ("specs", np.ones((2, 16, 20), int), "0001.hdf5: specs must be .* floats, not int64"),
    (
        "specs",
        np.ones((2, 16, 16)),
        "0001.hdf5: its spectrograms are 16x16, those of syllables_0000.hdf5 16x20",
    ),
]


@pytest.mark.parametrize("key, value, message", BAD)
def test_a_bad_file_is_named_with_its_row_or_key(folder, key, value, message):
    change(folder / "syllables_0001.hdf5", key, value)
    with pytest.raises(ValueError, match=message):
        read_ava(folder)


def test_a_file_cut_off_is_named(folder):
    path = folder / "syllables_0001.hdf5"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        ValueError, match=r"0001.hdf5 cannot be read as HDF5 .*: get a fresh copy of it"
    ):
        read_ava(folder)


def test_a_folder_without_files_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            FileNotFoundError,
            match="there are no .hdf5 files in .*: name the folder with syllables",
        ):
            read_ava(folder)


def test_files_already_there_are_neither_mixed_nor_overwritten(folder, syllables):
    with pytest.raises(
        FileExistsError, match="ava holds syllables_0000.hdf5 already: choose an empty folder"
    ):
        write_ava(folder, syllables)


@pytest.mark.parametrize("per_file", [0, 2.5, True])
def test_the_number_in_a_file_is_a_positive_integer(tmp_path, syllables, per_file):
    with pytest.raises(ValueError, match="per_file must be a positive integer"):
        write_ava(tmp_path / "new", syllables, per_file=per_file)


def test_an_interrupted_write_leaves_no_half_file(tmp_path, syllables, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rvae_lite.publishing.os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_ava(tmp_path / "full", syllables)
    assert list((tmp_path / "full").iterdir()) == []


def test_a_file_name_that_is_no_utf8_is_named_with_its_row(folder):
    names = np.array([b"one.wav", b"M\xe4nnchen.wav"])
    change(folder / "syllables_0001.hdf5", "audio_filenames", names)
    message = "0001.hdf5, row 1: the name of the sound file, .* is no UTF-8: write it again"
    with pytest.raises(ValueError, match=message):
        read_ava(folder)


@pytest.mark.parametrize(
    "text", ["[1]", "{", "5", b"\xff", "[" * 100_000, 3, np.ones(2), '{"a": NaN}']
)
def test_settings_that_are_no_json_object_are_refused(folder, text):
    with h5py.File(folder / "syllables_0001.hdf5", "r+") as file:
        del file.attrs["preprocessing"]
        with contextlib.suppress(ValueError, OSError):  # too long for an attribute
            file.attrs["preprocessing"] = text
        if "preprocessing" not in file.attrs:
            pytest.skip("HDF5 does not keep it")
    message = "0001.hdf5: its attribute preprocessing is no JSON object of settings .*: delete it"
    with pytest.raises(ValueError, match=message) as caught:
        read_ava(folder)
    assert "\n" not in str(caught.value)


TEXTS = np.array(["a", "b"], object)
ODD = [
    ("audio_filenames", np.arange(2), "audio_filenames must be .n,. text, not int64"),
    ("audio_filenames", np.array([[b"a"], [b"b"]]), "audio_filenames must be .n,. text"),
    ("onsets", TEXTS, "holds object at onsets: write numbers, or texts of one length"),
    ("onsets", np.array([b"a", b"b"]), "onsets must be .n,. numbers, seconds, not .S1"),
    ("offsets", np.ones((2, 2)), "offsets must be .n,. numbers, seconds, not float64 of shape"),
    ("offsets", np.array([1j, 2j]), "offsets must be .n,. numbers"),
    ("onsets", np.array([0.1, -np.inf]), "row 1 of 1 such: the syllable has an infinite time"),
    ("specs", np.ones((2, 0, 20)), "specs must be .n, num_freqs, num_times. floats, not float64"),
    ("specs", TEXTS, "holds object at specs: write numbers, or texts of one length"),
]


@pytest.mark.parametrize("key, value, message", ODD)
def test_arrays_of_other_types_and_shapes_are_refused(folder, key, value, message):
    change(folder / "syllables_0001.hdf5", key, value)
    with pytest.raises(ValueError, match=f"0001.hdf5.*{message}"):
        read_ava(folder)
