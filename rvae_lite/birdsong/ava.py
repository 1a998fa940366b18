"""Syllables from and for AVA, in its own HDF5 files.

Goffinet et al. (2021).  A file `syllables_NNNN.hdf5` holds `specs` (n, num_freqs, num_times) in [0, 1], `onsets` and
`offsets` in seconds and `audio_filenames`; neither labels nor the settings of the spectrograms.  Letters: n syllables.
"""

import io
import json
from pathlib import Path

import numpy as np

from rvae_lite.birdsong.syllables import Syllables
from rvae_lite.storage import differences, write_atomically

KEYS = ("specs", "onsets", "offsets", "audio_filenames")


def write_ava(folder, syllables: Syllables, *, per_file: int = 20) -> list[Path]:
    """Write syllables as AVA does, into syllables_0000.hdf5, syllables_0001.hdf5 and so on.

    The settings of the spectrograms are kept as an attribute of each file, which AVA ignores; labels and birds are not
    kept.  AVA's own loader expects the same number in every file: choose a `per_file` that divides n for it.

    Args:
        folder: where to; made if need be.
        syllables: n syllables.
        per_file: number in a file; the last one may hold fewer.

    Returns:
        The files.

    Raises:
        ValueError: `per_file` is no positive integer.
        FileExistsError: the folder holds HDF5 files, which would be taken for a part of these.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    if isinstance(per_file, bool) or not isinstance(per_file, (int, np.integer)) or per_file < 1:
        raise ValueError(f"per_file must be a positive integer, not {per_file!r}")
    if folder.is_dir() and (present := _files(folder)):
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
        preprocessing: settings of the spectrograms where they are known, kept as info["preprocessing"] so that others'
            can be compared with them; AVA's files do not have them, those of `write_ava` do.

    Returns:
        The syllables in the order of the files; their labels are empty, their ids are bird/file:row, from row 0.

    Raises:
        FileNotFoundError: there is no such folder, or no .hdf5 file in it.
        ValueError: a file cannot be read or lacks a key, its arrays differ in length, a spectrogram has NaN, values
            outside [0, 1] or another size, or an onset is not before its offset; or settings that differ.
    """
    folder = Path(folder)
    if not folder.is_dir() or not _files(folder):
        raise FileNotFoundError(
            f"there are no .hdf5 files in {folder}: name the folder with syllables_0000.hdf5"
        )
    parts = {path: _read_file(path) for path in _files(folder)}
    _check_sizes(parts)
    settings = _agreed_settings(parts, preprocessing)
    specs, onsets, offsets, files = (
        np.concatenate([part[key] for part, _ in parts.values()]) for key in KEYS
    )
    bird = folder.resolve().name if bird is None else bird
    rows = [
        (path.name, row) for path, (part, _) in parts.items() for row in range(len(part["onsets"]))
    ]
    ids = np.array([f"{bird}/{name}:{row}" for name, row in rows], np.str_)
    labels, birds = (
        np.full(len(ids), "", np.str_),
        np.full(len(ids), bird, f"<U{max(1, len(bird))}"),
    )
    info = dict(value_range=(0.0, 1.0), skipped={}) | (
        {} if settings is None else dict(preprocessing=settings)
    )
    return Syllables(specs[:, None], labels, ids, birds, onsets, offsets, files, info)


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


def _read_file(path: Path) -> tuple[dict, dict | None]:
    """The four arrays of one file, checked, and the settings if it has them."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            part = {key: file[key][()] for key in KEYS if isinstance(file.get(key), h5py.Dataset)}
            settings = json.loads(file.attrs.get("preprocessing", "null"))
    except PermissionError:
        raise
    except Exception as error:  # damage makes h5py raise many kinds
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} cannot be read as HDF5 ({reason}): get a fresh copy of it"
        ) from error
    if missing := [key for key in KEYS if key not in part]:
        raise ValueError(
            f"{path} has no {' and no '.join(map(repr, missing))}: is it one of AVA's files of syllables?"
        )
    lengths = {key: len(part[key]) if np.ndim(part[key]) else 0 for key in KEYS}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{count} {key}" for key, count in lengths.items())
        raise ValueError(f"{path} has arrays of unequal lengths ({shown}): write it again")
    _check_values(path, part)
    files = [
        name.decode("utf-8") if isinstance(name, bytes) else str(name)
        for name in part["audio_filenames"].tolist()
    ]
    times = {key: np.asarray(part[key], np.float64) for key in ("onsets", "offsets")}
    arrays = dict(
        specs=np.asarray(part["specs"], np.float32), audio_filenames=np.array(files, np.str_)
    )
    return arrays | times, settings


def _check_values(path: Path, part: dict) -> None:
    specs, onsets, offsets = part["specs"], part["onsets"], part["offsets"]
    if specs.ndim != 3 or not np.issubdtype(specs.dtype, np.floating):
        shape = f"{specs.dtype} of shape {specs.shape}"
        raise ValueError(
            f"{path}: specs must be (n, num_freqs, num_times) floats, not {shape}: write it again"
        )
    rows = specs.reshape(len(specs), -1)
    faults = {
        "has NaN or infinite values: compute it again": ~np.isfinite(rows).all(1),
        "has values outside [0, 1]: normalise it as AVA does": ((rows < 0) | (rows > 1)).any(1),
        "has an onset that is not before its offset: correct the times": ~(onsets < offsets),
    }
    for fault, wrong in faults.items():
        if wrong.any():
            raise ValueError(
                f"{path}, row {int(wrong.argmax())} of {int(wrong.sum())} such: the syllable {fault}"
            )


def _check_sizes(parts: dict) -> None:
    first, *others = ((path, part["specs"].shape[1:]) for path, (part, _) in parts.items())
    for path, size in others:
        if size != first[1]:
            sizes = f"{size[0]}x{size[1]}, those of {first[0].name} {first[1][0]}x{first[1][1]}"
            raise ValueError(
                f"{path}: its spectrograms are {sizes}; put them into separate folders"
            )


def _agreed_settings(parts: dict, preprocessing: dict | None) -> dict | None:
    """The settings of all files, which must not contradict each other or the argument."""
    known = [(path, settings) for path, (_, settings) in parts.items() if settings is not None]
    known += [("the argument preprocessing", preprocessing)] if preprocessing is not None else []
    for path, settings in known[1:]:
        if differing := differences(known[0][1], settings, ignore=("normalisation",)):
            shown = "; ".join(differing)
            raise ValueError(
                f"{known[0][0]} has other settings than {path} ({shown}): keep them apart"
            )
    return known[0][1] if known else None
