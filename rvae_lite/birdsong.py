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

from rvae_lite.annotations import Annotations, check_annotations
from rvae_lite.recordings import Recording, read_recording
from rvae_lite.songs import Problem, Song, find_songs
from rvae_lite.spectrograms import SpectrogramSpec, check_spec, log_range, normalise, spectrograms
from rvae_lite.storage import differences, load_arrays, save_arrays

CACHE_KIND, CACHE_VERSION = "song cache", 1
FULL_SCALE = 32767 / 32768  # of 16-bit samples; a sample there was probably cut off
MOST_SHOWN = 5


class Syllables(NamedTuple):
    """n syllables.

    spectrograms: (n, 1, num_freqs, num_times) float32 in [0, 1].
    labels: type of each, (n,) text; types of different birds have nothing to do with each other.
    ids: bird/file:row of its annotation, (n,) text, stable from load to load.
    birds: (n,) text.
    onsets, offsets: seconds in the recording, (n,).
    files: recording, relative to the bird's folder, (n,) text.
    info: preprocessing (the settings, and under `normalisation` each bird's range of log-amplitudes), value_range,
        skipped (reason -> number of syllables left out; of recordings for those without annotation) and clipped.
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


class _Extract(NamedTuple):
    """What one recording gave: images of the good syllables, which rows of its annotation they are, what was wrong."""

    images: np.ndarray
    kept: np.ndarray
    clipped: np.ndarray
    problems: list


def load_birds(
    birds: dict,
    *,
    spec: SpectrogramSpec = SpectrogramSpec(),  # noqa: B008
    on_problem: str = "refuse",
    channel: int | None = None,
    columns: dict | None = None,
    workers: int | None = None,
    cache=None,
    progress: bool = True,
) -> Syllables:
    """Spectrograms of all annotated syllables of some birds.

    Args:
        birds: name -> folder, searched with its subfolders, or name -> list of (recording, annotation), the latter a
            file or Annotations.  In a folder a table with a column of file names is preferred to the annotation beside
            a recording: song.csv, song.tsv, song.wav.not.mat, song.txt, in this order.
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
    if on_problem not in ("refuse", "skip"):
        raise ValueError(f"on_problem must be 'refuse' or 'skip', not {on_problem!r}")
    found = [find_songs(bird, source, columns=columns) for bird, source in birds.items()]
    songs = [song for some, _ in found for song in some]
    if cache is not None:
        _open_cache(Path(cache), spec)
    read = partial(_extract_or_recall, spec=spec, channel=channel, cache=cache)
    extracts = _map(read, songs, workers, progress)
    problems = [problem for _, some in found for problem in some]
    _report(problems + [problem for extract in extracts for problem in extract.problems], on_problem)
    return _assemble(list(birds), songs, extracts, spec, problems)


def counts(syllables: Syllables):
    """Number of syllables of each bird and type: a table with columns bird, type, count."""
    import pandas as pd

    table = pd.DataFrame(dict(bird=syllables.birds, type=syllables.labels))
    return table.groupby(["bird", "type"]).size().rename("count").reset_index()


def _map(function, songs: list, workers: int | None, progress: bool) -> list:
    from tqdm import tqdm

    # Threads: nearly all the time passes in functions of numpy and scipy that leave the interpreter to others.
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        return list(tqdm(pool.map(function, songs), total=len(songs), desc="songs", unit="file", disable=not progress))


def _extract(song: Song, spec: SpectrogramSpec, channel: int | None) -> _Extract:
    annotations = song.annotations
    try:
        recording = read_recording(song.audio, channel=channel)
        if recording.rate < 2 * spec.max_freq:
            reach = f"{recording.rate} Hz hold nothing above {recording.rate / 2:g} Hz"
            raise ValueError(f"{song.audio}: {reach}, lower max_freq = {spec.max_freq:g} for all birds")
    except (ValueError, FileNotFoundError) as error:
        nothing = np.empty((0, spec.num_freqs, spec.num_times), np.float32)
        problem = Problem("unusable recording", str(error), max(1, len(annotations.rows)))
        return _Extract(nothing, np.empty(0, int), np.empty(0, bool), [problem])
    problems = _row_problems(song, recording, spec)
    kept = np.flatnonzero(~np.isin(annotations.rows, list(problems)))
    onsets = annotations.onsets[kept]
    offsets = np.minimum(annotations.offsets[kept], recording.duration)  # times in tables are rounded
    images = spectrograms(recording, onsets, offsets, spec=spec)
    clipped = np.array([_is_clipped(recording, *times) for times in zip(onsets, offsets, strict=True)], bool)
    return _Extract(images, kept, clipped, list(problems.values()))


def _row_problems(song: Song, recording: Recording, spec: SpectrogramSpec) -> dict:
    """row -> Problem, of one recording's annotation."""
    annotations = song.annotations
    position = {row: i for i, row in enumerate(annotations.rows.tolist())}
    problems = {}
    for row, text in check_annotations(annotations, path=song.source, duration=recording.duration):
        reason = _reason(annotations.onsets[position[row]], annotations.offsets[position[row]], recording.duration)
        problems[row] = Problem(reason, text)
    for row, i in position.items():
        seconds = annotations.offsets[i] - annotations.onsets[i]
        where = f"{song.source}, row {row}: a syllable of {seconds:.4g} s"
        if row not in problems and seconds > spec.max_duration:
            text = f"{where} is longer than max_duration = {spec.max_duration:g} s: raise max_duration for all birds"
            problems[row] = Problem("too long", text)
        elif row not in problems and seconds < spec.min_duration:
            problems[row] = Problem("too short", f"{where} is too short to be seen ({spec.min_duration:.2g} s)")
    return problems


def _reason(onset: float, offset: float, duration: float) -> str:
    if not np.isfinite(onset + offset) or onset < 0:
        return "time missing or negative"
    if onset >= offset:
        return "zero length" if onset == offset else "onset after offset"
    return "outside the recording" if offset > duration else "overlap"


def _is_clipped(recording: Recording, onset: float, offset: float) -> bool:
    inside = recording.samples[int(onset * recording.rate) : int(offset * recording.rate)]
    return bool((np.abs(inside) >= FULL_SCALE).any())


def _open_cache(folder: Path, spec: SpectrogramSpec) -> None:
    raise NotImplementedError


def _extract_or_recall(song: Song, *, spec: SpectrogramSpec, channel: int | None, cache) -> _Extract:
    if cache is None:
        return _extract(song, spec, channel)
    raise NotImplementedError


def _report(problems: list, on_problem: str) -> None:
    """Refuse or warn, naming the first few."""
    if not problems:
        return
    shown = "; ".join(problem.text for problem in problems[:MOST_SHOWN])
    rest = f"; and {len(problems) - MOST_SHOWN} more" if len(problems) > MOST_SHOWN else ""
    if on_problem == "refuse":
        count = f"{len(problems)} problem{'s' * (len(problems) != 1)} with the songs"
        raise ValueError(f"{count}: {shown}{rest}; correct them, or leave these out by on_problem='skip'")
    left_out = ", ".join(f"{reason}: {count}" for reason, count in _count(problems).items())
    warnings.warn(f"left out ({left_out}): {shown}{rest}", stacklevel=3)


def _count(problems: list) -> dict:
    count = Counter()
    for problem in problems:
        count[problem.reason] += problem.count
    return dict(count)


def _assemble(birds: list, songs: list, extracts: list, spec: SpectrogramSpec, problems: list) -> Syllables:
    """One array of all birds, each normalised by itself."""
    total = sum(len(extract.kept) for extract in extracts)
    images = np.empty((total, 1, spec.num_freqs, spec.num_times), np.float32)
    columns, ranges, start = [], {}, 0
    for bird in birds:
        own = [(song, extract) for song, extract in zip(songs, extracts, strict=True) if song.bird == bird]
        logs = np.concatenate([extract.images for _, extract in own]) if own else ()
        if not len(logs):
            raise ValueError(f"there is no usable syllable of bird {bird}: check its folder, or leave it out")
        ranges[bird] = list(log_range(logs, spec))
        images[start : start + len(logs), 0] = normalise(logs, *ranges[bird])
        start += len(logs)
        columns += [_columns_of(song, extract.kept) for song, extract in own]
    clipped = sum(int(extract.clipped.sum()) for extract in extracts)
    if clipped:
        warnings.warn(f"{clipped} of {total} syllables touch full scale: lower the gain if you can", stacklevel=3)
    info = dict(
        preprocessing=spec.as_dict() | dict(normalisation=ranges),
        value_range=(0.0, 1.0),
        skipped=_count(problems + [problem for extract in extracts for problem in extract.problems]),
        clipped=clipped,
    )
    return Syllables(images, *(np.concatenate(parts) for parts in zip(*columns, strict=True)), info)


def _columns_of(song: Song, kept: np.ndarray) -> tuple:
    """labels, ids, birds, onsets, offsets and files of the syllables kept."""
    rows = song.annotations.take(kept)
    ids = np.array([f"{song.bird}/{song.name}:{row}" for row in rows.rows.tolist()], np.str_)
    same = [np.full(len(kept), text, f"<U{len(text)}") for text in (song.bird, song.name)]
    return rows.labels, ids, same[0], rows.onsets, rows.offsets, same[1]
