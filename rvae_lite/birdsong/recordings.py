"""Recordings of sound as numbers in [-1, 1]: WAV, FLAC, and the .cbin files of Evsonganaly.

Letters: T samples.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.arrays import is_whole
from rvae_lite.birdsong.headers import check_flac, check_riff
from rvae_lite.readers.cells import number
from rvae_lite.readers.files import content_of, opened, size_of

CLIPPED = 0.9999  # from here on a sample was cut off: 16 bits end at 32767 / 32768
MOST_BYTES = 2**31  # that the samples of all channels may take, or 16 times the file's size
FLAC_BITS = dict(PCM_S8=8, PCM_16=16, PCM_24=24)  # of a sample
MOST_REC = 2**20  # bytes of a .rec file
MOST_OVERSHOOT = 2.0  # beyond it, floating-point samples are in other units

# What libsndfile notes of a header that contradicts itself or the size of the file.
CONTRADICTION = re.compile(r"(?:data|Bytes/sec|Block Align) *: \d+ \(should be \d+\)")


class Recording(NamedTuple):
    """One channel of sound: samples in [-1, 1], (T,) float32, and their rate in Hz."""

    samples: np.ndarray
    rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


def read_recording(path, *, channel: int | None = None) -> Recording:
    """Read one channel of a sound file.

    Args:
        path: a .cbin file (Evsonganaly) with its .rec file beside it, or what soundfile reads:
            .wav, .flac and many more.
        channel: counted from 0; by default the only one, of a .cbin file 0, which holds the song.

    Returns:
        The samples as fractions of full scale; those of a floating-point file may overshoot 1.

    Raises:
        FileNotFoundError: there is no such file, or a .cbin file has no .rec file.
        PermissionError: it may not be read.
        ValueError: no regular file, damaged, silent, of an unknown format or of more than 2 GiB of
            samples and 16 times its own size; its header says another number of samples than it
            holds; or it has several channels and none was chosen.
    """
    path = Path(path)
    size_of(path, "recording")
    is_cbin = path.suffix.lower() == ".cbin"
    sound, rate = _read_cbin(path) if is_cbin else _read_sound(path)  # (T, channels)
    last = sound.shape[1] - 1
    if channel is not None and not is_whole(channel):
        raise ValueError(f"channel must be an integer, not {channel!r}")
    if channel is None and last > 0 and not is_cbin:
        raise ValueError(f"{path} has {last + 1} channels: choose one by channel= (0 to {last})")
    channel = 0 if channel is None else channel
    if not 0 <= channel <= last:
        raise ValueError(f"channel must be between 0 and {last} for {path}, not {channel}")
    samples = np.ascontiguousarray(sound[:, channel])
    if not np.isfinite(samples).all():
        raise ValueError(f"{path} has samples that are not finite numbers: export it again")
    largest = np.abs(samples).max(initial=0)
    if largest > MOST_OVERSHOOT:
        problem = f"has samples up to {largest:g}, not in [-1, 1]"
        raise ValueError(f"{path} {problem}: divide them by their full scale")
    if largest == 0:
        raise ValueError(f"{path} has no sound ({len(samples)} samples, all zero): leave it out")
    return Recording(samples, rate)


def _read_sound(path: Path) -> tuple[np.ndarray, int]:
    """All channels, (T, channels) float32, and the rate."""
    import soundfile

    remedy = "convert it to WAV"
    if path.suffix.lower() == ".wav":
        remedy = "export it again as WAV, 16-bit PCM"
    limit = max(MOST_BYTES, 16 * size_of(path, "recording"))
    try:
        with opened(path, "recording") as content:
            check_riff(content)
            os.lseek(content.fileno(), 0, os.SEEK_SET)
            # libsndfile asks the system itself: places that a header makes up raise nothing here.
            with soundfile.SoundFile(content.fileno(), closefd=False) as file:
                rate, expected = file.samplerate, file.frames
                if 4 * expected * file.channels > limit:
                    raise ValueError(f"its header says {expected} samples: more than are read")
                sound = file.read(dtype="float32", always_2d=True)
                fault = CONTRADICTION.search(file.extra_info)
                bits = FLAC_BITS.get(file.subtype) if file.format == "FLAC" else None
            if bits:
                check_flac(content, sound, bits)
    except (soundfile.SoundFileRuntimeError, ValueError) as error:
        reason = " ".join(str(getattr(error, "error_string", error)).split())
        raise ValueError(f"{path} cannot be read ({reason}): {remedy}") from error
    if fault or len(sound) < expected:
        reason = fault[0] if fault else f"{expected} samples: {len(sound)} are there"
        raise ValueError(f"{path} cannot be read (its header says {reason}): {remedy}")
    return sound, rate


def _read_cbin(path: Path) -> tuple[np.ndarray, int]:
    """Big-endian 16-bit integers, one sample of each channel after the other."""
    header = _read_rec(path.with_suffix(".rec"))
    channels, size = int(header["Chans"]), size_of(path, "recording")
    expected = 2 * channels * int(header.get("Samples", 0))
    if size % (2 * channels) or (expected and size != expected):
        found = f"it has {size} bytes, other than its .rec file says"
        wrong = "belongs to another .rec file" if size > expected > 0 else "is cut off"
        raise ValueError(f"{path} {wrong}: {found}; copy both again")
    content = content_of(path, "recording", limit=2 * MOST_BYTES)
    sound = np.frombuffer(content, ">i2").reshape(-1, channels)
    return sound / np.float32(2**15), round(header["ADFREQ"])


def _read_rec(path: Path) -> dict:
    """The numbers in the text beside a .cbin: sampling rate ADFREQ, counts Chans and Samples."""
    if not path.exists():
        remedy = "copy it too, it holds the sampling rate of the .cbin file"
        raise FileNotFoundError(f"there is no {path}: {remedy}")
    header, text = {}, content_of(path, ".rec file", limit=MOST_REC).decode("latin-1")
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key not in ("ADFREQ", "Chans", "Samples"):
            continue
        found = number(value)  # some are written as 3.2000000e+004
        if found is None or np.isnan(found):
            raise ValueError(f"{path} says {key} = {value[:40]!r}, not a number: correct it")
        possible = (key == "Samples" or found >= 1) and 0 <= found < 2**31
        if key != "ADFREQ" and (not possible or found % 1):
            raise ValueError(f"{path} says {key} = {value[:40]}, which cannot be: correct it")
        if possible and header.setdefault(key, found) != found:
            raise ValueError(f"{path} says {key} twice: leave the line that is right")
    for key in ("ADFREQ", "Chans"):
        if key not in header:
            raise ValueError(f"{path} does not say {key}: add a line {key} = NUMBER")
    return header
