"""The voice of a synthetic zebra finch: kinds of syllables drawn at random, and their renditions.

Letters: T samples, C points of a contour, F frequencies.
"""

from typing import NamedTuple

import numpy as np

RATE = 32000  # Hz
INTRODUCTORY, RARE = "i", "r"  # labels beside the motif's a, b, c...

POSITIONS = np.linspace(0, 1, 49)  # where in a syllable its contours are given, (C,)
FREQUENCIES = np.linspace(0, RATE / 2, 65)  # where its timbre is given, Hz, (F,)
HIGHEST = 12000.0  # Hz, of the harmonics
RAMP = 0.004  # s of fading in and out
PURE = np.exp(-FREQUENCIES / 2000)  # a timbre whose harmonics weaken steadily, (F,)
ROOM = 1 / (1 + (FREQUENCIES / 1500) ** 2) + 0.15  # the spectrum of a room's noise, (F,)


class Syllable(NamedTuple):
    """A type of syllable: what its renditions have in common.

    Duration, s; pitch, Hz, share of breath, 0 to 1, and loudness, (C,) each; timbre, amplitudes of
    harmonics and noise by frequency, (F,).
    """

    duration: float
    pitch: np.ndarray
    breath: np.ndarray
    loudness: np.ndarray
    timbre: np.ndarray


def repertoire(bird: int, *, seed: int = 0) -> dict[str, Syllable]:
    """What a bird sings, by label: its motif "a", "b"... in order, the notes "i" and "r".

    Args:
        bird: number of the bird, from 0.
        seed: of the colony.
    """
    random = np.random.default_rng([seed, bird])
    kinds = random.permutation(list(KINDS))  # each at most once: the types of one bird differ
    length = random.integers(4, 8)
    motif = {"abcdefg"[k]: KINDS[kinds[k]](random) for k in range(length)}
    return {**motif, INTRODUCTORY: _introductory(random), RARE: KINDS[kinds[length]](random)}


def rendition(syllable: Syllable, random) -> np.ndarray:
    """One rendition, (T,): pitch, duration, pace, loudness and timbre are a little its own."""
    duration = syllable.duration * np.exp(random.normal(0, 0.07))
    time = np.arange(round(duration * RATE)) / (duration * RATE)  # 0 to 1, (T,)
    pace = time ** np.exp(random.normal(0, 0.15))
    bend = np.exp(random.normal(0, 0.02) + random.normal(0, 0.03) * (POSITIONS - 0.5))
    bend = bend + random.normal(0, 0.003, len(POSITIONS))  # a voice is never quite steady
    pitch = np.interp(pace, POSITIONS, syllable.pitch * bend)
    breath = np.interp(pace, POSITIONS, syllable.breath)
    loudness = np.interp(pace, POSITIONS, syllable.loudness)
    timbre = syllable.timbre * np.exp(random.normal(0, 0.25) * (FREQUENCIES / 4000 - 1))
    sound = (1 - breath) * _harmonics(pitch, timbre) + breath * noise(len(time), timbre, random)
    seconds = time * duration
    fade = np.clip(np.minimum(seconds, duration - seconds) / RAMP, 0, 1)
    gain = 10 ** (random.normal(0, 1.5) / 20)  # a standard deviation of 1.5 dB
    return gain * loudness * np.sin(np.pi / 2 * fade) ** 2 * sound


def _harmonics(pitch: np.ndarray, timbre: np.ndarray) -> np.ndarray:
    """A tone with overtones, (T,), root mean square about 1."""
    timbre = timbre * (FREQUENCIES < HIGHEST)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    before, overtone, twice = np.zeros(len(pitch)), np.sin(phase), 2 * np.cos(phase)
    sound, power = np.zeros(len(pitch)), 0.0
    for number in range(1, int(HIGHEST / pitch.min()) + 1):
        amplitude = np.interp(number * pitch, FREQUENCIES, timbre)
        sound += amplitude * overtone  # sin(number phase)
        power += (amplitude**2).mean() / 2
        before, overtone = overtone, twice * overtone - before
    return sound / np.sqrt(power)


def noise(length: int, timbre: np.ndarray, random) -> np.ndarray:
    """Noise with this spectrum, (length,), root mean square 1."""
    longer = 1 << (length - 1).bit_length()  # a prime length takes ten times as long
    shape = np.interp(np.fft.rfftfreq(longer, 1 / RATE), FREQUENCIES, timbre)
    sound = np.fft.irfft(shape * np.fft.rfft(random.standard_normal(longer)))[:length]
    return sound / sound.std()


def _constant(value: float) -> np.ndarray:
    return np.full(len(POSITIONS), value)


def _timbre(random, peaks: np.ndarray, width: float = 900.0, floor: float = 0.03) -> np.ndarray:
    """Resonances at `peaks` (Hz), each of a level drawn at random, above a floor: (F,)."""
    levels = random.uniform(0.5, 1.0, len(peaks))
    distance = (FREQUENCIES - peaks[:, None]) / width  # (peaks, F)
    return floor + (levels[:, None] * np.exp(-0.5 * distance**2)).sum(0)


def _swell(random) -> np.ndarray:
    """A loudness that rises to a maximum in the syllable and falls, but never to nothing, (C,)."""
    distance = (POSITIONS - random.uniform(0.2, 0.7)) / 0.5
    return 0.45 + 0.55 * np.exp(-0.5 * distance**2)


def _voiced(random, seconds: tuple, pitch, timbre, breath: float = 0.03) -> Syllable:
    """A syllable that lasts between two numbers of seconds, with a constant share of noise."""
    return Syllable(random.uniform(*seconds), pitch, _constant(breath), _swell(random), timbre)


def _stack(random) -> Syllable:
    """A long flat stack of harmonics."""
    base, droop = random.uniform([480, 0.01], [850, 0.06])
    pitch = base * (1 - droop * (2 * POSITIONS - 0.9) ** 2)
    timbre = _timbre(random, random.uniform([1200, 3200, 5500], [2600, 4600, 7000]))
    return _voiced(random, (0.11, 0.19), pitch, timbre)


def _arch(random) -> Syllable:
    """Harmonics that rise and fall."""
    top, base, rise = random.uniform([0.35, 550, 0.5], [0.65, 800, 0.9])
    pitch = base * (1 + rise * np.exp(-(((POSITIONS - top) / 0.25) ** 2)))
    timbre = _timbre(random, random.uniform([1500, 3500], [2500, 5500]), 1300)
    return _voiced(random, (0.09, 0.15), pitch, timbre)


def _sweep(random) -> Syllable:
    """A fall from a high tone to a low one, its harmonics fanning out."""
    high, low, speed = random.uniform([3200, 700, 2.5], [5000, 1100, 5.0])
    pitch = low + (high - low) * np.exp(-speed * POSITIONS)
    timbre = _timbre(random, random.uniform([1500, 3500], [2500, 5000]), 1600)
    return _voiced(random, (0.06, 0.11), pitch, timbre)


def _high(random) -> Syllable:
    """A high note, almost a pure tone."""
    base, slope = random.uniform([3800, -0.12], [6500, 0.12])
    return _voiced(random, (0.05, 0.1), base * (1 + slope * (POSITIONS - 0.5)), PURE, 0.02)


def _trill(random) -> Syllable:
    """A whistle that goes up and down several times."""
    waves, base, phase = random.uniform([2.5, 1900, 0], [4.5, 3000, 6])
    pitch = base * np.exp(0.22 * np.sin(2 * np.pi * waves * POSITIONS + phase))
    return _voiced(random, (0.12, 0.18), pitch, PURE)


def _burst(random) -> Syllable:
    """A burst of noise in a broad band."""
    peak, width = random.uniform([2200, 900], [6500, 1600])
    timbre = _timbre(random, np.array([peak]), width, 0.05)
    return _voiced(random, (0.05, 0.09), _constant(1000.0), timbre, breath=1.0)


def _clicks(random) -> Syllable:
    """A few clicks over all frequencies."""
    count, apart = random.integers(2, 5), random.uniform(0.022, 0.028)
    loudness = 0.02 + 1.6 * np.exp(-8 * (count * POSITIONS % 1))
    timbre = _timbre(random, random.uniform([1500, 4500], [3000, 7500]), 2500, 0.2)
    return Syllable(count * apart, _constant(1000.0), _constant(1.0), loudness, timbre)


def _rasp(random) -> Syllable:
    """Noise that turns into a low stack of harmonics."""
    turn = random.uniform(0.35, 0.6)
    breath = 0.03 + 0.9 / (1 + np.exp((POSITIONS - turn) / 0.03))
    timbre = _timbre(random, random.uniform([1800, 4500], [3200, 6500]), 1200)
    duration, base = random.uniform([0.1, 450], [0.16, 700])
    return Syllable(duration, _constant(base), breath, _swell(random), timbre)


def _introductory(random) -> Syllable:
    """A short soft note with few harmonics."""
    base, fall = random.uniform([900, 0.1], [1300, 0.3])
    timbre = _timbre(random, random.uniform([1500], [3000]), 1200, 0.02)
    note = _voiced(random, (0.035, 0.055), base * (1 - fall * POSITIONS), timbre, breath=0.1)
    return note._replace(loudness=0.6 * note.loudness)


MAKERS = (_stack, _arch, _sweep, _high, _trill, _burst, _clicks, _rasp)
KINDS = {maker.__name__[1:]: maker for maker in MAKERS}
