"""Folders of recordings and annotations as one set of n syllables, each bad row named."""

import os
import warnings
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.annotations import Problem
from rvae_lite.birdsong.extraction import Extract, extract_or_recall, open_cache
from rvae_lite.birdsong.segments import Segments, songs_of_segments
from rvae_lite.birdsong.songs import Song, find_songs
from rvae_lite.birdsong.spectrograms import SpectrogramSpec, check_spec, log_range, normalise
from rvae_lite.data.dataset import Dataset

DEFAULT = SpectrogramSpec()
MOST_SHOWN = 5  # problems in one message


class Syllables(NamedTuple):
    """n syllables.

    Attributes:
        spectrograms: (n, 1, num_freqs, num_times) float32 in [0, 1].
        labels: type of each, (n,) text; those of different birds are unrelated.
        ids: `bird/file:row` of its annotation, (n,) text, stable from load to load.
        birds, files: name, and recording below the bird's folder, (n,) text.
        onsets, offsets: seconds in the recording, (n,).
        info: value_range; preprocessing, the settings with each bird's range of log-amplitudes as
            `normalisation`; skipped, reason -> number of syllables left out (or of recordings);
            clipped, the number of syllables that touch full scale.
    """

    spectrograms: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    birds: np.ndarray
    onsets: np.ndarray
    offsets: np.ndarray
    files: np.ndarray
    info: dict

    def take(self, index) -> "Syllables":
        """The syllables at `index` (integers, a mask or a slice)."""
        return Syllables(*(field[index] for field in self[:-1]), self.info)


def load_birds(
    birds: dict,
    *,
    spec: SpectrogramSpec = DEFAULT,
    on_problem: str = "refuse",
    channel: int | None = None,
    columns: dict | None = None,
    workers: int | None = None,
    cache=None,
    progress: bool = True,
) -> Syllables:
    """Spectrograms of all annotated syllables of some birds.

    Args:
        birds: name -> folder or list of (recording, annotation), as for `find_songs`, or
            `Segments`, as `read_segments` gives them.
        spec: settings of the spectrograms.
        on_problem: "refuse" where anything is wrong, after all files were read, or "skip": leave
            the syllables out, warn, and count them in `info`.
        channel: of recordings with several.
        columns: names of unusual columns in tables, as for `read_annotations`.
        workers: recordings read at a time; by default one for each processor.
        cache: folder that keeps what was computed, so that an interrupted or repeated call is
            quick; it holds one setting of the spectrograms (percentiles and log_range aside).
        progress: show a bar.

    Raises:
        FileNotFoundError: a folder or file is not there.
        ValueError: problems with files, the first few named; an argument or setting out of range;
            a cache with other settings.

    Example:
        >>> load_birds({"R402": "zebra_finch/R402_avn"}).spectrograms.shape  # doctest: +SKIP
        (709, 1, 128, 128)
    """
    check_spec(spec)
    check_options(on_problem, workers)
    songs, problems = songs_of(birds, columns=columns)
    options = dict(spec=spec, channel=channel, workers=workers, cache=cache, progress=progress)
    read = list(extracts(songs, **options))
    for _, extract in read:
        problems += extract.problems
    skipped = report(problems, on_problem)
    syllables = _assemble(list(birds), read, spec)
    syllables.info["skipped"] = skipped
    warn_of_clipped(syllables.info["clipped"], len(syllables.ids))
    return syllables


def check_options(on_problem: str, workers: int | None) -> None:
    """Raises ValueError for what is no way to treat problems, or no number of workers."""
    if on_problem not in ("refuse", "skip"):
        raise ValueError(f"on_problem must be 'refuse' or 'skip', not {on_problem!r}")
    whole = isinstance(workers, (int, np.integer)) and not isinstance(workers, bool)
    if workers is not None and not (whole and workers >= 1):
        raise ValueError(f"workers must be a positive integer, not {workers!r}")


def songs_of(birds: dict, *, columns: dict | None = None) -> tuple[list[Song], list[Problem]]:
    """The annotated recordings of some birds, and what is wrong; arguments as for `load_birds`."""
    if not isinstance(birds, dict) or not birds:
        needed = "a dictionary, name -> folder or list of pairs"
        raise ValueError(f"birds must be {needed}, not {birds!r}")
    songs, problems = [], []
    for bird, source in birds.items():
        if isinstance(source, Segments):
            found, wrong = songs_of_segments(bird, source)
        else:
            found, wrong = find_songs(bird, source, columns=columns)
        songs += found
        problems += wrong
    return songs, problems


def extracts(
    songs: list[Song],
    *,
    spec: SpectrogramSpec = DEFAULT,
    channel: int | None = None,
    workers: int | None = None,
    cache=None,
    progress: bool = True,
) -> Iterator[tuple[Song, Extract]]:
    """The songs in their order, each with its images; few are in memory at a time.

    Arguments as for `load_birds`.
    """
    from tqdm import tqdm

    check_spec(spec)
    if cache is not None:
        open_cache(Path(cache), spec)
    read = partial(extract_or_recall, spec=spec, channel=channel, cache=cache)
    count = workers or os.cpu_count()
    bar = dict(total=len(songs), desc="songs", unit="file", disable=not progress)
    # Threads: numpy and scipy leave the interpreter to others nearly all the time.
    with ThreadPoolExecutor(count) as pool, tqdm(**bar) as shown:
        waiting = deque()
        for number, song in enumerate(songs):
            waiting.append((song, pool.submit(read, song)))
            while waiting and (len(waiting) > 2 * count or number == len(songs) - 1):
                song, made = waiting.popleft()
                yield song, made.result()
                shown.update()


def warn_of_clipped(clipped: int, count: int) -> None:
    """Warn where so many of the syllables touch full scale."""
    if clipped:
        touching = f"{clipped} of {count} syllables touch full scale"
        remedy = "record with less gain if you can"
        warnings.warn(f"{touching}, where sound is cut off: {remedy}", stacklevel=3)


def as_dataset(syllables: Syllables, part, **info) -> Dataset:
    """Syllables in the form of `data.load`.

    A label is one type of one bird, as types of different birds are unrelated:
    `info["label_names"]` has "bird/type".

    Args:
        syllables: N syllables.
        part: 1 where a syllable belongs to the first laboratory, 2 where to the second, (N,).
        info: entries of `info`: name, title, source, licence and more.
    """
    types = np.char.add(np.char.add(syllables.birds, "/"), syllables.labels)
    names, labels = np.unique(types, return_inverse=True)
    info = {**syllables.info, **info, "label_names": names.tolist()}
    return Dataset(syllables.spectrograms, labels, syllables.ids, np.asarray(part), info)


def report(problems: list[Problem], on_problem: str) -> dict[str, int]:
    """Refuse or warn, naming the first few; returns the number of syllables for each reason."""
    count = Counter()
    for problem in problems:
        count[problem.reason] += problem.count
    shown = "; ".join(problem.text for problem in problems[:MOST_SHOWN])
    if len(problems) > MOST_SHOWN:
        shown += f"; and {len(problems) - MOST_SHOWN} more"
    if problems and on_problem == "refuse":
        number = f"{len(problems)} problem{'s' * (len(problems) != 1)} with the songs"
        remedy = "correct them, or leave these out by on_problem='skip'"
        raise ValueError(f"{number}: {shown}; {remedy}")
    if problems:
        left_out = ", ".join(f"{reason}: {number}" for reason, number in count.items())
        warnings.warn(f"left out ({left_out}): {shown}", stacklevel=3)
    return dict(count)


def _assemble(birds: list, read: list[tuple[Song, Extract]], spec: SpectrogramSpec) -> Syllables:
    """One array of all birds, each normalised by itself."""
    total = sum(len(extract.kept) for _, extract in read)
    images = np.empty((total, 1, spec.num_freqs, spec.num_times), np.float32)
    columns, ranges, start = [], {}, 0
    for bird in birds:
        own = [(song, extract) for song, extract in read if song.bird == bird]
        stop = start + sum(len(extract.kept) for _, extract in own)
        if start == stop:
            raise no_syllable(bird)
        logs = np.concatenate([extract.images for _, extract in own], out=images[start:stop, 0])
        try:
            ranges[bird] = list(log_range(logs, spec))
        except ValueError as error:
            raise ValueError(f"bird {bird}: {error}") from error
        normalise(logs, *ranges[bird], out=logs)
        columns += [columns_of(song, extract.kept) for song, extract in own]
        start = stop
    preprocessing = {**spec.as_dict(), "normalisation": ranges}
    info = dict(preprocessing=preprocessing, value_range=(0.0, 1.0), skipped={})
    info["clipped"] = sum(int(extract.clipped.sum()) for _, extract in read)
    return Syllables(images, *map(np.concatenate, zip(*columns, strict=True)), info)


def no_syllable(bird: str) -> ValueError:
    """What is said of a bird of which nothing can be used."""
    remedy = "check its folder, or leave it out"
    return ValueError(f"there is no usable syllable of bird {bird}: {remedy}")


def columns_of(song: Song, kept: np.ndarray) -> tuple:
    """labels, ids, birds, onsets, offsets and files of the syllables kept."""
    rows = song.annotations.take(kept)
    ids = [f"{song.bird}/{song.name}:{row}" for row in rows.rows.tolist()]
    birds, files = np.full(len(kept), song.bird), np.full(len(kept), song.name)
    return rows.labels, np.array(ids, np.str_), birds, rows.onsets, rows.offsets, files
