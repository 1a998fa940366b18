"""A synthetic colony of zebra finches: songs as audio, with the times and labels of syllables.

A stand-in for the recordings of Martinez & Pearson (2021), Appendix A, which goes through the same
files and spectrograms as real song.  Each bird has one motif of four to seven syllables in a fixed
order, as real birds do, an introductory note and one rare syllable.

Letters: T samples, n syllables of a song.
"""

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.spectrograms import SpectrogramSpec, check_integers
from rvae_lite.birdsong.syllables import as_dataset, load_birds
from rvae_lite.birdsong.voice import INTRODUCTORY, RARE, RATE, ROOM, noise, rendition, repertoire
from rvae_lite.data.dataset import Dataset
from rvae_lite.data.folders import info_of
from rvae_lite.storage import write_atomically

PEAK = 0.8  # of full scale, in every song
RARE_SHARE = 0.2  # of the motifs end with the rare syllable instead of their own last one
CUT_SHARE = 0.35  # of the songs stop within their last motif


class SyntheticSong(NamedTuple):
    """Samples, (T,) float32 in [-1, 1]; rate, Hz; onsets and offsets, s; labels, each (n,)."""

    samples: np.ndarray
    rate: int
    onsets: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray


def sing(bird: int, *, song: int = 0, seed: int = 0, num_motifs: int = 3) -> SyntheticSong:
    """One song of one bird: up to three introductory notes, then its motif again and again.

    Args:
        bird: number of the bird, from 0; what it can sing depends on `seed` and on this alone.
        song: number of the song, from 0.
        seed: of the colony.
        num_motifs: how often the motif comes, at least 1; the last one may be cut short.

    Returns:
        Audio at 32 kHz with a peak of 0.8, and its annotation.

    Raises:
        ValueError: a number out of range.
    """
    check_integers(0, bird=bird, song=song, seed=seed)
    check_integers(1, num_motifs=num_motifs)
    syllables = repertoire(bird, seed=seed)
    motif = sorted(set(syllables) - {INTRODUCTORY, RARE})
    random = np.random.default_rng([seed, bird, song + 1])  # with a 0 it were the repertoire's
    starts, sounds, labels, time = [], [], [], 0
    for label, gap in _score(motif, num_motifs, random):
        sounds.append(rendition(syllables[label], random))
        starts.append(time + round(gap * RATE))
        labels.append(label)
        time = starts[-1] + len(sounds[-1])
    length = time + round(random.uniform(0.1, 0.2) * RATE)
    loudness = 10 ** (random.uniform(-47, -41) / 20)  # of the room, some 45 dB below the song
    samples = loudness * noise(length, ROOM, random)
    for start, sound in zip(starts, sounds, strict=True):
        samples[start : start + len(sound)] += sound
    samples *= PEAK / np.abs(samples).max()
    onsets = np.array(starts)
    offsets = onsets + [len(sound) for sound in sounds]
    samples = samples.astype(np.float32)
    return SyntheticSong(samples, RATE, onsets / RATE, offsets / RATE, np.array(labels))


def sing_all(
    *, num_birds: int = 4, songs_per_bird: int = 16, num_motifs: int = 3, seed: int = 0
) -> dict[str, list[SyntheticSong]]:
    """The songs of a whole colony, by the name of the bird: "finch0" and so on.

    A bird does not depend on how many there are.  `num_motifs` and `seed` are those of `sing`.

    Raises:
        ValueError: a number out of range.
    """
    check_integers(1, num_birds=num_birds, songs_per_bird=songs_per_bird)
    colony, common = {}, dict(seed=seed, num_motifs=num_motifs)
    for bird in range(num_birds):
        colony[f"finch{bird}"] = [sing(bird, song=k, **common) for k in range(songs_per_bird)]
    return colony


def write_songs(folder, **colony) -> dict[str, Path]:
    """Write the songs of a colony: song000.wav (16 bits) and song000.csv (onset, offset, label).

    Args:
        folder: where the folders of the birds are made.
        colony: options of `sing_all`.

    Returns:
        Name of each bird -> its folder.

    Raises:
        ValueError: a number out of range, or other files in the folder of a bird.
        OSError: a file cannot be written.
    """
    birds = sing_all(**colony)
    folders = {bird: Path(folder) / bird for bird in birds}
    names = [f"song{number:03d}" for number in range(len(birds["finch0"]))]
    for place in folders.values():
        others = sorted(path.name for path in place.glob("*") if path.stem not in names)
        if others:  # the songs of a larger colony, say, which would be read with the new ones
            problem = f"{place} holds {others[0]}, which is not of this colony"
            raise ValueError(f"{problem}: choose an empty folder")
    for bird, songs in birds.items():
        for name, song in zip(names, songs, strict=True):
            _write_song(folders[bird] / name, song)
    return folders


def _write_song(path: Path, song: SyntheticSong) -> None:
    from scipy.io import wavfile

    wav = io.BytesIO()
    wavfile.write(wav, song.rate, np.rint(song.samples * 32767).astype(np.int16))
    table = "onset,offset,label\n"
    for onset, offset, label in zip(song.onsets, song.offsets, song.labels, strict=True):
        table += f"{onset:.8f},{offset:.8f},{label}\n"
    write_atomically(f"{path}.wav", lambda file: file.write(wav.getvalue()))
    write_atomically(f"{path}.csv", lambda file: file.write(table.encode()))


def load_synthetic_finch(
    *,
    seed: int = 0,
    num_birds: int = 4,
    songs_per_bird: int = 16,
    num_motifs: int = 3,
    size: int = 128,
    axis: str = "mel",
    time: str = "stretch",
    max_duration: float = 0.35,
) -> Dataset:
    """Spectrograms of a synthetic colony, through files as real song: about 1,000 syllables.

    D1 holds the first half of the birds, D2 the others.  A label is one type of one bird:
    `info["label_names"]`.

    Args:
        num_birds: at least 2.
        seed, songs_per_bird, num_motifs: as in `sing_all`.
        size: rows and columns of a spectrogram; axis, time, max_duration: as in `SpectrogramSpec`.

    Raises:
        ValueError: an argument out of range.
    """
    check_integers(2, num_birds=num_birds)
    colony = dict(num_birds=num_birds, songs_per_bird=songs_per_bird, num_motifs=num_motifs)
    shown = dict(axis=axis, time=time, max_duration=max_duration)
    spec = SpectrogramSpec(num_freqs=size, num_times=size, **shown)
    with TemporaryDirectory() as folder:
        folders = write_songs(folder, seed=seed, **colony)
        syllables = load_birds(folders, spec=spec, progress=False)
    part = np.where(np.isin(syllables.birds, list(folders)[: num_birds // 2]), 1, 2)
    return as_dataset(syllables, part, **info_of("synthetic_finch"))


def _score(motif: list, num_motifs: int, random):
    """What is sung in one song: pairs of a label and the silence before it in seconds."""
    silence = random.uniform(0.1, 0.2)
    for _ in range(random.integers(0, 4)):
        yield INTRODUCTORY, silence
        silence = random.uniform(0.06, 0.1)
    for k in range(num_motifs):
        last = RARE if random.random() < RARE_SHARE else motif[-1]
        labels = [*motif[:-1], last]
        if k == num_motifs - 1 and random.random() < CUT_SHARE:
            labels = labels[: random.integers(2, len(labels))]
        for label in labels:
            yield label, silence
            silence = random.uniform(0.025, 0.045)
        silence = random.uniform(0.08, 0.16)
