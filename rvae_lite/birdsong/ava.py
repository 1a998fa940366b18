"""Syllables from and for AVA, in its own HDF5 files (Goffinet et al., 2021).

A file `syllables_NNNN.hdf5` holds `specs` (n, num_freqs, num_times) in [0, 1], `onsets` and
`offsets` in seconds and `audio_filenames`, but neither labels nor settings.  Letters: n syllables.
"""

import io
import json
from pathlib import Path

import numpy as np

from rvae_lite.birdsong.columns import composed
from rvae_lite.birdsong.syllables import Syllables
from rvae_lite.readers.hdf5 import read_hdf5_files
from rvae_lite.storage import differences, write_atomically

KEYS = ("specs", "onsets", "offsets", "audio_filenames")


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
    if present := _files(folder):
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
        The syllables in the order of the files, unlabelled; ids are `bird/file:row`, from row 0.

    Raises:
        FileNotFoundError: there is no such folder, or no .hdf5 file in it.
        ValueError: a file cannot be read, lacks a key, or has arrays of unequal lengths; a
            spectrogram has NaN, values outside [0, 1] or another size; an onset is not before its
            offset; or settings differ.
    """
    folder = Path(folder)
    found = read_hdf5_files(_files(folder), keys=KEYS, attribute="preprocessing")
    parts = {path: _checked(path, part, settings) for path, part, settings in found}
    if not parts:
        remedy = "name the folder with syllables_0000.hdf5"
        raise FileNotFoundError(f"there are no .hdf5 files in {folder}: {remedy}")
    known = {path: part.pop("preprocessing") for path, part in parts.items()}
    known["the argument preprocessing"] = preprocessing
    info = dict(value_range=(0.0, 1.0), skipped={}) | _agreed(parts, known)
    bird = folder.resolve().name if bird is None else bird
    ids = []
    for path, part in parts.items():
        ids += [f"{bird}/{path.name}:{row}" for row in range(len(part["onsets"]))]
    ids, labels, birds = np.array(ids, np.str_), np.full(len(ids), ""), np.full(len(ids), bird)
    arrays = [np.concatenate([part[key] for part in parts.values()]) for key in KEYS]
    return Syllables(arrays[0][:, None], labels, ids, birds, *arrays[1:], info)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.hdf5") if not path.name.startswith("."))


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


def _checked(path: Path, part: dict, settings: str | None) -> dict:
    """The four arrays of one file, checked, and the settings or None."""
    if missing := [repr(key) for key in KEYS if key not in part]:
        lacks = " and no ".join(missing)
        raise ValueError(f"{path} has no {lacks}: is it one of AVA's files of syllables?")
    lengths = {key: len(part[key]) if np.ndim(part[key]) else 0 for key in KEYS}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{count} {key}" for key, count in lengths.items())
        raise ValueError(f"{path} has arrays of unequal lengths ({shown}): write it again")
    specs, onsets, offsets, names = part.values()
    _check_values(path, specs, onsets, offsets)
    names = _names(path, names)
    times = np.asarray(onsets, np.float64), np.asarray(offsets, np.float64)
    arrays = (np.asarray(specs, np.float32), *times, np.array(names, np.str_))
    return dict(zip(KEYS, arrays, strict=True), preprocessing=_settings(path, settings))


def _names(path: Path, names: np.ndarray) -> list[str]:
    """Names of sound files, which HDF5 may give as bytes."""
    remedy = "write it again, with a UTF-8 name for each syllable"
    plain = []
    for row, name in enumerate(names.tolist() if names.ndim == 1 else [None]):
        try:
            plain.append(name.decode() if isinstance(name, bytes) else name)
        except UnicodeDecodeError as error:
            wrong = f"the name of the sound file, {name[:40]!r}, is no UTF-8"
            raise ValueError(f"{path}, row {row}: {wrong}: {remedy}") from error
    if not all(isinstance(name, str) for name in plain):
        raise ValueError(f"{path}: audio_filenames must be (n,) text, not {names.dtype}: {remedy}")
    return [composed(name) for name in plain]


def _settings(path: Path, text) -> dict | None:
    """The settings of the spectrograms that a file has as JSON."""
    try:
        text = "null" if text is None else text
        found = json.loads(text)
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
    rows = specs.reshape(len(specs), specs.shape[1] * specs.shape[2])
    faults = {
        "has NaN or infinite values: compute it again": ~np.isfinite(rows).all(1),
        "has values outside [0, 1]: normalise it as AVA does": ((rows < 0) | (rows > 1)).any(1),
        "has an onset that is not before its offset: correct the times": ~(onsets < offsets),
        "has an infinite time: correct it": ~(np.isfinite(onsets) & np.isfinite(offsets)),
    }
    for fault, wrong in faults.items():
        if wrong.any():
            where = f"{path}, row {wrong.argmax()} of {wrong.sum()} such"
            raise ValueError(f"{where}: the syllable {fault}")


def _agreed(parts: dict, known: dict) -> dict:
    """The settings of all files, as an entry of `info`; sizes and settings must not differ."""
    sizes = {path: "{}x{}".format(*part["specs"].shape[1:]) for path, part in parts.items()}
    first = next(iter(sizes))
    for path, size in sizes.items():
        if size != sizes[first]:
            both = f"{size}, those of {first.name} {sizes[first]}"
            raise ValueError(f"{path}: its spectrograms are {both}; put them into separate folders")
    known = {path: settings for path, settings in known.items() if settings is not None}
    for path, settings in known.items():
        first = next(iter(known))
        if differing := differences(known[first], settings, ignore=("normalisation",)):
            shown = "; ".join(differing)
            raise ValueError(f"{first} has other settings than {path} ({shown}): keep them apart")
    return dict(preprocessing=known[first]) if known else {}
