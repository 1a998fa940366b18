"""One recording and its annotation: images of its syllables, and what is wrong; kept in a cache where there is one.

Letters: n syllables.
"""

import hashlib
import json
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.birdsong.annotations import check_annotations
from rvae_lite.birdsong.recordings import FULL_SCALE, Recording, read_recording
from rvae_lite.birdsong.songs import Problem, Song
from rvae_lite.birdsong.spectrograms import ROUNDING, SpectrogramSpec, spectrograms
from rvae_lite.storage import content_hash, differences, load_arrays, save_arrays, write_atomically

CACHE_KIND, CACHE_VERSION = "song cache", 1
MOST_PEAKS = 2  # samples of a syllable at full scale; more were cut off
READING = threading.Lock()  # reading a file sets filters of warnings, which all threads share


class Extract(NamedTuple):
    """What one recording gave.

    images: log-amplitudes of the good syllables, (n, num_freqs, num_times).
    kept: which of the song's annotations they are, (n,) integers.
    clipped: whether the sound was cut off, (n,) bool.
    problems: of the others.
    """

    images: np.ndarray
    kept: np.ndarray
    clipped: np.ndarray
    problems: list


def extract(song: Song, *, spec: SpectrogramSpec, channel: int | None = None) -> Extract:
    """Read a recording and make the spectrograms of its syllables, before normalisation.

    Args:
        song: the recording and its annotation.
        spec: settings of the spectrograms.
        channel: of a recording with several.
    """
    try:
        with READING:
            recording = read_recording(song.audio, channel=channel)
        if recording.rate < 2 * spec.max_freq:
            reach = f"{recording.rate} Hz hold nothing above {recording.rate / 2:g} Hz"
            raise ValueError(
                f"{song.audio}: {reach}, lower max_freq = {spec.max_freq:g} Hz for all birds"
            )
    except (ValueError, FileNotFoundError) as error:
        nothing = np.empty((0, spec.num_freqs, spec.num_times), np.float32)
        problem = Problem("unusable recording", str(error), max(1, len(song.annotations.rows)))
        return Extract(nothing, np.empty(0, int), np.empty(0, bool), [problem])
    problems = _row_problems(song, recording, spec)
    kept = np.flatnonzero(~np.isin(song.annotations.rows, list(problems)))
    onsets = song.annotations.onsets[kept]
    offsets = np.minimum(
        song.annotations.offsets[kept], recording.duration
    )  # times in tables are rounded
    images = spectrograms(recording, onsets, offsets, spec=spec)
    clipped = np.array(
        [_is_clipped(recording, *times) for times in zip(onsets, offsets, strict=True)], bool
    )
    return Extract(images, kept, clipped, [problems[row] for row in sorted(problems)])


def _row_problems(song: Song, recording: Recording, spec: SpectrogramSpec) -> dict:
    """row -> Problem, of one recording's annotation."""
    annotations = song.annotations
    position = {row: i for i, row in enumerate(annotations.rows.tolist())}
    problems = {}
    for row, text in check_annotations(annotations, path=song.source, duration=recording.duration):
        reason = _reason(
            annotations.onsets[position[row]],
            annotations.offsets[position[row]],
            recording.duration,
        )
        problems[row] = Problem(reason, text)
    for row, i in position.items():
        seconds = min(annotations.offsets[i], recording.duration) - annotations.onsets[i]
        where = f"{song.source}, row {row}: a syllable of {seconds:.4g} s"
        if row not in problems and seconds > spec.max_duration + ROUNDING:
            text = f"{where} is longer than max_duration = {spec.max_duration:g} s: raise max_duration for all birds"
            problems[row] = Problem("too long", text)
        elif row not in problems and seconds < spec.min_duration:
            text = f"{where} is shorter than one column of the image ({spec.min_duration:.2g} s): correct its times"
            problems[row] = Problem("too short", text)
    return problems


def _reason(onset: float, offset: float, duration: float) -> str:
    if not np.isfinite(onset + offset) or onset < 0:
        return "time missing or negative"
    if onset >= offset:
        return "zero length" if onset == offset else "onset after offset"
    return "outside the recording" if offset > duration else "overlap"


def _is_clipped(recording: Recording, onset: float, offset: float) -> bool:
    inside = recording.samples[int(onset * recording.rate) : int(offset * recording.rate)]
    return np.count_nonzero(np.abs(inside) >= FULL_SCALE) > MOST_PEAKS


def open_cache(folder: Path, spec: SpectrogramSpec) -> None:
    """Make a cache for these settings, or see that there is one for just these.

    Raises:
        ValueError: the folder keeps spectrograms with other settings.
        OSError: it cannot be written.
    """
    path = folder / "settings.json"
    if not path.is_file():
        write_atomically(
            path, lambda file: file.write(json.dumps(_settings(spec), indent=1).encode())
        )
    try:
        kept = dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: delete the folder {folder}, the cache is built anew"
        ) from error
    if kept != _settings(spec):
        raise ValueError(_mixed(folder, "it", kept, spec))


def extract_or_recall(
    song: Song, *, spec: SpectrogramSpec, channel: int | None = None, cache=None
) -> Extract:
    """`extract`, or what the cache keeps of the same recording and annotation.

    Args:
        song: the recording and its annotation.
        spec: settings of the spectrograms.
        channel: of a recording with several.
        cache: folder that `open_cache` has seen, or None.

    Raises:
        ValueError: the file in the cache was made with other settings.
        OSError: the cache cannot be written.
    """
    if cache is None or not song.audio.is_file():
        return extract(song, spec=spec, channel=channel)
    place = hashlib.sha256(f"{song.bird} {song.audio.absolute()}".encode()).hexdigest()[:16]
    path, origin = Path(cache) / f"{place}.npz", _origin(song, channel)
    try:
        header, arrays = load_arrays(path, kind=CACHE_KIND, version=CACHE_VERSION)
    except (FileNotFoundError, ValueError):  # absent or damaged: it is made anew
        header, arrays = {}, {}
    if header and header["settings"] != _settings(spec):
        raise ValueError(_mixed(Path(cache), path.name, header["settings"], spec))
    if header.get("origin") == origin:
        return Extract(**arrays, problems=[Problem(*problem) for problem in header["problems"]])
    done = extract(song, spec=spec, channel=channel)
    header = dict(
        settings=_settings(spec),
        origin=origin,
        problems=[list(problem) for problem in done.problems],
    )
    arrays = dict(images=done.images, kept=done.kept, clipped=done.clipped)
    save_arrays(path, kind=CACHE_KIND, version=CACHE_VERSION, header=header, arrays=arrays)
    return done


def _settings(spec: SpectrogramSpec) -> dict:
    """Those on which the images depend before normalisation."""
    return {
        key: value
        for key, value in spec.as_dict().items()
        if key not in ("percentiles", "log_range")
    }


def _origin(song: Song, channel: int | None) -> str:
    """A digest that any change of the recording or its annotation changes."""
    status = song.audio.stat()
    recording = dict(
        size=status.st_size, changed=status.st_mtime_ns, channel=channel, source=str(song.source)
    )
    return content_hash(recording, song.annotations._asdict())


def _mixed(folder: Path, name: str, kept: dict, spec: SpectrogramSpec) -> str:
    differing = ", ".join(differences(kept, _settings(spec)))
    return f"mixed parameters within the cache {folder}: {name} has {differing}; name another folder by cache="
