"""Sounds of syllables by their ids: the right piece of the right recording, refusals by name."""

import numpy as np
import pytest
from scipy.io import wavfile

from rvae_lite.birdsong.colony import write_songs
from rvae_lite.birdsong.playback import MARGIN, cut
from rvae_lite.birdsong.segments import read_segments
from rvae_lite.birdsong.syllables import load_birds

RATE = 32_000


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    return write_songs(tmp_path_factory.mktemp("songs"), num_birds=2, songs_per_bird=2)


@pytest.fixture
def tones(tmp_path):
    """One bird with a recording of a second: silence, and in the middle a syllable of 1 kHz."""
    time = np.arange(RATE) / RATE
    sound = np.where((time >= 0.4) & (time < 0.6), np.sin(2 * np.pi * 1000 * time), 0)
    wavfile.write(tmp_path / "a.wav", RATE, sound.astype(np.float32))

    def annotated(*rows):
        lines = "".join(f"{onset},{offset},x\n" for onset, offset in rows)
        (tmp_path / "a.csv").write_text(f"onset,offset,label\n{lines}")
        return dict(one=tmp_path)

    return annotated


def test_at_the_recordings_own_rate_a_sound_is_the_piece_of_its_recording(birds):
    syllables = load_birds(birds, progress=False)
    chosen = [0, 7, -1]
    sounds = cut(syllables.ids[chosen], birds, rate=RATE)
    for at, sound in zip(chosen, sounds, strict=True):
        _, whole = wavfile.read(birds[syllables.birds[at]] / syllables.files[at])
        first, last = round(syllables.onsets[at] * RATE), round(syllables.offsets[at] * RATE)
        margin = round(MARGIN * RATE)
        inside = sound.samples[margin : margin + last - first]
        assert sound.rate == RATE and len(sound.samples) == last - first + 2 * margin
        assert np.allclose(inside[10:-10], whole[first:last][10:-10] / 2**15, atol=2e-3)
        assert np.abs(sound.samples[[0, -1]]).max() < 1e-3


def test_a_tone_keeps_its_pitch_and_its_length_at_another_rate(tones):
    (sound,) = cut(["one/a.wav:2"], tones((0.4, 0.6)))
    spectrum = np.abs(np.fft.rfft(sound.samples))
    pitch = spectrum.argmax() * sound.rate / len(sound.samples)
    assert sound.rate == 22_050 and abs(sound.duration - 0.2 - 2 * MARGIN) < 1e-3
    assert abs(pitch - 1000) < 10


def test_a_recording_of_a_lower_rate_keeps_its_own(tones):
    assert cut(["one/a.wav:2"], tones((0.4, 0.6)), rate=44_100)[0].rate == RATE


def test_a_syllable_at_either_end_of_its_recording_loses_its_margin_alone(tones):
    first, last = cut(["one/a.wav:2", "one/a.wav:3"], tones((0, 0.2), (0.8, 1.0)), rate=RATE)
    assert len(first.samples) == len(last.samples) == round((0.2 + MARGIN) * RATE)


def test_a_table_of_segments_leads_to_the_same_sound(tones, tmp_path):
    (sound,) = cut(["one/a.wav:2"], tones((0.4, 0.6)))
    (tmp_path / "t.csv").write_text("onset,offset,label,file\n0.4,0.6,x,a.wav\n")
    (same,) = cut(["t/a.wav:2"], read_segments(tmp_path / "t.csv"))
    assert np.array_equal(same.samples, sound.samples)


@pytest.mark.parametrize("name", ["one/a.wav:9", "one/b.wav:2", "two/a.wav:2", "17", ""])
def test_an_id_that_no_folder_has_is_named(tones, name):
    with pytest.raises(ValueError, match=f"no syllable '{name}' in the folders of one: name the"):
        cut([name], tones((0.4, 0.6)))


@pytest.mark.parametrize(
    "times, shown", [((0.6, 0.4), "0.6 to 0.4"), ((2, 3), "2 to 3"), (("", 1), "nan to 1")]
)
def test_times_that_are_not_in_the_recording_are_named(tones, times, shown):
    with pytest.raises(ValueError, match=f"a.csv, row 2: a syllable from {shown} s is not in"):
        cut(["one/a.wav:2"], tones(times))


@pytest.mark.parametrize("birds", [{}, "folder", None])
def test_birds_must_be_a_dictionary(birds):
    with pytest.raises(ValueError, match="^birds must be a dictionary, name -> folder or list of"):
        cut(["one/a.wav:2"], birds)


@pytest.mark.parametrize("rate", [0, -1, 22_050.0, True, "fast"])
def test_a_rate_must_be_a_positive_integer(tones, rate):
    with pytest.raises(ValueError, match="^rate must be a positive integer, in samples a second"):
        cut(["one/a.wav:2"], tones((0.4, 0.6)), rate=rate)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        cut(["one/a.wav:2"], dict(one=tmp_path / "nowhere"))
