import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from aviary import (
    RATE,
    REAL,
    SMALL,
    TIMES,
    labelled,
    song,
    write_bird,
    write_not_mat,
    write_table,
    write_wav,
)

from rvae_lite.birdsong.annotations import read_annotations
from rvae_lite.birdsong.recordings import read_recording
from rvae_lite.birdsong.spectrograms import SpectrogramSpec, log_range, normalise, spectrograms
from rvae_lite.birdsong.syllables import load_birds

QUIET = dict(spec=SMALL, progress=False, workers=1)


def test_two_birds_become_one_set_of_syllables(tmp_path):
    birds = dict(ann=write_bird(tmp_path / "a"), bob=write_bird(tmp_path / "b", songs=1, gain=0.1))
    syllables = load_birds(birds, **QUIET)
    assert (
        syllables.spectrograms.shape == (9, 1, 16, 20)
        and syllables.spectrograms.dtype == np.float32
    )
    assert syllables.spectrograms.min() == 0 and syllables.spectrograms.max() == 1
    assert syllables.birds.tolist() == ["ann"] * 6 + ["bob"] * 3
    assert syllables.labels.tolist() == list("abc") * 3
    assert syllables.ids[[0, 5, 6]].tolist() == ["ann/s0.wav:2", "ann/s1.wav:4", "bob/s0.wav:2"]
    assert (
        syllables.files[-1] == "s0.wav"
        and syllables.onsets[-1] == 0.5
        and syllables.offsets[-1] == 0.53
    )
    assert syllables.info["value_range"] == (0.0, 1.0)
    assert syllables.info["skipped"] == {} and syllables.info["clipped"] == 0


def test_each_bird_is_normalised_by_itself_and_the_info_says_how(tmp_path):
    birds = dict(ann=write_bird(tmp_path / "a"), bob=write_bird(tmp_path / "b", gain=0.1))
    syllables = load_birds(birds, **QUIET)
    preprocessing = syllables.info["preprocessing"]
    assert SpectrogramSpec.from_dict(preprocessing) == SMALL
    for bird, folder in birds.items():
        onsets, offsets = np.array(TIMES).T
        recordings = [read_recording(folder / f"s{i}.wav") for i in range(2)]
        logs = np.concatenate(
            [spectrograms(one, onsets, offsets, spec=SMALL) for one in recordings]
        )
        assert preprocessing["normalisation"][bird] == pytest.approx(list(log_range(logs, SMALL)))
        own = syllables.spectrograms[syllables.birds == bird, 0]
        assert (own == normalise(logs, *log_range(logs, SMALL))).all()


def test_a_fixed_range_serves_all_birds(tmp_path):
    birds = dict(ann=write_bird(tmp_path / "a"), bob=write_bird(tmp_path / "b", gain=0.1))
    syllables = load_birds(birds, **QUIET | dict(spec=SMALL._replace(log_range=(2.0, 6.5))))
    assert syllables.info["preprocessing"]["normalisation"] == dict(ann=[2.0, 6.5], bob=[2.0, 6.5])


def test_workers_do_not_change_the_result(tmp_path, capsys):
    birds = dict(ann=write_bird(tmp_path, songs=5))
    one, many = load_birds(birds, **QUIET), load_birds(birds, spec=SMALL, workers=3)
    assert (one.spectrograms == many.spectrograms).all() and (one.ids == many.ids).all()
    assert "songs: 100%" in capsys.readouterr().err


def test_syllables_are_taken_by_index(tmp_path):
    syllables = load_birds(dict(ann=write_bird(tmp_path)), **QUIET).take([0, 3, 4])
    assert syllables.spectrograms.shape == (3, 1, 16, 20)
    assert Counter(syllables.labels.tolist()) == dict(a=2, b=1)


def test_subfolders_are_searched(tmp_path):
    write_bird(tmp_path / "day1", songs=1)
    write_bird(tmp_path / "day2", songs=1)
    syllables = load_birds(dict(ann=tmp_path), **QUIET)
    assert sorted(set(syllables.files.tolist())) == ["day1/s0.wav", "day2/s0.wav"]
    assert len(set(syllables.ids.tolist())) == 6


def test_a_table_of_all_files_is_preferred_to_files_beside_the_recordings(tmp_path):
    for i in range(2):
        write_not_mat(
            write_wav(tmp_path / f"s{i}.wav", song(seed=i)).with_name(f"s{i}.wav.not.mat"),
            labelled(),
        )
    assert load_birds(dict(ann=tmp_path), **QUIET).labels.tolist() == list("abcabc")
    rows = [(f"s{i}.wav", *TIMES[1], "x") for i in range(2)]
    write_table(tmp_path / "all.csv", rows, header="files,onsets,offsets,labels")
    syllables = load_birds(dict(ann=tmp_path), **QUIET)
    assert syllables.labels.tolist() == ["x", "x"]
    assert syllables.ids.tolist() == ["ann/s0.wav:2", "ann/s1.wav:3"]


def test_unusual_columns_are_named_by_the_caller(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    write_table(tmp_path / "s.csv", labelled(), header="t0,t1,kind")
    with pytest.raises(
        ValueError, match="2 problems with the songs: .*no column for the onset.*no annotation"
    ):
        load_birds(dict(ann=tmp_path), **QUIET)
    columns = dict(onset="t0", offset="t1", label="kind")
    assert load_birds(dict(ann=tmp_path), columns=columns, **QUIET).labels.tolist() == list("abc")


def test_a_list_of_pairs_will_do_for_a_folder(tmp_path):
    folder = write_bird(tmp_path / "a")
    pairs = [(folder / f"s{i}.wav", folder / f"s{i}.csv") for i in range(2)]
    listed, found = (load_birds(dict(ann=source), **QUIET) for source in (pairs, folder))
    given = load_birds(
        dict(ann=[(audio, read_annotations(table)) for audio, table in pairs]), **QUIET
    )
    for one in (listed, given):
        assert (one.spectrograms == found.spectrograms).all() and (one.ids == found.ids).all()


def test_one_channel_of_a_stereo_recording_is_chosen(tmp_path):
    write_wav(tmp_path / "s.wav", np.stack([np.zeros(RATE), song(seconds=1.0)], axis=1))
    write_table(tmp_path / "s.csv", labelled())
    assert len(load_birds(dict(ann=tmp_path), channel=1, **QUIET).ids) == 3
    with pytest.raises(
        ValueError,
        match=r"1 problem with the songs: .*s.wav has 2 channels: choose one by channel=",
    ):
        load_birds(dict(ann=tmp_path), **QUIET)


def test_clipped_syllables_are_counted_in_a_warning(tmp_path):
    loud = 2 * song(gain=1.0)
    loud[: int(0.22 * RATE)] *= 0.1
    write_wav(tmp_path / "s.wav", loud)
    write_table(tmp_path / "s.csv", labelled())
    with pytest.warns(
        UserWarning,
        match="2 of 3 syllables touch full scale, where sound is cut off: record with less",
    ):
        syllables = load_birds(dict(ann=tmp_path), **QUIET)
    assert len(syllables.ids) == 3 and syllables.info["clipped"] == 2


def test_a_time_rounded_beyond_the_end_is_no_problem(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    write_table(tmp_path / "s.csv", [(0.1, 0.2, "a"), (0.5, 0.8005, "b")])
    assert len(load_birds(dict(ann=tmp_path), **QUIET).ids) == 2


def test_a_cache_gives_the_same_syllables_without_reading_the_sound_again(tmp_path, monkeypatch):
    birds, cache = dict(ann=write_bird(tmp_path / "a")), tmp_path / "cache"
    first = load_birds(birds, cache=cache, **QUIET)
    monkeypatch.setattr("rvae_lite.birdsong.extraction.read_recording", None)
    again = load_birds(birds, cache=cache, **QUIET)
    assert (first.spectrograms == again.spectrograms).all() and first.info == again.info
    other = load_birds(
        birds, cache=cache, **QUIET | dict(spec=SMALL._replace(log_range=(2.0, 6.5)))
    )
    assert (
        other.spectrograms != first.spectrograms
    ).any()  # only what comes before normalisation is kept


def test_an_interrupted_call_resumes_where_it_stopped(tmp_path, monkeypatch):
    birds, read = dict(ann=write_bird(tmp_path / "a", songs=3)), []
    whole = load_birds(birds, **QUIET)

    def reading(path, *, channel):
        read.append(path.name)
        if len(read) == 2:
            raise KeyboardInterrupt
        return read_recording(path, channel=channel)

    monkeypatch.setattr("rvae_lite.birdsong.extraction.read_recording", reading)
    with pytest.raises(KeyboardInterrupt):
        load_birds(birds, cache=tmp_path / "cache", **QUIET)
    assert (
        load_birds(birds, cache=tmp_path / "cache", **QUIET).spectrograms == whole.spectrograms
    ).all()
    assert read.count("s0.wav") == 1


def test_changed_songs_and_damaged_caches_are_read_anew(tmp_path):
    birds, cache = dict(ann=write_bird(tmp_path / "a", songs=1)), tmp_path / "cache"
    load_birds(birds, cache=cache, **QUIET)
    write_table(tmp_path / "a" / "s0.csv", labelled()[:2])
    assert len(load_birds(birds, cache=cache, **QUIET).ids) == 2
    (kept,) = cache.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-100])
    assert len(load_birds(birds, cache=cache, **QUIET).ids) == 2
    write_wav(tmp_path / "a" / "s0.wav", song(gain=0.2, seconds=0.9))
    assert (
        load_birds(birds, cache=cache, **QUIET).spectrograms
        == load_birds(birds, **QUIET).spectrograms
    ).all()


def test_a_cache_with_other_parameters_is_refused(tmp_path):
    birds, cache = dict(ann=write_bird(tmp_path / "a", songs=1)), tmp_path / "cache"
    load_birds(birds, cache=cache, **QUIET)
    other = QUIET | dict(spec=SMALL._replace(num_freqs=8, axis="linear"))
    message = "mixed parameters within the cache .*cache: it has num_freqs: 16 against 8, "
    message += "axis: 'mel' against 'linear'"
    with pytest.raises(ValueError, match=message):
        load_birds(birds, cache=cache, **other)
    load_birds(birds, cache=tmp_path / "other", **other)
    (strange,), (own,) = (tmp_path / "other").glob("*.npz"), cache.glob("*.npz")
    own.write_bytes(strange.read_bytes())  # as if two folders were merged
    with pytest.raises(
        ValueError, match=r"mixed parameters within the cache .*\.npz has .*num_freqs: 8 against 16"
    ):
        load_birds(birds, cache=cache, **QUIET)
    (cache / "settings.json").write_text("{")
    with pytest.raises(ValueError, match="settings.json is damaged: delete the folder"):
        load_birds(birds, cache=cache, **QUIET)


def test_problems_are_the_same_from_the_cache(tmp_path):
    write_wav(tmp_path / "a" / "s.wav", song())
    write_table(tmp_path / "a" / "s.csv", [*labelled(), (0.6, 0.6, "d")])
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"left out \(zero length: 1\)"):
            load_birds(
                dict(ann=tmp_path / "a"), cache=tmp_path / "cache", on_problem="skip", **QUIET
            )


BIRDS = dict(blu285="blu285_goffinet2021", R402="R402_avn", G402="G402_avn")


@pytest.mark.skipif(
    not (REAL and (Path(REAL) / "zebra_finch").is_dir()),
    reason="RVAE_LITE_DATA has no zebra finches",
)
def test_the_zebra_finches_are_all_there():
    birds = {bird: Path(REAL) / "zebra_finch" / folder for bird, folder in BIRDS.items()}
    with pytest.warns(UserWarning, match="26 of 1776 syllables touch full scale"):
        syllables = load_birds(birds, spec=SMALL, progress=False)
    assert Counter(syllables.birds.tolist()) == dict(blu285=473, R402=709, G402=594)
    assert len(set(syllables.ids.tolist())) == 1776 and syllables.info["skipped"] == {}
    assert (syllables.offsets - syllables.onsets).max() == pytest.approx(0.312, abs=1e-3)
    types = syllables.labels[syllables.birds == "blu285"]
    assert np.unique(types, return_counts=True)[1].tolist() == [79, 78, 79, 79, 79, 79]


@pytest.mark.skipif(
    not (REAL and (Path(REAL) / "bengalese_finch").is_dir()),
    reason="RVAE_LITE_DATA has no Bengalese",
)
def test_the_bengalese_finch_is_all_there():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        syllables = load_birds(
            dict(gy6or6=Path(REAL) / "bengalese_finch" / "gy6or6"), spec=SMALL, progress=False
        )
    assert len(syllables.ids) == 601


def test_a_cache_sees_that_a_rec_file_was_corrected(tmp_path):
    folder = tmp_path / "songs"
    folder.mkdir()
    (32768 * song(rate=44100)).astype(">i2").tofile(folder / "s.cbin")
    write_table(folder / "s.csv", labelled())
    images = []
    for rate in (32000, 44100):
        (folder / "s.rec").write_text(f"ADFREQ = {rate}\nChans = 1\n")
        read = load_birds(dict(ann=folder), cache=tmp_path / "cache", **QUIET)
        images.append(read.spectrograms)
    assert (images[1] == load_birds(dict(ann=folder), **QUIET).spectrograms).all()
    assert (images[0] != images[1]).any()


def test_hidden_folders_hold_no_songs(tmp_path):
    write_bird(tmp_path, songs=1)
    write_bird(tmp_path / ".Trash-0", songs=1)
    assert load_birds(dict(ann=tmp_path), **QUIET).ids.tolist() == [
        "ann/s0.wav:2",
        "ann/s0.wav:3",
        "ann/s0.wav:4",
    ]


def test_unusual_columns_are_read_from_a_txt_table_and_audacitys_labels_beside_it(tmp_path):
    for i in range(2):
        write_wav(tmp_path / f"s{i}.wav", song(seed=i))
    rows = ["\t".join(map(str, row)) for row in labelled()]
    (tmp_path / "s0.txt").write_text("\n".join(["t0\tt1\tkind", *rows]))
    (tmp_path / "s1.txt").write_text("\n".join(rows))
    columns = dict(onset="t0", offset="t1", label="kind")
    syllables = load_birds(dict(ann=tmp_path), columns=columns, **QUIET)
    assert syllables.labels.tolist() == list("abcabc")
