"""Synthetic finches: same seed same audio, distinct types of unequal frequency, the same files."""

import numpy as np
import pytest
from scipy.io import wavfile

from rvae_lite import data
from rvae_lite.birdsong import colony as finch
from rvae_lite.birdsong import voice
from rvae_lite.birdsong.syllables import load_birds


@pytest.fixture(scope="module")
def colony():
    return finch.sing_all(num_birds=3, songs_per_bird=8)


@pytest.fixture(scope="module")
def dataset():
    return data.load("synthetic_finch", size=64)


def every_song(colony):
    return [song for songs in colony.values() for song in songs]


# ---------------------------------------------------------------- audio


def test_the_same_numbers_give_the_same_audio():
    first, again = (finch.sing(1, song=2, seed=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("other", [dict(bird=0), dict(song=1), dict(seed=4)])
def test_another_bird_song_or_seed_gives_other_audio(other):
    numbers = dict(bird=1, song=2, seed=3)
    assert not np.array_equal(finch.sing(**numbers).samples, finch.sing(**numbers | other).samples)


def test_a_bird_does_not_depend_on_how_many_there_are(colony):
    alone = finch.sing_all(num_birds=1, songs_per_bird=1)
    assert np.array_equal(alone["finch0"][0].samples, colony["finch0"][0].samples)
    assert list(colony) == ["finch0", "finch1", "finch2"]


def test_songs_are_audio_at_32_khz_that_peaks_at_four_fifths_of_full_scale(colony):
    for song in every_song(colony):
        assert song.samples.dtype == np.float32
        assert song.rate == 32000
        assert np.abs(song.samples).max() == pytest.approx(0.8)
        assert abs(song.samples.mean()) < 1e-3


def test_syllables_lie_inside_the_song_one_after_the_other(colony):
    for song in every_song(colony):
        assert song.onsets[0] > 0.05
        assert song.offsets[-1] < len(song.samples) / song.rate - 0.05
        assert (song.onsets < song.offsets).all()
        assert (song.offsets[:-1] < song.onsets[1:] - 0.02).all()
        assert (song.offsets - song.onsets > 0.02).all() and (
            song.offsets - song.onsets < 0.3
        ).all()


def test_syllables_are_far_louder_than_the_room_between_them(colony):
    for song in every_song(colony):
        time = np.arange(len(song.samples)) / song.rate
        inside = ((time >= song.onsets[:, None]) & (time < song.offsets[:, None])).any(0)
        loud, quiet = (np.sqrt((song.samples[where] ** 2).mean()) for where in (inside, ~inside))
        assert 20 * np.log10(loud / quiet) > 30
        assert quiet > 0


def test_nothing_sounds_above_what_the_sample_rate_can_carry():
    pitch = np.linspace(3000, 5900, 4000)
    sound = voice._harmonics(pitch, np.ones(len(voice.FREQUENCIES)))
    power = np.abs(np.fft.rfft(sound)) ** 2
    high = np.fft.rfftfreq(len(sound), 1 / voice.RATE) > voice.HIGHEST + 300
    assert power[high].sum() < 1e-3 * power.sum()


def test_harmonics_are_multiples_of_the_pitch():
    sound = voice._harmonics(
        np.full(32000, 700.0), np.ones(len(voice.FREQUENCIES))
    )  # one second: a hertz a bin
    peaks = np.flatnonzero(np.abs(np.fft.rfft(sound)) > 100)
    assert peaks.tolist() == [700 * k for k in range(1, 18)]
    assert (sound**2).mean() == pytest.approx(1)


# ---------------------------------------------------------------- types


def test_a_song_is_introductory_notes_and_one_motif_again_and_again(colony):
    for name, songs in colony.items():
        motif = "".join(sorted(set(voice.repertoire(int(name[-1]))) - {"i", "r"}))
        assert 4 <= len(motif) <= 7
        for song in songs:
            text = "".join(song.labels)
            notes = text.lstrip("i")
            assert len(text) - len(notes) <= 3
            pieces = [notes[k : k + len(motif)] for k in range(0, len(notes), len(motif))]
            assert len(pieces) == 3
            assert all(piece in (motif, motif[:-1] + "r") for piece in pieces[:-1])
            assert pieces[-1][:-1] == motif[: len(pieces[-1]) - 1]


def test_a_rare_syllable_makes_up_a_few_percent_and_an_introductory_note_some_more():
    for songs in finch.sing_all(num_birds=2, songs_per_bird=40).values():
        labels = np.concatenate([song.labels for song in songs])
        assert 0.01 < (labels == "r").mean() < 0.06
        assert 0.04 < (labels == "i").mean() < 0.2
        assert (labels == "a").sum() > (labels == "r").sum() * 3


def test_a_nearest_neighbour_names_the_type_and_yet_no_two_renditions_are_alike(dataset):
    bird = np.array([name.split("/")[0] for name in dataset.info["label_names"]])[dataset.labels]
    for name in np.unique(bird):
        x, labels = (
            dataset.x[bird == name].reshape(np.sum(bird == name), -1),
            dataset.labels[bird == name],
        )
        squares = (x**2).sum(1)
        distance = squares[:, None] + squares - 2 * x @ x.T
        np.fill_diagonal(distance, np.inf)
        assert (labels[distance.argmin(1)] == labels).mean() > 0.95
        within = np.mean([x[labels == label].var(0).mean() for label in np.unique(labels)])
        assert 0.1 < within / x.var(0).mean() < 0.6
        assert distance.min() > 1


# ---------------------------------------------------------------- files and data set


def test_files_hold_the_song_and_its_annotation(tmp_path, colony):
    folders = finch.write_songs(tmp_path, num_birds=2, songs_per_bird=2)
    assert sorted(path.name for path in folders["finch1"].iterdir()) == [
        "song000.csv",
        "song000.wav",
        "song001.csv",
        "song001.wav",
    ]
    song = colony["finch1"][1]
    rate, samples = wavfile.read(folders["finch1"] / "song001.wav")
    assert rate == 32000
    assert np.abs(samples / 32767 - song.samples).max() < 1 / 32767
    lines = (folders["finch1"] / "song001.csv").read_text().splitlines()
    assert lines[0] == "onset,offset,label"
    assert [line.split(",")[2] for line in lines[1:]] == song.labels.tolist()
    assert np.allclose(
        [float(line.split(",")[0]) for line in lines[1:]], song.onsets, rtol=0, atol=1e-9
    )


def test_the_data_set_is_what_the_loader_of_real_birds_reads_from_the_files(tmp_path):
    folders = finch.write_songs(tmp_path, num_birds=2, songs_per_bird=2, seed=5)
    syllables = load_birds(
        folders, spec=finch.SpectrogramSpec(num_freqs=64, num_times=64), progress=False
    )
    dataset = finch.load_synthetic_finch(num_birds=2, songs_per_bird=2, seed=5, size=64)
    assert np.array_equal(dataset.x, syllables.spectrograms)
    assert dataset.ids.tolist() == syllables.ids.tolist()
    names = np.array(dataset.info["label_names"])[dataset.labels]
    expected = [
        f"{bird}/{label}" for bird, label in zip(syllables.birds, syllables.labels, strict=True)
    ]
    assert names.tolist() == expected


def test_the_data_set_has_about_a_thousand_syllables_and_one_half_of_the_birds_in_each_part(
    dataset,
):
    assert 900 < len(dataset.x) < 1200
    assert dataset.x.shape[1:] == (1, 64, 64)
    assert dataset.x.dtype == np.float32
    assert dataset.x.min() == 0 and dataset.x.max() == 1
    assert len(np.unique(dataset.ids)) == len(dataset.ids)
    bird = np.array([name.split("/")[0] for name in dataset.info["label_names"]])[dataset.labels]
    assert np.unique(bird[dataset.part == 1]).tolist() == ["finch0", "finch1"]
    assert np.unique(bird[dataset.part == 2]).tolist() == ["finch2", "finch3"]


def test_the_data_set_says_that_it_is_generated(dataset):
    info = dataset.info
    assert (info["name"], info["title"]) == ("synthetic_finch", "synthetic finch")
    assert (info["source"], info["licence"]) == ("generated here", "none needed")
    assert info["stands_for"] == "zebra finch song"
    assert info["value_range"] == (0.0, 1.0)
    assert info["preprocessing"]["num_freqs"] == 64


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(bird=-1), "bird must be an integer of at least 0, not -1"),
        (dict(bird=0, song=-1), "song must be an integer of at least 0, not -1"),
        (dict(bird=0, seed=-2), "seed must be an integer of at least 0, not -2"),
        (dict(bird=1.5), "bird must be an integer of at least 0, not 1.5"),
        (dict(bird=0, num_motifs=0), "num_motifs must be an integer of at least 1, not 0"),
    ],
)
def test_a_song_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        finch.sing(**arguments)


@pytest.mark.parametrize("name", ["num_birds", "songs_per_bird", "num_motifs"])
def test_an_empty_colony_is_refused(name, tmp_path):
    for function in (finch.sing_all, lambda **options: finch.write_songs(tmp_path, **options)):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, not 0"):
            function(**{name: 0})


def test_songs_are_not_written_beside_those_of_a_larger_colony(tmp_path):
    numbers = dict(num_birds=1, num_motifs=1)
    finch.write_songs(tmp_path, songs_per_bird=2, **numbers)
    finch.write_songs(tmp_path, songs_per_bird=2, seed=1, **numbers)
    with pytest.raises(
        ValueError, match="finch0 holds song001.csv, which is not of this colony: choose an empty"
    ):
        finch.write_songs(tmp_path, songs_per_bird=1, **numbers)


def test_a_data_set_of_one_bird_is_refused():
    with pytest.raises(ValueError, match="num_birds must be an integer of at least 2, not 1"):
        data.load("synthetic_finch", num_birds=1)
