import json

import numpy as np
import pytest
from aviary import RATE, SMALL, TIMES, song
from scipy.interpolate import RegularGridInterpolator
from scipy.signal import stft

from rvae_lite.birdsong.recordings import Recording
from rvae_lite.birdsong.spectrograms import (
    SpectrogramSpec,
    check_spec,
    log_range,
    normalise,
    resample,
    spectrograms,
    target_frequencies,
)

ONSETS, OFFSETS = np.array(TIMES).T


def recording(**options):
    return Recording(song(**options).astype(np.float32), options.get("rate", RATE))


def reference(sound, onset, offset, spec):
    """One syllable, straightforwardly: SciPy's transform of its sound, SciPy's interpolation."""
    start, length = round(onset * spec.sample_rate), offset - onset
    num = int(np.ceil(length * spec.sample_rate / spec.hop)) + 1
    padded = np.pad(sound * 32768.0, 2 * spec.window)
    begin = start + 2 * spec.window - spec.window // 2
    piece = padded[begin : begin + (num - 1) * spec.hop + spec.window]
    options = dict(
        nperseg=spec.window, noverlap=spec.window - spec.hop, boundary=None, padded=False
    )
    freqs, _, values = stft(piece, fs=spec.sample_rate, **options)
    times = np.arange(num) * spec.hop / spec.sample_rate
    grid = RegularGridInterpolator((freqs, times), np.log(np.abs(values) + 1e-12))
    mel = [1127 * np.log(1 + hertz / 700) for hertz in (spec.min_freq, spec.max_freq)]
    rows = np.linspace(spec.min_freq, spec.max_freq, spec.num_freqs)
    if spec.axis == "mel":
        rows = np.clip(
            700 * (np.exp(np.linspace(*mel, spec.num_freqs) / 1127) - 1),
            spec.min_freq,
            spec.max_freq,
        )
    span = np.sqrt(length * spec.max_duration) if spec.time == "stretch" else spec.max_duration
    columns = length / 2 + np.linspace(-span / 2, span / 2, spec.num_times)
    image = np.full((spec.num_freqs, spec.num_times), -np.inf)
    for j, column in enumerate(columns):
        if 0 <= column <= length:
            image[:, j] = grid(np.stack([rows, np.full(len(rows), column)], axis=1))
    return image


@pytest.mark.parametrize("axis", ["mel", "linear"])
@pytest.mark.parametrize("time", ["stretch", "pad"])
@pytest.mark.parametrize("size", [20, 64, 128])
def test_a_spectrogram_is_that_of_scipy_interpolated(axis, time, size):
    spec = SpectrogramSpec(num_freqs=size, num_times=size, axis=axis, time=time)
    sound = recording()
    images = spectrograms(sound, ONSETS, OFFSETS, spec=spec)
    assert images.dtype == np.float32 and images.shape == (3, size, size)
    for image, onset, offset in zip(images, ONSETS, OFFSETS, strict=True):
        expected = reference(sound.samples.astype(np.float64), onset, offset, spec)
        low, high = 2.0, 6.5
        assert np.abs(normalise(image, low, high) - normalise(expected, low, high)).max() < 1e-5
        assert (np.isfinite(image) == np.isfinite(expected)).all()


def test_a_full_scale_tone_has_half_the_amplitude_of_16_bit_samples():
    t = np.arange(RATE) / RATE
    tone = Recording(np.sin(2 * np.pi * 2000 * t).astype(np.float32), RATE)  # exactly on a bin
    spec = SpectrogramSpec(
        min_freq=2000.0, num_freqs=2, num_times=5, axis="linear", time="pad", max_duration=0.25
    )
    assert spectrograms(tone, [0.3], [0.55], spec=spec)[0, 0] == pytest.approx(
        np.full(5, np.log(16384)), abs=1e-4
    )


def test_a_syllable_of_d_seconds_is_stretched_to_sqrt_of_d_times_the_longest():
    spec = SpectrogramSpec(num_freqs=4, num_times=1001)
    images = spectrograms(recording(), ONSETS, OFFSETS, spec=spec)
    share = np.isfinite(images[:, 0]).mean(1)
    assert share == pytest.approx(np.sqrt((OFFSETS - ONSETS) / spec.max_duration), abs=2e-3)
    images = spectrograms(recording(), ONSETS, OFFSETS, spec=spec._replace(time="pad"))
    assert np.isfinite(images[:, 0]).mean(1) == pytest.approx(
        (OFFSETS - ONSETS) / spec.max_duration, abs=2e-3
    )


def test_the_longest_syllable_fills_the_image():
    spec = SMALL._replace(max_duration=0.2)
    assert np.isfinite(spectrograms(recording(), [0.25], [0.45], spec=spec)).all()


def test_the_place_of_a_syllable_in_the_recording_does_not_matter():
    sound = recording()
    later = Recording(np.concatenate([np.zeros(1234, np.float32), sound.samples]), RATE)
    shift = 1234 / RATE
    here, there = (
        spectrograms(s, ONSETS + d, OFFSETS + d, spec=SMALL)
        for s, d in ((sound, 0), (later, shift))
    )
    assert normalise(here, 2.0, 6.5) == pytest.approx(normalise(there, 2.0, 6.5), abs=1e-5)


def test_laboratories_with_different_sample_rates_get_the_same_images():
    spec = SMALL._replace(max_freq=8000.0)
    own = spectrograms(recording(), ONSETS, OFFSETS, spec=spec)
    theirs = spectrograms(recording(rate=44100), ONSETS, OFFSETS, spec=spec)
    difference = np.abs(normalise(own, 2.0, 9.0) - normalise(theirs, 2.0, 9.0))
    assert np.quantile(difference, 0.9) < 0.05  # the noise is another, the tones are the same


def test_resampling_changes_the_number_of_samples_only():
    t = np.arange(44100) / 44100
    sound = resample(Recording(np.sin(2 * np.pi * 1000 * t).astype(np.float32), 44100), 32000)
    assert len(sound) == 32000 and sound.dtype == np.float32
    expected = np.sin(2 * np.pi * 1000 * np.arange(32000) / 32000)
    assert np.abs(sound - expected)[500:-500].max() < 1e-3


def test_blocks_of_syllables_give_what_single_ones_give(monkeypatch):
    whole = spectrograms(recording(), ONSETS, OFFSETS, spec=SMALL)
    monkeypatch.setattr("rvae_lite.birdsong.spectrograms.BLOCK", 2)
    assert (spectrograms(recording(), ONSETS, OFFSETS, spec=SMALL) == whole).all()


def test_a_recording_without_syllables_has_no_spectrograms():
    assert spectrograms(recording(), [], [], spec=SMALL).shape == (0, 16, 20)


def test_percentiles_cancel_the_gain_of_a_recording():
    images = []
    for gain in (0.3, 0.03):
        sound = Recording(gain * song(gain=1.0).astype(np.float32), RATE)
        logs = spectrograms(sound, ONSETS, OFFSETS, spec=SMALL)
        images.append(normalise(logs, *log_range(logs, SMALL)))
    assert images[0] == pytest.approx(images[1], abs=1e-5)
    inside = images[0][np.isfinite(logs)]
    assert (inside == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert (inside == 1).mean() == pytest.approx(0.005, abs=0.005)


def test_a_fixed_range_is_taken_as_it_is_and_the_outside_is_zero():
    logs = spectrograms(recording(), ONSETS, OFFSETS, spec=SMALL)
    low, high = log_range(logs, SMALL._replace(log_range=(2.0, 6.5)))
    assert (low, high) == (2.0, 6.5)
    images = normalise(logs, low, high)
    assert images.min() == 0 and images.max() == 1 and (images[np.isinf(logs)] == 0).all()


def test_silent_syllables_have_no_range():
    silence = np.zeros((2, 4, 4), np.float32)
    with pytest.raises(ValueError, match="all pixels are 0: the syllables are silent"):
        log_range(silence, SMALL)


def test_rows_are_equally_spaced_in_mel_or_hertz():
    hertz = target_frequencies(
        SpectrogramSpec(axis="linear", num_freqs=4, min_freq=1000.0, max_freq=4000.0)
    )
    assert hertz == pytest.approx([1000, 2000, 3000, 4000])
    mel = 2595 * np.log10(
        1 + target_frequencies(SpectrogramSpec()) / 700
    )  # another form of the same scale
    assert np.diff(mel) == pytest.approx(np.full(127, np.diff(mel)[0]), rel=1e-6)


def test_the_settings_survive_json():
    for spec in (SMALL, SMALL._replace(log_range=(2, 6.5), axis="linear", time="pad")):
        settings = json.loads(json.dumps(spec.as_dict()))
        assert (
            SpectrogramSpec.from_dict(settings | dict(normalisation={"bird": [1.0, 2.0]})) == spec
        )


def test_unknown_and_missing_settings_are_named():
    settings = SMALL.as_dict()
    del settings["hop"]
    with pytest.raises(
        ValueError, match="settings of a spectrogram must be sample_rate, .*: look at gain, hop"
    ):
        SpectrogramSpec.from_dict(settings | dict(gain=1))


BAD_SETTINGS = [
    (dict(num_freqs=1), "num_freqs must be an integer of at least 2, not 1"),
    (dict(hop=0), "hop must be an integer of at least 1, not 0"),
    (dict(sample_rate=32e3), "sample_rate must be an integer of at least 1, not 32000.0"),
    (dict(axis="bark"), r"axis must be one of \['linear', 'mel'\], not 'bark'"),
    (dict(time="crop"), "time must be 'stretch' or 'pad', not 'crop'"),
    (dict(max_freq=20000.0), "frequencies must be 0 <= min_freq < max_freq <= 16000 Hz"),
    (dict(max_duration=0.0), "max_duration must be a positive number of seconds, not 0.0"),
    (dict(percentiles=(50, 25)), "percentiles must be two rising numbers between 0 and 100"),
    (dict(log_range=(6.5, 2.0)), "log_range must be two rising log-amplitudes"),
]


@pytest.mark.parametrize("change, message", BAD_SETTINGS)
def test_settings_out_of_range_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        check_spec(SpectrogramSpec(**change))


@pytest.mark.parametrize("time, seconds", [("stretch", 0.2 / 99**2), ("pad", 0.2 / 99)])
def test_the_shortest_syllable_still_shows(time, seconds):
    spec = SpectrogramSpec(num_freqs=4, num_times=100, time=time, max_duration=0.2)
    assert spec.min_duration == pytest.approx(max(seconds, 1 / RATE))
    logs = spectrograms(recording(), [0.3], [0.3 + 1.01 * spec.min_duration], spec=spec)
    assert np.isfinite(logs).any()


@pytest.mark.parametrize(
    "times", [([0.1], [0.6]), ([0.1], [0.1]), ([-0.1], [0.1]), ([0.7], [0.9]), ([0.1], [np.nan])]
)
def test_no_syllable_is_cropped_silently(times):
    with pytest.raises(
        ValueError,
        match="syllable 0 from .* must lie within 0 and 0.8 s and last between .* and 0.35",
    ):
        spectrograms(recording(), *times, spec=SMALL)


def test_onsets_and_offsets_come_in_pairs():
    with pytest.raises(
        ValueError, match=r"onsets and offsets must be \(n,\) each, not \(2,\) and \(1,\)"
    ):
        spectrograms(recording(), [0.1, 0.2], [0.3], spec=SMALL)


def test_a_sample_rate_too_low_for_the_frequencies_is_refused():
    with pytest.raises(
        ValueError,
        match="16000 Hz hold nothing above 8000 Hz, max_freq is 10000 Hz: lower max_freq",
    ):
        spectrograms(recording(rate=16000), ONSETS, OFFSETS, spec=SMALL)
