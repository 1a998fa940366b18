"""Read a folder of pictures, or of .npy arrays, as N examples with the files' names."""

import os
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np

from rvae_lite.readers.limits import explained, shown
from rvae_lite.readers.npy import read_npy
from rvae_lite.readers.pictures import read_pictures

IMAGES = (".png", ".jpg", ".jpeg")


def read_folder(folder: Path, per_file: str, memory: float | None) -> tuple:
    """Examples, their names, what was left out, and whether they are images (N, C, H, W)."""
    if per_file not in ("one", "many"):
        raise ValueError(f"per_file must be 'one' or 'many', not {per_file!r}")
    files, notes = _files(folder)
    arrays = [path for path in files if path.suffix.lower() == ".npy"]
    pictures = [path for path in files if path.suffix.lower() in IMAGES]
    if bool(arrays) == bool(pictures):
        both = "both images and .npy arrays"
        held = both if arrays else "neither images (.png, .jpg) nor .npy arrays"
        raise ValueError(f"{shown(folder)} holds {held}: pass a folder of one kind, or one file")
    chosen = arrays or pictures
    if len(files) > len(chosen):
        others = len(files) - len(chosen)
        notes.insert(0, f"{others} other files in {folder.name} were left out")
    if pictures:
        pieces, told = read_pictures(pictures, memory=memory)
        notes += told
    else:
        pieces = [read_npy(path) for path in arrays]
    many = bool(arrays) and per_file == "many"
    _check_shapes(folder, chosen, pieces, many=many)
    ids = [_id_of(path.relative_to(folder)) for path in chosen]
    count = Counter(ids)
    if twice := next((name for name in ids if count[name] > 1), None):
        forms = f"two files {twice}, in two forms of Unicode"
        raise ValueError(f"{shown(folder)} holds {forms}: rename one of them")
    if pictures:
        x = np.stack(pieces)
        x = x[:, None] if x.ndim == 3 else np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        return x, np.array(ids), notes, True  # (N, C, H, W)
    if not many:
        return np.stack(pieces), np.array(ids), notes, False
    numbered = [
        f"{name}#{row}"
        for name, piece in zip(ids, pieces, strict=True)
        for row in range(len(piece))
    ]
    return np.concatenate(pieces), np.array(numbered), notes, False


def _id_of(name: Path) -> str:
    """A file's name as every system writes it: composed letters, nothing that is no letter."""
    return shown(unicodedata.normalize("NFC", name.as_posix()))


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """Regular files in a folder and those below it, sorted, without hidden ones; and notes.

    Raises:
        PermissionError: a subfolder may not be read.
    """

    def refuse(error):
        with explained(error.filename, "a folder"):
            raise error

    files, skipped = [], {"links to folders": [], "broken links or no files": []}
    for place, inner, names in os.walk(folder, onerror=refuse):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        links = [name for name in inner if os.path.islink(os.path.join(place, name))]
        skipped["links to folders"] += links
        for path in (Path(place, name) for name in names if not name.startswith(".")):
            if path.is_file():
                files.append(path)
            else:
                skipped["broken links or no files"].append(path.name)
    notes = []
    for what, left in skipped.items():
        if left:
            listed = ", ".join(sorted(left)[:4])
            notes.append(f"{len(left)} entries that are {what} were left out: {listed}")
    return sorted(files), notes


def _check_shapes(folder: Path, files: list[Path], pieces: list[np.ndarray], *, many: bool) -> None:
    kinds = [(piece.shape[1:] if many else piece.shape, piece.dtype) for piece in pieces]
    odd = next((number for number, kind in enumerate(kinds) if kind != kinds[0]), None)
    if odd is None and many and not pieces[0].ndim:
        raise ValueError(f"{shown(files[0])} is one number: leave per_file='many' out")
    if odd is None:
        return
    told = [f"{shown(files[i].name)}: {pieces[i].shape} {pieces[i].dtype}" for i in (0, odd)]
    if files[0].suffix.lower() in IMAGES:
        told = ["{}: {}x{}".format(shown(files[i].name), *pieces[i].shape[:2]) for i in (0, odd)]
        found = f"pictures of several sizes ({', '.join(told)})"
        raise ValueError(f"{shown(folder)} holds {found}: resize them to one")
    remedy = "bring all to one shape and type"
    if not many and len({shape[1:] for shape, _ in kinds}) == 1:
        remedy += ", or pass per_file='many' if the first axis counts examples"
    found = f"arrays of several shapes or types ({', '.join(told)})"
    raise ValueError(f"{shown(folder)} holds {found}: {remedy}")
