"""Syllables that are streamed into a file are those that are loaded at once."""

import json

import h5py
import numpy as np
import pytest
from aviary import SMALL, write_bird, write_wav

from rvae_lite.birdsong import streaming
from rvae_lite.birdsong.ava import read_ava, read_file, write_ava
from rvae_lite.birdsong.streaming import Stream, stream_ava, stream_birds
from rvae_lite.birdsong.syllables import load_birds
from rvae_lite.publishing import publish

QUIET = dict(spec=SMALL, progress=False, workers=2)


@pytest.fixture
def birds(tmp_path):
    return dict(
        ann=write_bird(tmp_path / "ann", songs=5), bob=write_bird(tmp_path / "bob", gain=0.05)
    )


def streamed(folder, birds, name="out.h5", **options):
    with Stream(folder, np.float32) as stream:
        stream_birds(stream, birds, **QUIET | options)
        publish({folder / name: stream.write}, replace=True)
    return folder / name


def test_the_file_holds_what_load_birds_gives(tmp_path, birds, monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK", 1000)  # three syllables
    loaded, read = load_birds(birds, **QUIET), read_file(streamed(tmp_path, birds))
    for name in ("labels", "ids", "birds", "onsets", "offsets", "files"):
        assert (getattr(loaded, name) == getattr(read, name)).all(), name
    assert read.spectrograms.dtype == np.float16 and read.spectrograms.shape == (21, 1, 16, 20)
    assert np.abs(loaded.spectrograms - read.spectrograms).max() <= 2**-11
    own, theirs = (each.info["preprocessing"] for each in (loaded, read))
    assert own.keys() == theirs.keys()
    for bird, ends in own["normalisation"].items():
        assert theirs["normalisation"][bird] == pytest.approx(ends, rel=1e-6)
    assert isinstance(read.spectrograms, np.memmap)


def test_the_layout_is_avas_and_the_numbers_lie_in_one_piece(tmp_path, birds):
    with h5py.File(streamed(tmp_path, birds), "r") as file:
        assert set(file) == {
            *("specs", "onsets", "offsets", "audio_filenames"),
            *("labels", "ids", "birds"),
        }
        assert file["specs"].shape == (21, 16, 20) and file["specs"].chunks is None
        assert file["specs"].id.get_offset() is not None
        assert json.loads(file.attrs["preprocessing"])["num_times"] == 20
    (tmp_path / "out.h5").rename(tmp_path / "out.hdf5")  # AVA's own ending
    assert read_ava(tmp_path).birds.tolist() == ["ann"] * 15 + ["bob"] * 6


def test_the_same_sound_gives_the_same_bytes_from_a_cache_too(tmp_path, birds):
    files = [streamed(tmp_path, birds, f"{i}.h5", cache=tmp_path / "cache") for i in range(2)]
    files.append(streamed(tmp_path, birds, "other.h5", workers=1))
    assert len({path.read_bytes() for path in files}) == 1


def test_a_fixed_range_serves_all_birds(tmp_path, birds):
    spec = SMALL._replace(log_range=(2.0, 6.5))
    read = read_file(streamed(tmp_path, birds, spec=spec))
    assert read.info["preprocessing"]["normalisation"] == dict(ann=[2.0, 6.5], bob=[2.0, 6.5])
    loaded = load_birds(birds, **QUIET | dict(spec=spec))
    assert np.abs(read.spectrograms - loaded.spectrograms).max() <= 2**-11


def test_problems_are_counted_or_refused_and_a_bird_without_syllables_is_named(tmp_path, birds):
    (birds["ann"] / "s1.wav").write_bytes(b"no sound")
    with Stream(tmp_path, np.float32) as stream:
        with pytest.raises(ValueError, match="1 problem with the songs: .*s1.wav cannot be read"):
            stream_birds(stream, birds, **QUIET)
        assert [problem.count for problem in stream.problems] == [3]
    with Stream(tmp_path, np.float32) as stream:
        with pytest.warns(UserWarning, match="left out .unusable recording: 3"):
            stream_birds(stream, birds, on_problem="skip", **QUIET)
        assert stream.info["skipped"] == {"unusable recording": 3} and len(stream) == 18
    for i in range(2):
        write_wav(birds["bob"] / f"s{i}.wav", np.zeros(1000))
    told = pytest.raises(ValueError, match="no usable syllable of bird bob")
    with Stream(tmp_path, np.float32) as stream, told, pytest.warns(UserWarning, match="left out"):
        stream_birds(stream, birds, on_problem="skip", **QUIET)


def test_files_of_ava_are_joined_with_labels_where_they_have_them(tmp_path, birds):
    syllables = load_birds(birds, **QUIET)
    write_ava(tmp_path / "ava", syllables, per_file=8)
    files = dict.fromkeys(sorted((tmp_path / "ava").iterdir()), "carol")
    with Stream(tmp_path, np.float16) as stream:
        stream_ava(stream, files)
        publish({tmp_path / "out.h5": stream.write})
    read = read_file(tmp_path / "out.h5")
    assert read.birds.tolist() == ["carol"] * 21 and (read.onsets == syllables.onsets).all()
    first, last = "carol/syllables_0000.hdf5:0", "carol/syllables_0002.hdf5:4"
    assert read.ids[[0, 20]].tolist() == [first, last]
    assert read.info["preprocessing"] == syllables.info["preprocessing"]
    assert np.abs(read.spectrograms - syllables.spectrograms).max() <= 2**-11
    ours = streamed(tmp_path, birds, "ours.h5")
    again = tmp_path / "again.h5"
    again.write_bytes(ours.read_bytes())
    with Stream(tmp_path, np.float16) as stream, pytest.raises(ValueError, match="two syllables"):
        stream_ava(stream, {ours: "x", again: "y"})
    with Stream(tmp_path, np.float16) as stream:
        stream_ava(stream, {ours: "x"})
        assert stream.birds == dict(ann=15, bob=6) and stream.labels == 3


def test_settings_of_many_birds_fit_into_the_file(tmp_path, birds):
    with Stream(tmp_path, np.float32) as stream:
        stream_birds(stream, birds, **QUIET)
        ranges = {f"bird number {i}": [0.123456789012345, 6.5] for i in range(3000)}
        stream.info["preprocessing"]["normalisation"] |= ranges
        publish({tmp_path / "many.h5": stream.write})
    ranges = read_file(tmp_path / "many.h5").info["preprocessing"]["normalisation"]
    assert len(ranges) == 3002


def test_a_file_that_is_no_file_of_syllables_is_left_to_others(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["specs"] = np.ones((3, 4, 4))
    assert read_file(tmp_path / "x.h5") is None
