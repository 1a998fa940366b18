"""The voice of a synthetic zebra finch: kinds of syllables drawn at random, and their renditions as audio.

Letters: T samples, C points of a contour, F frequencies.
"""

from typing import NamedTuple

import numpy as np

RATE = 32000  # Hz
INTRODUCTORY, RARE = "i", "r"  # labels beside the motif's a, b, c...

POSITIONS = np.linspace(0, 1, 49)  # where in a syllable its contours are given
FREQUENCIES = np.linspace(0, RATE / 2, 65)  # where its timbre is given, Hz
HIGHEST = 12000.0  # Hz, of the harmonics
RAMP = 0.004  # s of fading in and out


class Syllable(NamedTuple):
    """A type of syllable: what its renditions have in common.

    duration: s.
    pitch: fundamental frequency, Hz, (C,).
    breath: share of noise in the sound, 0 to 1, (C,).
    loudness: amplitude, (C,).
    timbre: amplitude of harmonics and noise by frequency, (F,).
    """

    duration: float
    pitch: np.ndarray
    breath: np.ndarray
    loudness: np.ndarray
    timbre: np.ndarray


def repertoire(bird: int, *, seed: int = 0) -> dict[str, Syllable]:
    """What a bird sings, by label: its motif "a", "b"... in order, the introductory note "i", the rare syllable "r".

    Args:
        bird: number of the bird, from 0.
        seed: of the colony.
    """
    random = np.random.default_rng([seed, bird])
    kinds = random.permutation(
        list(KINDS)
    )  # each at most once, so that the types of one bird differ
    length = random.integers(4, 8)
    motif = {"abcdefg"[k]: KINDS[kinds[k]](random) for k in range(length)}
    return {**motif, INTRODUCTORY: _introductory(random), RARE: KINDS[kinds[length]](random)}


def render(syllable: Syllable, random) -> np.ndarray:
    """One rendition, (T,): pitch, duration, pace, loudness and timbre are a little its own."""
    duration = syllable.duration * np.exp(random.normal(0, 0.07))
    time = np.arange(round(duration * RATE)) / (duration * RATE)  # 0 to 1, (T,)
    pace = time ** np.exp(random.normal(0, 0.15))
    bend = np.exp(random.normal(0, 0.02) + random.normal(0, 0.03) * (POSITIONS - 0.5))
    bend = bend + random.normal(0, 0.003, len(POSITIONS))  # a voice is never quite steady
    pitch, breath, loudness = (
        np.interp(pace, POSITIONS, contour)
        for contour in (syllable.pitch * bend, syllable.breath, syllable.loudness)
    )
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
    longer = (
        1 << (length - 1).bit_length()
    )  # a power of two: a prime length would take ten times as long
    shape = np.interp(np.fft.rfftfreq(longer, 1 / RATE), FREQUENCIES, timbre)
    sound = np.fft.irfft(shape * np.fft.rfft(random.standard_normal(longer)))[:length]
    return sound / sound.std()


def _timbre(random, *peaks, width: float = 900.0, floor: float = 0.03) -> np.ndarray:
    """Resonances around the frequencies of `peaks` (Hz), each of a level drawn at random, above a floor: (F,)."""
    levels = random.uniform(0.5, 1.0, len(peaks))
    distance = (FREQUENCIES - np.array(peaks)[:, None]) / width  # (peaks, F)
    return floor + (levels[:, None] * np.exp(-0.5 * distance**2)).sum(0)


def _swell(random) -> np.ndarray:
    """A loudness that rises to a maximum somewhere in the syllable and falls, but never to nothing, (C,)."""
    distance = (POSITIONS - random.uniform(0.2, 0.7)) / 0.5
    return 0.45 + 0.55 * np.exp(-0.5 * distance**2)


def _constant(value: float) -> np.ndarray:
    return np.full(len(POSITIONS), value)


def _stack(random) -> Syllable:
    """A long flat stack of harmonics."""
    pitch = random.uniform(480, 850) * (1 - random.uniform(0.01, 0.06) * (2 * POSITIONS - 0.9) ** 2)
    timbre = _timbre(
        random, random.uniform(1200, 2600), random.uniform(3200, 4600), random.uniform(5500, 7000)
    )
    return Syllable(random.uniform(0.11, 0.19), pitch, _constant(0.03), _swell(random), timbre)


def _arch(random) -> Syllable:
    """Harmonics that rise and fall."""
    top = random.uniform(0.35, 0.65)
    pitch = random.uniform(550, 800) * (
        1 + random.uniform(0.5, 0.9) * np.exp(-(((POSITIONS - top) / 0.25) ** 2))
    )
    timbre = _timbre(random, random.uniform(1500, 2500), random.uniform(3500, 5500), width=1300)
    return Syllable(random.uniform(0.09, 0.15), pitch, _constant(0.03), _swell(random), timbre)


def _sweep(random) -> Syllable:
    """A fall from a high tone to a low one, its harmonics fanning out."""
    high, low = random.uniform(3200, 5000), random.uniform(700, 1100)
    pitch = low + (high - low) * np.exp(-random.uniform(2.5, 5.0) * POSITIONS)
    timbre = _timbre(random, random.uniform(1500, 2500), random.uniform(3500, 5000), width=1600)
    return Syllable(random.uniform(0.06, 0.11), pitch, _constant(0.03), _swell(random), timbre)


def _high(random) -> Syllable:
    """A high note, almost a pure tone."""
    pitch = random.uniform(3800, 6500) * (1 + random.uniform(-0.12, 0.12) * (POSITIONS - 0.5))
    return Syllable(
        random.uniform(0.05, 0.1), pitch, _constant(0.02), _swell(random), _constant_timbre()
    )


def _trill(random) -> Syllable:
    """A whistle that goes up and down several times."""
    waves = random.uniform(2.5, 4.5)
    pitch = random.uniform(1900, 3000) * np.exp(
        0.22 * np.sin(2 * np.pi * waves * POSITIONS + random.uniform(0, 6))
    )
    return Syllable(
        random.uniform(0.12, 0.18), pitch, _constant(0.03), _swell(random), _constant_timbre()
    )


def _constant_timbre() -> np.ndarray:
    """Harmonics that weaken steadily, so that the fundamental prevails, (F,)."""
    return np.exp(-FREQUENCIES / 2000)


def _burst(random) -> Syllable:
    """A burst of noise in a broad band."""
    timbre = _timbre(
        random, random.uniform(2200, 6500), width=random.uniform(900, 1600), floor=0.05
    )
    return Syllable(
        random.uniform(0.05, 0.09), _constant(1000.0), _constant(1.0), _swell(random), timbre
    )


def _clicks(random) -> Syllable:
    """A few clicks over all frequencies."""
    count, duration = random.integers(2, 5), random.uniform(0.022, 0.028)
    phase = count * POSITIONS % 1
    loudness = 0.02 + 1.6 * np.exp(-8 * phase)
    timbre = _timbre(
        random, random.uniform(1500, 3000), random.uniform(4500, 7500), width=2500, floor=0.2
    )
    return Syllable(count * duration, _constant(1000.0), _constant(1.0), loudness, timbre)


def _rasp(random) -> Syllable:
    """Noise that turns into a low stack of harmonics."""
    turn = random.uniform(0.35, 0.6)
    breath = 0.03 + 0.9 / (1 + np.exp((POSITIONS - turn) / 0.03))
    timbre = _timbre(random, random.uniform(1800, 3200), random.uniform(4500, 6500), width=1200)
    return Syllable(
        random.uniform(0.1, 0.16),
        _constant(random.uniform(450, 700)),
        breath,
        _swell(random),
        timbre,
    )


KINDS = dict(
    stack=_stack,
    arch=_arch,
    sweep=_sweep,
    high=_high,
    trill=_trill,
    burst=_burst,
    clicks=_clicks,
    rasp=_rasp,
)


def _introductory(random) -> Syllable:
    """A short soft note with few harmonics."""
    pitch = random.uniform(900, 1300) * (1 - random.uniform(0.1, 0.3) * POSITIONS)
    timbre = _timbre(random, random.uniform(1500, 3000), width=1200, floor=0.02)
    return Syllable(
        random.uniform(0.035, 0.055), pitch, _constant(0.1), 0.6 * _swell(random), timbre
    )
