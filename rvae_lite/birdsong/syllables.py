"""Folders of recordings and their annotations as one set of syllable spectrograms, every bad row named.

Letters: n syllables.
"""

import os
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.extraction import extract_or_recall, open_cache
from rvae_lite.birdsong.songs import Song, find_songs
from rvae_lite.birdsong.spectrograms import (
    DEFAULT,
    SpectrogramSpec,
    check_spec,
    log_range,
    normalise,
)
from rvae_lite.data.dataset import Dataset

MOST_SHOWN = 5


class Syllables(NamedTuple):
    """n syllables.

    spectrograms: (n, 1, num_freqs, num_times) float32 in [0, 1].
    labels: type of each, (n,) text; types of different birds have nothing to do with each other.
    ids: bird/file:row of its annotation, (n,) text, stable from load to load.
    birds: (n,) text.
    onsets, offsets: seconds in the recording, (n,).
    files: recording, relative to the bird's folder, (n,) text.
    info: preprocessing, value_range, skipped and clipped.

    `info["preprocessing"]` holds the settings, and under `normalisation` each bird's range of log-amplitudes;
    `info["skipped"]` maps a reason to the number of syllables left out (of recordings, for those without annotation);
    `info["clipped"]` counts syllables that touch full scale.
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
        birds: name -> folder, searched with its subfolders, or name -> list of (recording, annotation); see
            `find_songs` for what is looked for, and what is preferred, in a folder.
        spec: settings of the spectrograms.
        on_problem: "refuse" where anything is wrong, after all files were read, or "skip": leave the syllables out,
            warn, and count them in `info`.
        channel: of recordings with several.
        columns: names of unusual columns in tables, as for `read_annotations`.
        workers: recordings read at a time; by default one for each processor.
        cache: folder that keeps what was computed, so that an interrupted or repeated call is quick; it serves one
            setting of the spectrograms (percentiles and log_range aside).
        progress: show a bar.

    Raises:
        FileNotFoundError: a folder or file is not there.
        ValueError: recordings or annotations with problems, the file and row of the first few named; an argument or
            setting out of range; or a cache with other settings.

    Example:
        >>> load_birds({"R402": "zebra_finch/R402_avn"}).spectrograms.shape  # doctest: +SKIP
        (709, 1, 128, 128)
    """
    check_spec(spec)
    _check_arguments(birds, on_problem, workers)
    found = [find_songs(bird, source, columns=columns) for bird, source in birds.items()]
    songs = [song for some, _ in found for song in some]
    if cache is not None:
        open_cache(Path(cache), spec)
    read = partial(extract_or_recall, spec=spec, channel=channel, cache=cache)
    extracts = _map(read, songs, workers, progress)
    problems = [problem for _, some in found for problem in some]
    problems += [problem for extract in extracts for problem in extract.problems]
    _report(problems, on_problem)
    syllables = _assemble(list(birds), songs, extracts, spec)
    syllables.info["skipped"] = _count(problems)
    if clipped := syllables.info["clipped"]:
        what = (
            f"{clipped} of {len(syllables.ids)} syllables touch full scale, where sound is cut off"
        )
        warnings.warn(f"{what}: record with less gain if you can", stacklevel=2)
    return syllables


def _check_arguments(birds, on_problem, workers) -> None:
    if not isinstance(birds, dict) or not birds:
        raise ValueError(
            f"birds must be a dictionary, name -> folder or list of pairs, not {birds!r}"
        )
    if on_problem not in ("refuse", "skip"):
        raise ValueError(f"on_problem must be 'refuse' or 'skip', not {on_problem!r}")
    if workers is not None and (
        isinstance(workers, bool) or not isinstance(workers, int) or workers < 1
    ):
        raise ValueError(f"workers must be a positive integer, not {workers!r}")


def as_dataset(
    syllables: Syllables, part, *, name: str, title: str, source: str, licence: str, **info
) -> Dataset:
    """Syllables in the form of `data.load`, for recipes.

    A label is one type of one bird, as types of different birds are unrelated: `info["label_names"]` has "bird/type".

    Args:
        syllables: N syllables.
        part: 1 where a syllable belongs to the first laboratory, 2 where to the second, (N,).
        name, title, source, licence: what and whose it is.
        info: further entries of `info`.
    """
    types = [
        f"{bird}/{label}" for bird, label in zip(syllables.birds, syllables.labels, strict=True)
    ]
    names, labels = np.unique(types, return_inverse=True)
    facts = dict(name=name, title=title, source=source, licence=licence, label_names=names.tolist())
    return Dataset(
        syllables.spectrograms,
        labels,
        syllables.ids,
        np.asarray(part),
        syllables.info | facts | info,
    )


def counts(syllables: Syllables):
    """Number of syllables of each bird and type: a table with columns bird, type, count."""
    import pandas as pd

    table = pd.DataFrame(dict(bird=syllables.birds, type=syllables.labels))
    return table.groupby(["bird", "type"]).size().rename("count").reset_index()


def _map(function, songs: list, workers: int | None, progress: bool) -> list:
    from tqdm import tqdm

    # Threads: nearly all the time passes in functions of numpy and scipy that leave the interpreter to others.
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        return list(
            tqdm(
                pool.map(function, songs),
                total=len(songs),
                desc="songs",
                unit="file",
                disable=not progress,
            )
        )


def _report(problems: list, on_problem: str) -> None:
    """Refuse or warn, naming the first few."""
    if not problems:
        return
    shown = "; ".join(problem.text for problem in problems[:MOST_SHOWN])
    rest = f"; and {len(problems) - MOST_SHOWN} more" if len(problems) > MOST_SHOWN else ""
    if on_problem == "refuse":
        count = f"{len(problems)} problem{'s' * (len(problems) != 1)} with the songs"
        raise ValueError(
            f"{count}: {shown}{rest}; correct them, or leave these out by on_problem='skip'"
        )
    left_out = ", ".join(f"{reason}: {count}" for reason, count in _count(problems).items())
    warnings.warn(f"left out ({left_out}): {shown}{rest}", stacklevel=3)


def _count(problems: list) -> dict:
    count = Counter()
    for problem in problems:
        count[problem.reason] += problem.count
    return dict(count)


def _assemble(birds: list, songs: list, extracts: list, spec: SpectrogramSpec) -> Syllables:
    """One array of all birds, each normalised by itself."""
    total = sum(len(extract.kept) for extract in extracts)
    images = np.empty((total, 1, spec.num_freqs, spec.num_times), np.float32)
    columns, ranges, start = [], {}, 0
    for bird in birds:
        own = [
            (song, extract)
            for song, extract in zip(songs, extracts, strict=True)
            if song.bird == bird
        ]
        stop = start + sum(len(extract.kept) for _, extract in own)
        if start == stop:
            raise ValueError(
                f"there is no usable syllable of bird {bird}: check its folder, or leave it out"
            )
        logs = np.concatenate([extract.images for _, extract in own], out=images[start:stop, 0])
        try:
            ranges[bird] = list(log_range(logs, spec))
        except ValueError as error:
            raise ValueError(f"bird {bird}: {error}") from error
        normalise(logs, *ranges[bird], out=logs)
        columns += [_columns_of(song, extract.kept) for song, extract in own]
        start = stop
    info = dict(
        preprocessing=spec.as_dict() | dict(normalisation=ranges),
        value_range=(0.0, 1.0),
        skipped={},
        clipped=sum(int(extract.clipped.sum()) for extract in extracts),
    )
    return Syllables(images, *(np.concatenate(parts) for parts in zip(*columns, strict=True)), info)


def _columns_of(song: Song, kept: np.ndarray) -> tuple:
    """labels, ids, birds, onsets, offsets and files of the syllables kept."""
    rows = song.annotations.take(kept)
    ids = np.array([f"{song.bird}/{song.name}:{row}" for row in rows.rows.tolist()], np.str_)
    same = [np.full(len(kept), text, f"<U{len(text)}") for text in (song.bird, song.name)]
    return rows.labels, ids, same[0], rows.onsets, rows.offsets, same[1]
