"""Syllables from and for AVA, in its own HDF5 files (Goffinet et al., 2021).

A file `syllables_NNNN.hdf5` holds `specs` (n, num_freqs, num_times) in [0, 1], `onsets` and
`offsets` in seconds and `audio_filenames`, but neither labels nor settings.  Files of `extract`
hold these too: `labels`, `ids`, `birds`, and the settings as an attribute; those of `write_ava` the
settings alone.  Letters: n syllables.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rvae_lite.arrays import pieces
from rvae_lite.birdsong.columns import composed
from rvae_lite.birdsong.syllables import Syllables
from rvae_lite.readers.hdf5 import read_hdf5_files
from rvae_lite.storage import differences, write_atomically

KEYS = ("specs", "onsets", "offsets", "audio_filenames")
OURS = ("labels", "ids", "birds")  # beside them, each (n,) text
WANTED = dict(keys=[*KEYS, *OURS], mapped=("specs",), attribute="preprocessing")


def write_ava(folder, syllables: Syllables, *, per_file: int = 20) -> list[Path]:
    """Write syllables as AVA does, into syllables_0000.hdf5, syllables_0001.hdf5 and so on.

    The settings of the spectrograms are kept as an attribute of each file, which AVA ignores;
    labels and birds are not kept.  Returns the files.

    Args:
        folder: where to; made if need be.
        syllables: n syllables.
        per_file: number in a file; the last one may hold fewer, but AVA's own loader expects the
            same number in all.

    Raises:
        ValueError: `per_file` is no positive integer.
        FileExistsError: the folder holds HDF5 files, which would be taken for a part of these.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    if isinstance(per_file, bool) or not isinstance(per_file, (int, np.integer)) or per_file < 1:
        raise ValueError(f"per_file must be a positive integer, not {per_file!r}")
    if present := ava_files(folder):
        raise FileExistsError(f"{folder} holds {present[0].name} already: choose an empty folder")
    written = []
    for start in range(0, len(syllables.ids), per_file):
        path = folder / f"syllables_{len(written):04d}.hdf5"
        content = _content(syllables.take(slice(start, start + per_file)))
        write_atomically(path, lambda file, content=content: file.write(content))
        written.append(path)
    return written


def read_ava(folder, *, bird: str | None = None, preprocessing: dict | None = None) -> Syllables:
    """Read all HDF5 files of a folder that AVA wrote.

    Args:
        folder: with syllables_0000.hdf5 and so on.
        bird: its name; by default that of the folder.
        preprocessing: settings of the spectrograms where they are known, kept as
            info["preprocessing"].  AVA's files do not have them, those of `write_ava` do.

    Returns:
        The syllables in the order of the files, of AVA's own unlabelled; their ids are
        `bird/file:row`, from row 0.

    Raises:
        FileNotFoundError: there is no such folder, or no HDF5 file in it.
        ValueError: a file cannot be read, lacks a key, or has arrays of unequal lengths; a
            spectrogram has NaN, values outside [0, 1] or another size; an onset is not before its
            offset; settings differ, or some files alone have them.
    """
    folder = Path(folder)
    files = ava_files(folder)
    if not files:
        remedy = "name the folder with syllables_0000.hdf5"
        raise FileNotFoundError(f"there are no .hdf5 files in {folder}: {remedy}")
    bird = folder.resolve().name if bird is None else bird
    parts = read_hdf5_files(files, **WANTED | dict(mapped=()))  # of many, each holds a file open
    found = list(_read(parts, dict.fromkeys(files, bird), preprocessing))
    fields = zip(*(syllables[:-1] for syllables in found), strict=True)
    images, *columns = map(np.concatenate, fields)
    return Syllables(images.astype(np.float32, copy=False), *columns, found[-1].info)


def read_files(files: dict) -> Iterator[Syllables]:
    """The syllables of each of some files, as `read_ava` reads them; info grows on the way.

    Spectrograms that lie in their file in one piece stay there, mapped into memory, in its type.

    files: path -> name of the bird, where the file does not tell it.

    Raises:
        ValueError: as `read_ava`; ids or labels of another number than the spectrograms.
    """
    return _read(read_hdf5_files(files, **WANTED), files)


def _read(found, files: dict, preprocessing: dict | None = None) -> Iterator[Syllables]:
    known = first = None
    for path, part, settings in found:
        part = _checked(path, part)
        own = _settings(path, settings)
        first = first or (path, part["specs"].shape[1:], own is None)
        if preprocessing is None and (own is None) != first[2]:
            silent, telling = (path, first[0]) if own is None else (first[0], path)
            wrong = f"{silent} does not say how it was made, {telling} does"
            raise ValueError(f"{wrong}: keep them apart, or extract the former alone with --spec")
        if (size := part["specs"].shape[1:]) != first[1]:
            both = "{}x{}, those of {} {}x{}".format(*size, first[0].name, *first[1])
            raise ValueError(f"{path}: its spectrograms are {both}; put them into separate folders")
        known = _agreed(known, path, own)
        known = _agreed(known, "the argument preprocessing", preprocessing)
        info = dict(value_range=(0.0, 1.0), skipped={})
        info |= {} if known is None else dict(preprocessing=known[1])
        numbered = [f"{files[path]}/{path.name}:{row}" for row in range(len(part["onsets"]))]
        birds = part.get("birds", np.full(len(numbered), files[path]))
        labels, ids = part.get("labels", np.full(len(numbered), "")), part.get("ids", numbered)
        columns = labels, np.asarray(ids, np.str_), birds, *(part[key] for key in KEYS[1:])
        yield Syllables(part["specs"][:, None], *columns, info)


def read_file(path, *, memory: float | None = None) -> Syllables | None:
    """The syllables of one file, as `read_files`; None where it is laid out in another way."""
    path = Path(path)
    found = list(read_hdf5_files([path], needed=KEYS, memory=memory, **WANTED))
    return next(_read(found, {path: path.stem})) if found[0][1] else None


def ava_files(folder: Path) -> list[Path]:
    """The HDF5 files of a folder, sorted: .hdf5, as AVA calls them, or where there are none .h5."""
    found = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    named = [path for path in found if path.suffix.lower() == ".hdf5"]
    return named or [path for path in found if path.suffix.lower() == ".h5"]


def _content(syllables: Syllables) -> bytes:
    """One file's bytes."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["specs"] = syllables.spectrograms[:, 0]
        file["onsets"], file["offsets"] = syllables.onsets, syllables.offsets
        file["audio_filenames"] = np.char.encode(syllables.files, "utf-8")
        if "preprocessing" in syllables.info:
            file.attrs["preprocessing"] = json.dumps(syllables.info["preprocessing"])
    return buffer.getvalue()


def _checked(path: Path, part: dict) -> dict:
    """The arrays of one file, checked."""
    if missing := [repr(key) for key in KEYS if key not in part]:
        lacks = " and no ".join(missing)
        raise ValueError(f"{path} has no {lacks}: is it one of AVA's files of syllables?")
    lengths = {key: len(part[key]) if np.ndim(part[key]) else 0 for key in part}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{count} {key}" for key, count in lengths.items())
        raise ValueError(f"{path} has arrays of unequal lengths ({shown}): write it again")
    specs, onsets, offsets, *_ = (part[key] for key in KEYS)
    _check_values(path, specs, onsets, offsets)
    checked = dict(specs=specs, onsets=np.asarray(onsets, np.float64))
    checked["offsets"] = np.asarray(offsets, np.float64)
    for key in [key for key in (*KEYS[3:], *OURS) if key in part]:
        checked[key] = np.array(_names(path, key, part[key]), np.str_)
    ids = checked.get("ids", np.arange(0))
    if len(np.unique(ids)) < len(ids):
        raise ValueError(f"{path} has two syllables with one id: write it again")
    return checked


def _names(path: Path, key: str, names: np.ndarray) -> list[str]:
    """Names of sound files and others, which HDF5 may give as bytes."""
    remedy = "write it again, with a UTF-8 name for each syllable"
    plain, what = [], dict(audio_filenames="the name of the sound file").get(key, f"one of {key}")
    for row, name in enumerate(names.tolist() if names.ndim == 1 else [None]):
        try:
            plain.append(name.decode() if isinstance(name, bytes) else name)
        except UnicodeDecodeError as error:
            wrong = f"{what}, {name[:40]!r}, is no UTF-8"
            raise ValueError(f"{path}, row {row}: {wrong}: {remedy}") from error
    if not all(isinstance(name, str) for name in plain):
        raise ValueError(f"{path}: {key} must be (n,) text, not {names.dtype}: {remedy}")
    return [composed(name) for name in plain]


def _settings(path: Path, text) -> dict | None:
    """The settings of the spectrograms that a file has as JSON."""
    try:
        found = json.loads("null" if text is None else text)
        if not isinstance(found, dict | None):
            raise TypeError(f"it is {type(found).__name__}")
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        wrong = f"its attribute preprocessing is no JSON object of settings ({reason})"
        raise ValueError(f"{path}: {wrong}: delete it, or write the file again") from error
    return found


def _check_values(path: Path, specs, onsets, offsets) -> None:
    if specs.ndim != 3 or 0 in specs.shape[1:] or not np.issubdtype(specs.dtype, np.floating):
        found = f"{specs.dtype} of shape {specs.shape}: write it again"
        raise ValueError(f"{path}: specs must be (n, num_freqs, num_times) floats, not {found}")
    for key, times in (("onsets", onsets), ("offsets", offsets)):
        if times.ndim != 1 or times.dtype.kind not in "iuf":
            found = f"{times.dtype} of shape {times.shape}: write it again"
            raise ValueError(f"{path}: {key} must be (n,) numbers, seconds, not {found}")
    finite, outside = [np.ones(0, bool)], [np.zeros(0, bool)]
    for piece in pieces(specs):
        finite.append(np.isfinite(piece).all((1, 2)))
        outside.append(((piece < 0) | (piece > 1)).any((1, 2)))
    faults = {
        "has NaN or infinite values: compute it again": ~np.concatenate(finite),
        "has values outside [0, 1]: normalise it as AVA does": np.concatenate(outside),
        "has an onset that is not before its offset: correct the times": ~(onsets < offsets),
        "has an infinite time: correct it": ~(np.isfinite(onsets) & np.isfinite(offsets)),
    }
    for fault, wrong in faults.items():
        if wrong.any():
            where = f"{path}, row {wrong.argmax()} of {wrong.sum()} such"
            raise ValueError(f"{where}: the syllable {fault}")


def _agreed(known: tuple | None, origin, settings: dict | None) -> tuple | None:
    """Where settings are from, and settings, joined with those of one file or argument more."""
    if settings is None or known is None:
        return known if settings is None else (origin, settings)
    first, agreed = known
    differing = differences(agreed, settings, ignore=("normalisation",))
    ranges = [each.get("normalisation") for each in (agreed, settings)]
    if all(isinstance(each, dict) for each in ranges):
        agreed = agreed | dict(normalisation=ranges[1] | ranges[0])
        both = ranges[0].keys() & ranges[1].keys()
        told = [{f"normalisation of {bird}": each[bird] for bird in both} for each in ranges]
        differing += differences(*told)
    if differing:
        shown = "; ".join(differing)
        raise ValueError(f"{first} has other settings than {origin} ({shown}): keep them apart")
    return first, agreed
