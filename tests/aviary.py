"""Small made-up songs with their annotations, for the tests of recordings."""

import os

import numpy as np
from scipy.io import savemat, wavfile

from rvae_lite.birdsong.spectrograms import SpectrogramSpec
from rvae_lite.data import DATA_VARIABLE

RATE = 32000
SMALL = SpectrogramSpec(num_freqs=16, num_times=20)
TIMES = [(0.1, 0.2), (0.25, 0.45), (0.5, 0.53)]
REAL = os.environ.get(DATA_VARIABLE)


def song(times=TIMES, *, rate=RATE, seconds=0.8, gain=0.3, seed=0):
    """Rising tones with an overtone at the times, over a little noise: (T,) float64."""
    random, t = np.random.default_rng(seed), np.arange(round(seconds * rate)) / rate
    sound = 1e-3 * random.standard_normal(len(t))
    for i, (onset, offset) in enumerate(times):
        inside = (t >= onset) & (t < offset)
        phase = 2 * np.pi * ((700 + 600 * i) * t + 2000 * (t - onset) ** 2)
        sound += inside * (np.sin(phase) + 0.4 * np.sin(2 * phase))
    return gain * sound


def write_wav(path, samples, *, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(
        path, rate, np.clip(np.rint(np.asarray(samples) * 32768), -32768, 32767).astype(np.int16)
    )
    return path


def write_table(path, rows, *, header="onset,offset,label"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8"
    )
    return path


def write_not_mat(path, rows):
    onsets, offsets, labels = zip(*rows, strict=True)
    content = dict(
        onsets=1000 * np.array(onsets), offsets=1000 * np.array(offsets), labels="".join(labels)
    )
    savemat(path, content)
    return path


def labelled(times=TIMES):
    return [(*pair, "abc"[i % 3]) for i, pair in enumerate(times)]


def write_bird(folder, *, songs=2, times=TIMES, gain=0.3):
    """Recordings s0.wav, s1.wav, ... with a table beside each."""
    for i in range(songs):
        write_wav(folder / f"s{i}.wav", song(times, gain=gain, seed=i))
        write_table(folder / f"s{i}.csv", labelled(times))
    return folder
