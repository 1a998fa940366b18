"""One recording and its annotation: images of its n syllables, what is wrong, a cache of both."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.annotations import Problem, check_annotations
from rvae_lite.birdsong.recordings import CLIPPED, Recording, read_recording
from rvae_lite.birdsong.songs import Song
from rvae_lite.birdsong.spectrograms import ROUNDING, SpectrogramSpec, spectrograms
from rvae_lite.storage import content_hash, differences, load_arrays, save_arrays, write_atomically

CACHE_KIND, CACHE_VERSION = "song cache", 1
MOST_PEAKS = 2  # samples of a syllable at full scale; more were cut off


class Extract(NamedTuple):
    """What one recording gave.

    images: log-amplitudes of the n good syllables, (n, num_freqs, num_times).
    kept: which of the song's annotations they are, (n,) integers.
    clipped: whether their sound was cut off, (n,) bool.
    problems: of the other syllables.
    """

    images: np.ndarray
    kept: np.ndarray
    clipped: np.ndarray
    problems: list[Problem]


def extract(song: Song, *, spec: SpectrogramSpec, channel: int | None = None) -> Extract:
    """Read a recording, `channel` of several, and make its spectrograms before normalisation."""
    try:
        recording = read_recording(song.audio, channel=channel)
        if (rate := recording.rate) < 2 * spec.max_freq:
            remedy = f"lower max_freq = {spec.max_freq:g} Hz for all birds"
            raise ValueError(
                f"{song.audio}: {rate} Hz hold nothing above {rate / 2:g} Hz, {remedy}"
            )
    except (ValueError, OSError) as error:
        nothing = np.empty((0, spec.num_freqs, spec.num_times), np.float32)
        problem = Problem("unusable recording", str(error), max(1, len(song.annotations.rows)))
        return Extract(nothing, np.empty(0, int), np.empty(0, bool), [problem])
    problems = _row_problems(song, recording, spec)
    kept = np.flatnonzero(~np.isin(song.annotations.rows, list(problems)))
    onsets = song.annotations.onsets[kept]
    offsets = np.minimum(song.annotations.offsets[kept], recording.duration)
    images = spectrograms(recording, onsets, offsets, spec=spec)
    clipped = np.zeros(len(kept), bool)
    for i, span in enumerate(zip(onsets, offsets, strict=True)):
        first, last = (int(time * recording.rate) for time in span)
        peaks = np.abs(recording.samples[first:last]) >= CLIPPED
        clipped[i] = np.count_nonzero(peaks) > MOST_PEAKS
    return Extract(images, kept, clipped, [problems[row] for row in sorted(problems)])


def _row_problems(song: Song, recording: Recording, spec: SpectrogramSpec) -> dict[int, Problem]:
    """Row of the annotation -> what is wrong with its syllable."""
    annotations, source = song.annotations, song.source
    problems = check_annotations(annotations, path=source, duration=recording.duration)
    seconds = np.minimum(annotations.offsets, recording.duration) - annotations.onsets
    for row, length in zip(annotations.rows.tolist(), seconds, strict=True):
        where = f"{source}, row {row}: a syllable of {length:.4g} s"
        if row in problems:
            continue
        if length > spec.max_duration + ROUNDING:
            limit = f"is longer than max_duration = {spec.max_duration:g} s"
            text = f"{where} {limit}: raise max_duration for all birds"
            problems[row] = Problem("too long", text)
        elif length < spec.min_duration:
            limit = f"is shorter than one column of the image ({spec.min_duration:.2g} s)"
            problems[row] = Problem("too short", f"{where} {limit}: correct its times")
    return problems


def open_cache(folder: Path, spec: SpectrogramSpec) -> None:
    """Make a cache for these settings, or see that there is one for just these.

    Raises:
        ValueError: the folder keeps spectrograms with other settings.
        OSError: it cannot be written.
    """
    path = folder / "settings.json"
    if not path.is_file():
        content = json.dumps(_settings(spec), indent=1).encode()
        write_atomically(path, lambda file: file.write(content))
    try:
        kept = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        kept = None
    if not isinstance(kept, dict):
        raise ValueError(f"{path} is damaged: delete the folder {folder}, the cache is built anew")
    _check_settings(kept, spec, folder, "it")


def extract_or_recall(
    song: Song, *, spec: SpectrogramSpec, channel: int | None = None, cache=None
) -> Extract:
    """`extract`, or what `cache` keeps of the same recording and annotation.

    Args:
        song, spec, channel: as in `extract`.
        cache: folder that `open_cache` has seen, or None.

    Raises:
        ValueError: the file in the cache was made with other settings.
        OSError: the cache cannot be written.
    """
    if cache is None or not song.audio.is_file():
        return extract(song, spec=spec, channel=channel)
    place = hashlib.sha256(f"{song.bird} {song.audio.absolute()}".encode()).hexdigest()[:16]
    path, origin = Path(cache) / f"{place}.npz", _origin(song, channel)
    kind = dict(kind=CACHE_KIND, version=CACHE_VERSION)
    try:
        header, arrays = load_arrays(path, **kind)
    except (FileNotFoundError, ValueError):  # absent or damaged: it is made anew
        header, arrays = {}, {}
    if isinstance(header.get("settings"), dict):
        _check_settings(header["settings"], spec, Path(cache), path.name)
        recalled = _recalled(header, arrays, song, spec)
        if recalled is not None and header.get("origin") == origin:
            return recalled
    made = extract(song, spec=spec, channel=channel)
    problems = [list(problem) for problem in made.problems]
    header = dict(settings=_settings(spec), origin=origin, problems=problems)
    arrays = dict(images=made.images, kept=made.kept, clipped=made.clipped)
    save_arrays(path, **kind, header=header, arrays=arrays)
    return made


def _recalled(header: dict, arrays: dict, song: Song, spec: SpectrogramSpec) -> Extract | None:
    """What a cache keeps of a song; None if it is not what `extract` can have given."""
    rows, problems = len(song.annotations.rows), header.get("problems")
    if not isinstance(problems, list):
        return None
    for problem in problems:
        if not isinstance(problem, list) or [type(part) for part in problem] != [str, str, int]:
            return None
        if problem[2] < 1:
            return None
    types = dict(images=np.float32, kept=np.int64, clipped=np.bool_)
    if {name: array.dtype for name, array in arrays.items()} != types:
        return None
    images, kept, clipped = (arrays[name] for name in types)
    num = len(kept) if kept.ndim else 0
    shapes = (num, spec.num_freqs, spec.num_times), (num,), (num,)
    # -inf is outside the syllable.
    if (images.shape, kept.shape, clipped.shape) != shapes or not (images < np.inf).all():
        return None
    # Each syllable is kept, in order, or a problem; an unusable recording costs one at least.
    ascending = (np.diff(kept, prepend=-1, append=rows) > 0).all()
    if not ascending or num + sum(count for *_, count in problems) not in (rows, max(1, rows)):
        return None
    return Extract(images, kept, clipped, [Problem(*problem) for problem in problems])


def _settings(spec: SpectrogramSpec) -> dict:
    """Those on which the images depend before normalisation."""
    settings = spec.as_dict()
    del settings["percentiles"], settings["log_range"]
    return settings


def _check_settings(kept: dict, spec: SpectrogramSpec, folder: Path, name: str) -> None:
    if differing := ", ".join(differences(kept, _settings(spec))):
        mixed = f"mixed parameters within the cache {folder}: {name} has {differing}"
        raise ValueError(f"{mixed}; name another folder by cache=")


def _origin(song: Song, channel: int | None) -> str:
    """A digest that any change of the recording, its .rec file or its annotation changes."""
    stamps = []
    for path in (song.audio, song.audio.with_suffix(".rec")):
        if path.is_file():
            status = path.stat()
            stamps.append([path.name, status.st_size, status.st_mtime_ns])
    facts = dict(stamps=stamps, channel=channel, source=str(song.source))
    return content_hash(facts, song.annotations._asdict())
