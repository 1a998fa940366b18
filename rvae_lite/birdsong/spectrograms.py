"""Syllables as spectrograms: log-amplitudes of a short-time Fourier transform, on a fixed grid.

Goffinet et al. (2021), "Low-dimensional learned feature spaces quantify individual and group
differences in vocal repertoires", Methods.  Letters: T samples of one recording, n syllables.
"""

from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.recordings import Recording

SIXTEEN_BITS = 32768.0  # full scale of the samples of that paper
SMALLEST = 1e-12  # keeps the logarithm of silence finite
ROUNDING = 1e-6  # s, by which a syllable may exceed a limit: times are sums and differences
BLOCK = 256  # syllables at a time, so that a long recording does not fill the memory

AXES = dict(  # name -> from hertz to the axis, and back
    linear=(lambda hertz: hertz, lambda value: value),
    mel=(lambda hertz: 1127 * np.log1p(hertz / 700), lambda mel: 700 * np.expm1(mel / 1127)),
)


class SpectrogramSpec(NamedTuple):
    """How a syllable becomes an image; all of it travels with the data and with Rosetta points.

    Attributes:
        sample_rate: Hz; a recording at another rate is resampled to it.
        window, hop: length and step of the Fourier transform's Hann window, in samples.
        min_freq, max_freq: Hz, first and last row.
        num_freqs, num_times: rows and columns.
        axis: "mel" or "linear" rows.
        time: "stretch" shows a syllable of d seconds as sqrt(d max_duration), "pad" at its own
            length; both centred.
        max_duration: seconds from the first to the last column; no syllable may be longer.
        percentiles: of each bird's pixels inside syllables; they become 0 and 1, so that the gain
            of a recording cancels.
        log_range: log-amplitudes that become 0 and 1 instead, for all birds alike; AVA's zebra
            finches had (2.0, 6.5).
    """

    sample_rate: int = 32000
    window: int = 512
    hop: int = 256
    min_freq: float = 400.0
    max_freq: float = 10000.0
    num_freqs: int = 128
    num_times: int = 128
    axis: str = "mel"
    time: str = "stretch"
    max_duration: float = 0.35
    percentiles: tuple = (25.0, 99.5)
    log_range: tuple | None = None

    def as_dict(self) -> dict:
        """The settings as a dictionary that JSON can hold."""
        settings = self._asdict()
        for key in ("percentiles", "log_range"):
            if settings[key] is not None:
                settings[key] = [float(value) for value in settings[key]]
        return settings

    @classmethod
    def from_dict(cls, settings: dict) -> "SpectrogramSpec":
        """From what `as_dict` wrote; a ValueError names settings that are missing or unknown."""
        settings = {key: value for key, value in settings.items() if key != "normalisation"}
        if wrong := sorted(set(settings) ^ set(cls._fields)):
            known, wrong = ", ".join(cls._fields), ", ".join(wrong)
            raise ValueError(f"settings of a spectrogram must be {known}: look at {wrong}")
        for key in ("percentiles", "log_range"):
            if settings[key] is not None:
                settings[key] = tuple(settings[key])
        return cls(**settings)

    @property
    def min_duration(self) -> float:
        """Seconds; a shorter syllable might fall between two columns."""
        step = self.max_duration / (self.num_times - 1)
        seconds = step / (self.num_times - 1) if self.time == "stretch" else step
        return max(seconds, 1 / self.sample_rate)


DEFAULT = SpectrogramSpec()


def check_integers(least: int, **values) -> None:
    """Raises ValueError where a value is no integer of at least `least`, naming it."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, not {value!r}")


def check_spec(spec: SpectrogramSpec) -> None:
    """Raises ValueError where a setting is out of its range, naming it."""
    check_integers(1, sample_rate=spec.sample_rate, hop=spec.hop)
    check_integers(2, window=spec.window, num_freqs=spec.num_freqs, num_times=spec.num_times)
    if spec.axis not in AXES:
        raise ValueError(f"axis must be one of {sorted(AXES)}, not {spec.axis!r}")
    if spec.time not in ("stretch", "pad"):
        raise ValueError(f"time must be 'stretch' or 'pad', not {spec.time!r}")
    low, high, limit = spec.min_freq, spec.max_freq, spec.sample_rate / 2
    if not 0 <= low < high <= limit:
        limits = f"0 <= min_freq < max_freq <= {limit:g} Hz, half the sample rate"
        raise ValueError(f"frequencies must be {limits}, not {low!r} and {high!r}")
    if not 0 < spec.max_duration < np.inf:
        needed = "a positive number of seconds"
        raise ValueError(f"max_duration must be {needed}, not {spec.max_duration!r}")
    if not 0 <= spec.percentiles[0] < spec.percentiles[1] <= 100:
        needed = "two rising numbers between 0 and 100"
        raise ValueError(f"percentiles must be {needed}, not {spec.percentiles!r}")
    if spec.log_range is not None and not spec.log_range[0] < spec.log_range[1]:
        raise ValueError(f"log_range must be two rising log-amplitudes, not {spec.log_range!r}")


def spectrograms(
    recording: Recording, onsets, offsets, *, spec: SpectrogramSpec = DEFAULT
) -> np.ndarray:
    """Log-amplitudes of the syllables of one recording, before normalisation.

    The windows are centred on the onset and on every hop after it.

    Differs from AVA's code: the windows reach into the sound around the syllable, not into
    silence; and "stretch" is just what its name says, where AVA shows a syllable narrower.

    Args:
        recording: samples in [-1, 1], (T,), and their rate in Hz.
        onsets, offsets: of the syllables, seconds, (n,).
        spec: the settings.

    Returns:
        log(|amplitude| + 1e-12), (n, num_freqs, num_times) float32, -inf outside the syllable.

    Raises:
        ValueError: a syllable is too long, too short or outside the recording, or the recording's
            rate is too low for max_freq.
    """
    check_spec(spec)
    onsets, offsets = np.asarray(onsets, dtype=np.float64), np.asarray(offsets, dtype=np.float64)
    _check_syllables(recording, onsets, offsets, spec)
    # A window that begins at i is centred on sample i.
    around = (spec.window // 2, spec.window + spec.hop)
    padded = np.pad(resample(recording, spec.sample_rate), around)
    images = np.empty((len(onsets), spec.num_freqs, spec.num_times), np.float32)
    for start in range(0, len(onsets), BLOCK):
        rows = slice(start, start + BLOCK)
        durations = offsets[rows] - onsets[rows]
        counts = np.ceil(durations * spec.sample_rate / spec.hop).astype(int) + 1
        starts = np.rint(onsets[rows] * spec.sample_rate).astype(int)
        frames = _log_frames(padded, starts, counts, spec)
        images[rows] = _at_columns(frames, counts, durations, spec)
    return images


def _check_syllables(recording: Recording, onsets, offsets, spec: SpectrogramSpec) -> None:
    if onsets.ndim != 1 or onsets.shape != offsets.shape:
        shapes = f"{onsets.shape} and {offsets.shape}"
        raise ValueError(f"onsets and offsets must be (n,) each, not {shapes}")
    if recording.rate < 2 * spec.max_freq:
        reach = f"{recording.rate} Hz hold nothing above {recording.rate / 2:g} Hz"
        raise ValueError(f"{reach}, max_freq is {spec.max_freq:g} Hz: lower max_freq for all birds")
    durations, length = offsets - onsets, recording.duration
    fits = (durations >= spec.min_duration) & (durations <= spec.max_duration + ROUNDING)
    fits &= (onsets >= 0) & (offsets <= length + ROUNDING)
    if not fits.all():
        first = int(fits.argmin())
        syllable = f"syllable {first} from {onsets[first]:g} to {offsets[first]:g} s"
        lasting = f"last between {spec.min_duration:.2g} and {spec.max_duration:g} s"
        limits = f"must lie within 0 and {length:g} s and {lasting}"
        raise ValueError(f"{syllable} {limits}: correct it or change max_duration")


def resample(recording: Recording, rate: int) -> np.ndarray:
    """The samples at another rate (Hz), (T,) float32, by a polyphase filter."""
    if recording.rate == rate:
        return recording.samples
    from scipy.signal import resample_poly

    common = np.gcd(int(recording.rate), int(rate))
    return resample_poly(recording.samples, rate // common, recording.rate // common)


def target_frequencies(spec: SpectrogramSpec) -> np.ndarray:
    """Hz of each row, (num_freqs,), low ones first."""
    to_axis, from_axis = AXES[spec.axis]
    return from_axis(np.linspace(to_axis(spec.min_freq), to_axis(spec.max_freq), spec.num_freqs))


def _log_frames(padded, starts, counts, spec: SpectrogramSpec) -> np.ndarray:
    """Log-amplitudes of `counts` windows from each of `starts` on, (counts.sum(), num_freqs)."""
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    centres = np.repeat(starts, counts) + spec.hop * within
    taper = np.hanning(spec.window + 1)[:-1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, spec.window)[centres]
    frames = windows * (taper * SIXTEEN_BITS / taper.sum())
    # Each row lies between two frequencies of the transform.
    place = target_frequencies(spec) * spec.window / spec.sample_rate
    below = np.minimum(place.astype(int), spec.window // 2 - 1)
    first, last = below[0], below[-1] + 2
    logs = np.log(np.abs(np.fft.rfft(frames)[:, first:last]) + SMALLEST).astype(np.float32)
    share = np.minimum(place - below, 1).astype(np.float32)
    return logs[:, below - first] * (1 - share) + logs[:, below - first + 1] * share


def _at_columns(frames, counts, durations, spec: SpectrogramSpec) -> np.ndarray:
    """Each syllable's windows interpolated at its columns: (n, num_freqs, num_times)."""
    durations = durations[:, None]
    span = np.sqrt(durations * spec.max_duration) if spec.time == "stretch" else spec.max_duration
    columns = np.arange(spec.num_times) / (spec.num_times - 1) - 0.5
    times = durations / 2 + span * columns  # seconds after the onset, (n, num_times)
    inside = (times > -1e-9) & (times < durations + 1e-9)
    place = np.clip(times, 0, durations) * (spec.sample_rate / spec.hop)
    below = np.minimum(place.astype(int), counts[:, None] - 2)
    share = (place - below).astype(np.float32)[..., None]
    rows = (np.cumsum(counts) - counts)[:, None] + below
    images = frames[rows] * (1 - share) + frames[rows + 1] * share  # (n, num_times, num_freqs)
    images[~inside] = -np.inf
    return images.transpose(0, 2, 1)


def log_range(images: np.ndarray, spec: SpectrogramSpec) -> tuple[float, float]:
    """The log-amplitudes that become 0 and 1, from one bird's images (n, num_freqs, num_times).

    Raises:
        ValueError: the images are all alike, so that there is no range.
    """
    if spec.log_range is not None:
        return float(spec.log_range[0]), float(spec.log_range[1])
    return check_range(*np.percentile(images[np.isfinite(images)], spec.percentiles))


def check_range(low: float, high: float) -> tuple[float, float]:
    """Log-amplitudes that are to become 0 and 1.  Raises ValueError where they are alike."""
    if high - low < 1e-3:  # interpolation makes equal values differ a little
        raise ValueError(f"all pixels are {low:g}: the syllables are silent, choose others")
    return float(low), float(high)


def normalise(images: np.ndarray, low: float, high: float, *, out=None) -> np.ndarray:
    """(images - low) / (high - low) within [0, 1], in `out` if given; 0 outside the syllable."""
    out = np.subtract(images, np.float32(low), out=out)
    out /= np.float32(high - low)
    return np.clip(out, 0, 1, out=out)
