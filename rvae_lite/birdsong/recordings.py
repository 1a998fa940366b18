"""Recordings of sound: WAV files, and the .cbin files of Evsonganaly, as numbers in [-1, 1].

Letters: T samples.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

FULL_SCALE = (
    0.9999  # a sample from here on was cut off: the largest one of 16 bits is 32767 / 32768
)
MOST_OVERSHOOT = 2.0  # beyond it, floating-point samples are in other units


class Recording(NamedTuple):
    """One channel of sound.

    samples: fractions of full scale, (T,) float32 in [-1, 1].
    rate: samples per second, in Hz.
    """

    samples: np.ndarray
    rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


def read_recording(path, *, channel: int | None = None) -> Recording:
    """Read one channel of a sound file.

    Args:
        path: a .wav file, a .cbin file (Evsonganaly) with its .rec file beside it, or what soundfile reads, if that
            package is installed.
        channel: which channel, counted from 0. By default the only one; of a .cbin file channel 0, which holds the
            song.

    Returns:
        The samples as fractions of full scale. Those of a floating-point file are taken as they are, and may
        overshoot 1 a little.

    Raises:
        FileNotFoundError: there is no such file, or a .cbin file has no .rec file.
        ValueError: the file is damaged, silent, of an unknown format, or has several channels and none was chosen.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no recording at {path}: check the path")
    read = READERS.get(path.suffix.lower(), _read_other)
    sound, rate = read(path)  # (T, channels)
    if channel is None and path.suffix.lower() == ".cbin":
        channel = 0
    samples = _as_fractions(_select_channel(sound, channel, path), path)
    if not samples.any():
        raise ValueError(f"{path} has no sound ({len(samples)} samples, all zero): leave it out")
    return Recording(samples, rate)


def _select_channel(sound: np.ndarray, channel: int | None, path: Path) -> np.ndarray:
    count = sound.shape[1]
    if channel is None and count > 1:
        raise ValueError(f"{path} has {count} channels: choose one by channel= (0 to {count - 1})")
    channel = 0 if channel is None else channel
    if not 0 <= channel < count:
        raise ValueError(f"channel must be between 0 and {count - 1} for {path}, not {channel}")
    return sound[:, channel]


def _as_fractions(samples: np.ndarray, path: Path) -> np.ndarray:
    """Integers divided by their full scale; floating-point samples as they are, if they can be fractions."""
    if samples.dtype.kind == "u":  # 8-bit WAV files are unsigned, with silence in the middle
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        return ((samples - half) / half).astype(np.float32)
    if samples.dtype.kind == "i":
        return (samples / 2.0 ** (8 * samples.dtype.itemsize - 1)).astype(np.float32)
    if not np.isfinite(samples).all():
        raise ValueError(f"{path} has samples that are not finite numbers: export it again")
    largest = np.abs(samples).max(initial=0)
    if largest > MOST_OVERSHOOT:
        raise ValueError(
            f"{path} has samples up to {largest:g}, not in [-1, 1]: divide them by their full scale"
        )
    return samples.astype(np.float32)


def _read_wav(path: Path) -> tuple[np.ndarray, int]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Reached EOF", category=wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", message="Chunk", category=wavfile.WavFileWarning)
            rate, sound = wavfile.read(path)
    except OSError:
        raise
    except Exception as error:  # damage makes scipy raise many kinds
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} cannot be read ({reason}): export it again as WAV, 16-bit PCM"
        ) from error
    return (sound[:, None] if sound.ndim == 1 else sound), rate


def _read_cbin(path: Path) -> tuple[np.ndarray, int]:
    """Big-endian 16-bit integers, one sample of each channel after the other; the .rec file says how many."""
    header = _read_rec(path.with_suffix(".rec"))
    channels, rate = int(header["Chans"]), int(header["ADFREQ"])
    size = path.stat().st_size
    if size % (2 * channels) or size < 2 * channels * header.get("Samples", 0):
        raise ValueError(
            f"{path} is cut off: it has {size} bytes, other than its .rec file says; copy both again"
        )
    return np.fromfile(path, ">i2").reshape(-1, channels), rate


def _read_rec(path: Path) -> dict:
    """The numbers in the text file of a .cbin: sampling rate ADFREQ, channel count Chans, sample count Samples."""
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: copy it too, it holds the sampling rate of the .cbin file"
        )
    header = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key in ("ADFREQ", "Chans", "Samples"):
            try:
                header[key] = float(value)  # some are written as 3.2000000e+004
            except ValueError as error:
                raise ValueError(
                    f"{path} says {key} = {value!r}, not a number: correct it"
                ) from error
    for key in ("ADFREQ", "Chans"):
        if not header.get(key, 0) >= 1:
            raise ValueError(f"{path} does not say {key}: add a line {key} = NUMBER")
    return header


def _read_other(path: Path) -> tuple[np.ndarray, int]:
    try:
        import soundfile
    except ImportError as error:
        remedy = "convert it to WAV, or pip install soundfile, which reads many formats"
        raise ValueError(f"{path} is neither .wav nor .cbin: {remedy}") from error
    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{path} cannot be read ({error.error_string}): convert it to WAV"
        ) from error
    return sound, rate


READERS = {".wav": _read_wav, ".cbin": _read_cbin}
