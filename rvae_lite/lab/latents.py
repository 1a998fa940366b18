"""Points of anybody's latent space: latents from a file, beside the data that they belong to.

The latents may be those of AVA, PCA, UMAP or any model.  None is needed here, so the points hold no
decoder targets, and their header says so.
Letters: N examples, K latent dimension, R Rosetta points.
"""

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rvae_lite.arrays import as_labels
from rvae_lite.lab.distilling import default_count
from rvae_lite.lab.reading import TABLES, Arrays, read_data
from rvae_lite.points import select_points
from rvae_lite.publishing import expanded
from rvae_lite.readers.limits import shown
from rvae_lite.readers.names import names_in
from rvae_lite.rosetta import RosettaPoints

ARRAYS = ("latents", "latent_means", "means", "z")  # as AVA and others call them in HDF5
ENDINGS = re.compile(r"\.(npy|png|jpe?g)$", re.IGNORECASE)  # that one side's ids may lack
UNCHECKED = "latents and data do not both have ids: their rows were taken to be in the same order"


def read_latents(
    path, data, examples: Arrays, *, key: str | None = None, memory: float | None = None
) -> tuple[np.ndarray, Arrays, bool]:
    """Latents from a file, (N, K), the examples with their ids, and whether a file had these.

    Args:
        path: the latents, (N, K), a row for each example, read as `reading.read_data` reads data; a
            table may have an id column, HDF5 and .npz an array `ids`.
        data: the file or folder that the examples were read from.
        examples: N of them.
        key: which array of HDF5 or .npz, or which columns of a table.
        memory: GiB that the latents may take.

    Raises:
        FileNotFoundError: the latents are not there.
        ValueError: they are not (N, K), hold NaN, are all the same, or belong to other examples or
            to these in another order, as far as both have ids.
    """
    path, data = expanded(path), expanded(data)
    with _of_the_option():
        theirs = names_in(path, beside=ARRAYS, memory=memory)
        if key is None and path.suffix.lower() in TABLES and "," in "".join(theirs.others):
            raise ValueError(f"{shown(path)} has commas in names of columns: rename these")
        if key is None and (len(theirs.others) == 1 or path.suffix.lower() in TABLES):
            key = ",".join(theirs.others) or None
        found = read_data(path, key=key, value_scale=1.0, images=False, memory=memory)
        _check_latents(shown(path), found.x, len(examples.x))
        own = examples.ids if data.is_dir() else _ids_of(data, memory)
        ids = found.ids if path.is_dir() else theirs.ids
        known = [_counted(own, data, found.x), _counted(ids, path, found.x)]
        if own is not None and ids is not None:
            _check_order(own, ids)
    notes = [f"latents: {note}" for note in found.notes if "divided by 1" not in note]
    notes += [UNCHECKED] * (own is None or ids is None)
    names = [each for each in known if each is not None] + [examples.ids]
    examples = examples._replace(ids=names[0], notes=examples.notes + notes)
    return found.x, examples, len(names) > 1


def _ids_of(data: Path, memory: float | None) -> np.ndarray | None:
    """What the data's file calls its examples; None where it says nothing that can be read."""
    try:
        return names_in(data, memory=memory).ids
    except ValueError:
        return None


@contextmanager
def _of_the_option():
    """Say of an error that it is about the latents."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"--latents: {error}") from error
    except ValueError as error:
        raise ValueError(f"--latents: {error}") from error


def _check_latents(path: str, means: np.ndarray, num_data: int) -> None:
    if means.ndim != 2:
        expected = f"must hold (N, K), a row for each example, not {means.shape}"
        raise ValueError(f"{path} {expected}: pass the latents of one model")
    if len(means) != num_data:
        counts = f"{len(means)} rows, the data {num_data} examples"
        remedy = "pass a row for each example, in the data's order"
        raise ValueError(f"{path} has {counts}: {remedy}")
    if not (means != means[0]).any():
        remedy = "pass a space that tells them apart"
        raise ValueError(f"{path} has the same latents for every example: {remedy}")


def _counted(ids, path: Path, means: np.ndarray):
    """Ids, one for each example.  Raises ValueError where there are more or fewer."""
    if ids is not None and len(ids) != len(means):
        counts = f"{len(ids)} ids for {len(means)} examples"
        raise ValueError(f"{shown(path)} has {counts}: write one for each, or none")
    return ids


def _check_order(own, theirs) -> None:
    """Refuse latents of other examples than the data's, or of these in another order."""
    own, theirs = (
        [ENDINGS.sub("", name) for name in as_labels("ids", each)] for each in (own, theirs)
    )
    row = next(
        (i for i, pair in enumerate(zip(own, theirs, strict=True)) if len(set(pair)) > 1), -1
    )
    if row < 0:
        return
    found = f"row {row} is of {shown(theirs[row])!r}, the data's of {shown(own[row])!r}"
    if sorted(own) == sorted(theirs):
        raise ValueError(f"its rows are in another order ({found}): sort them as the data")
    remedy = "pass the latents of these data, or leave their ids out"
    raise ValueError(f"its ids are not those of the data ({found}): {remedy}")


def distil_latents(
    x,
    means,
    num_points: int | None = None,
    *,
    method: str = "kmeans",
    seed: int = 0,
    ids=None,
    header: dict | None = None,
    made_by: dict | None = None,
) -> RosettaPoints:
    """Distil latents of any origin into Rosetta points without decoder targets.

    Args:
        x: data, (N, *data).
        means: their latents, (N, K).
        num_points: R; by default 64, fewer for few data.
        method, seed, ids: as in `select_points`.
        header: entries to add: preprocessing, licence, source, ...
        made_by: where the latents are from, as header["latents"].

    Raises:
        ValueError: as `select_points`.
    """
    own = dict(latents=made_by, decoder_targets="absent", share=dict(inputs="as they are"))
    if num_points is None:
        num_points = default_count(len(x), np.shape(means)[-1])
    options = dict(method=method, seed=seed, ids=ids, header=(header or {}) | own)
    return select_points(x, means, num_points, **options)
