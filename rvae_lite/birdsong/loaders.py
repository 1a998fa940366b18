"""Zebra finches and a Bengalese finch: public recordings as spectrograms, for `data.load`.

Martinez & Pearson (2021), Appendix A: D1 and D2 are syllables of distinct sets of birds.
"""

import os
import warnings
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from zipfile import BadZipFile

import numpy as np

from rvae_lite.birdsong.columns import composed
from rvae_lite.birdsong.spectrograms import SpectrogramSpec, check_integers
from rvae_lite.birdsong.syllables import Syllables, as_dataset, load_birds
from rvae_lite.data.dataset import Dataset
from rvae_lite.data.folders import another_root, data_root, info_of, permission_explained, sources

FOLDERS = dict(blu285_goffinet2021="blu285", R402_avn="R402", G402_avn="G402")
UNKNOWN = ("not known here", "not known here")


def load_zebra_finch(
    *,
    root=None,
    download: bool = False,
    first_laboratory: tuple = ("blu285",),
    size: int = 128,
    axis: str = "mel",
    time: str = "stretch",
    max_duration: float = 0.35,
    log_range: tuple | None = None,
    on_problem: str = "refuse",
    url: str | None = None,
    sha256: str | None = None,
    allow_unverified: bool = False,
) -> Dataset:
    """Syllables of three zebra finches as spectrograms; D1 holds one bird, D2 the two others.

    Every folder <root>/zebra_finch/<bird> is one bird, with files as `load_birds` reads them.  A
    label is one type of one bird: `info["label_names"]`.

    Args:
        root: folder of the data sets.
        download: fetch the archive at `url` where there is no bird yet.
        first_laboratory: names of the birds in D1.
        size: rows and columns of a spectrogram.
        axis, time, max_duration, log_range: as in `SpectrogramSpec`.
        on_problem: "refuse" faulty files, or "skip" them: a warning and `info` count them.
        url: address of a zip archive with the files of one bird, which its name gives.
        sha256: checksum of that archive.
        allow_unverified: take the archive without a checksum, and print the one it has.

    Raises:
        FileNotFoundError: there are no recordings, or the archive cannot be fetched.
        ValueError: an argument out of range, a damaged or unverified archive, faulty recordings.
    """
    shown = dict(axis=axis, time=time, max_duration=max_duration, log_range=log_range)
    root = data_root(root)
    folder = root / "zebra_finch"
    with permission_explained(root):
        if download and not _find_birds(folder):
            _download(folder, url, sha256, allow_unverified)
        remedy = _remedy(folder, "or songs of your own, ")
        missing = f"zebra finch recordings are not in {root}: {remedy}"
        syllables = _load(folder, size, shown, on_problem, missing)
    first = [first_laboratory] if isinstance(first_laboratory, str) else first_laboratory
    first = [composed(str(name)) for name in first]
    if not first or not set(first) < set(syllables.birds.tolist()):
        birds = ", ".join(np.unique(syllables.birds))
        raise ValueError(f"first_laboratory must name some of the birds {birds}, not all: {first}")
    part = np.where(np.isin(syllables.birds, first), 1, 2)
    return _as_dataset("zebra_finch", syllables, part)


def load_bengalese_finch(
    *,
    root=None,
    download: bool = False,
    seed: int = 0,
    size: int = 128,
    axis: str = "mel",
    time: str = "stretch",
    max_duration: float = 0.35,
    log_range: tuple | None = None,
    on_problem: str = "refuse",
) -> Dataset:
    """Syllables of a Bengalese finch as spectrograms; D1 holds a random half of the recordings.

    Differs from the paper: both laboratories hold the same bird, as there is one; no recording is
    in both.  Every folder <root>/bengalese_finch/<bird> is one bird.

    Args:
        download: changes the message where the recordings are missing; they have no checksum.
        seed: of the partition.
        root, size, axis, time, max_duration, log_range, on_problem: as in `load_zebra_finch`.

    Raises:
        FileNotFoundError: there are no recordings.
        ValueError: an argument out of range, or faulty recordings.
    """
    shown = dict(axis=axis, time=time, max_duration=max_duration, log_range=log_range)
    root = data_root(root)
    folder = root / "bengalese_finch"
    refusal = f"are not in {root}"
    if download:
        refusal = "cannot be downloaded for you, as no checksum is known"
    missing = f"Bengalese finch recordings {refusal}: {_remedy(folder)}"
    with permission_explained(root):
        syllables = _load(folder, size, shown, on_problem, missing)
    recordings = np.char.add(np.char.add(syllables.birds, "/"), syllables.files)
    names, index = np.unique(recordings, return_inverse=True)
    if len(names) < 2:
        remedy = "add another, for the second laboratory"
        raise ValueError(f"{names[0]} is the only recording in {folder}: {remedy}")
    random = np.random.default_rng([seed, 0, 0])  # not the numbers that draw a subset
    order = random.permutation(len(names))
    part = np.where(order < (len(names) + 1) // 2, 1, 2)[index]
    return _as_dataset("bengalese_finch", syllables, part)


def _remedy(folder: Path, others: str = "") -> str:
    page = sources()[folder.name]["info"]["source"]
    put = f"put recordings and annotations of each bird into {folder / '<bird>'}"
    return f"fetch some from {page}, {others}and {put}; or {another_root()}"


def _find_birds(folder: Path) -> dict[str, Path]:
    """Name of each bird -> its folder."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if not path.is_dir() or path.name.startswith("."):
            continue
        bird = FOLDERS.get(path.name, composed(path.name))
        if other := found.get(bird):
            raise ValueError(f"{other} and {path} hold the same bird: move one of them elsewhere")
        found[bird] = path
    return found


def _load(folder: Path, size: int, shown: dict, on_problem: str, missing: str) -> Syllables:
    check_integers(2, size=size)
    spec = SpectrogramSpec(num_freqs=size, num_times=size, **shown)
    birds = _find_birds(folder)
    if not birds:
        raise FileNotFoundError(missing)
    with warnings.catch_warnings():
        # The recordings are old: nobody can lower their gain.  `info` counts the syllables.
        warnings.filterwarnings("ignore", message=".*full scale")
        return load_birds(birds, spec=spec, on_problem=on_problem, progress=False)


def _as_dataset(name: str, syllables: Syllables, part: np.ndarray) -> Dataset:
    """With the source and licence of each bird."""
    known, birds = sources()[name]["birds"], {}
    for bird in np.unique(syllables.birds).tolist():
        birds.setdefault(tuple(known.get(bird, UNKNOWN)), []).append(bird)
    source = "; ".join(f"{', '.join(some)}: {credit[0]}" for credit, some in birds.items())
    licence = "; ".join(f"{', '.join(some)}: {credit[1]}" for credit, some in birds.items())
    return as_dataset(syllables, part, **info_of(name, source=source, licence=licence))


def _download(folder: Path, url: str | None, sha256: str | None, allow_unverified: bool) -> None:
    """Fetch one archive, and put its content in place only when it is whole."""
    import pooch

    if url is None:
        needed = "url=, the address of one bird's zip archive"
        page = sources()["zebra_finch"]["info"]["source"]
        raise ValueError(f"download=True needs {needed}, for example from {page}")
    if sha256 is None and not allow_unverified:
        remedy = "pass sha256=, or allow_unverified=True to trust it and see its checksum"
        raise ValueError(f"no checksum of {url} is known here: {remedy}")
    bird = Path(urlsplit(url).path).stem
    if bird.strip(".") == "":
        raise ValueError(f"url must end in the name of an archive, <bird>.zip, not {url!r}")
    known = None if sha256 is None else f"sha256:{sha256}"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as partial:
        unpack = pooch.Unzip(extract_dir="unpacked")
        place = dict(fname="archive.zip", path=partial, processor=unpack, progressbar=False)
        try:
            pooch.retrieve(url, known, **place)
        except PermissionError:
            raise
        except (BadZipFile, EOFError, RuntimeError, zlib.error) as error:
            raise ValueError(f"{url} is damaged or not a zip archive: check url=") from error
        except ValueError as error:  # the checksum
            reason = " ".join(str(error).split())
            raise ValueError(f"{url} cannot be used ({reason}): check url= and sha256=") from error
        except Exception as error:  # of many kinds where nothing answers
            reason = f"{url} could not be downloaded ({type(error).__name__})"
            raise FileNotFoundError(f"{reason}: {_remedy(folder)}") from error
        if sha256 is None:
            digest = pooch.file_hash(Path(partial, "archive.zip"))
            print(f"SHA-256 of {url}: {digest} (pass it as sha256= next time)")
        os.replace(Path(partial, "unpacked"), folder / bird)
