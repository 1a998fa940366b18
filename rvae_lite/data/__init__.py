"""`load(name)`: named arrays with labels, ids, parts, and where they come from.

Martinez & Pearson (2021), Appendix A; Bae et al. (2023), Section 5.  Letters: N data points.
"""

from importlib import import_module
from inspect import getfullargspec

import numpy as np

from rvae_lite.arrays import is_number, is_whole
from rvae_lite.data.dataset import Dataset
from rvae_lite.data.folders import DATA_VARIABLE, data_root, sources

__all__ = ["DATA_VARIABLE", "Dataset", "data_root", "load", "split"]


def load(
    name: str,
    *,
    root=None,
    download: bool = False,
    seed: int = 0,
    num_examples: int | None = None,
    **options,
) -> Dataset:
    """Load a data set by its name in sources.yml.

    Args:
        name: "eight_gaussians", "digits", "binary_digits", "procedural_chairs",
            "procedural_colour", "procedural_sprites", "synthetic_finch" and "grammar_sentences"
            need no files.  The files of "mnist", "binary_mnist", "omniglot", "cifar10", "svhn",
            "celeba", "cifar10_part", "svhn_part", "chairs", "dsprites", "zebra_finch",
            "bengalese_finch", "yahoo" and "yahoo_part" lie in `root`.
        root: folder of the data sets; by default what RVAE_LITE_DATA names, else a user cache.
        download: fetch missing files whose checksums are known.
        seed: of the generated sets, of a random partition, and of the choice of `num_examples`.
        num_examples: how many to keep, drawn at random without replacement; by default all.
        options: those of the function `load_<name>`.

    Raises:
        ValueError: an unknown name or option, one of another type or out of range, a damaged file.
        FileNotFoundError: files are missing; the message says which, from where, to put where.
        PermissionError: the files may not be read.

    Example:
        >>> load("eight_gaussians").x.shape
        (6400, 5)
    """
    _check_types(seed=(seed, 0), num_examples=(0 if num_examples is None else num_examples, 0))
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    if not isinstance(name, str) or name not in sources():
        raise ValueError(f"name must be one of {sorted(sources())}, not {name!r}")
    loader = getattr(import_module(f"rvae_lite.{sources()[name]['module']}"), f"load_{name}")
    common = dict(root=root, download=download, seed=seed)
    parameters = getfullargspec(loader).kwonlydefaults or {}
    known = sorted(set(parameters) - set(common))
    for option in options:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise ValueError(f"{name} takes no option {option!r}: it takes {listed}")
    _check_types(**{option: (value, parameters[option]) for option, value in options.items()})
    shared = {key: value for key, value in common.items() if key in parameters}
    dataset = loader(**shared, **options)
    if num_examples is None:
        return dataset
    count = len(dataset.x)
    if not 1 <= num_examples <= count:
        limits = f"between 1 and {count} for {name}"
        raise ValueError(f"num_examples must be {limits}, not {num_examples}")
    chosen = np.random.default_rng(seed).permutation(count)[:num_examples]
    return dataset.take(np.sort(chosen))


def _check_types(**options) -> None:
    """Refuse options that are no integer, number or text; each as (value, its default)."""
    kinds = {int: (is_whole, "an integer"), float: (is_number, "a number"), str: (_is_text, "text")}
    for name, (value, default) in options.items():
        suits, told = kinds.get(type(default), (lambda value: True, ""))
        if not suits(value):
            raise ValueError(f"{name} must be {told}, not {value!r}")


def _is_text(value) -> bool:
    return isinstance(value, str)


def split(dataset: Dataset, *, train_fraction: float = 0.6, seed: int = 0) -> np.ndarray:
    """A random split inside each of D1 and D2 (Appendix B: 60/40): (N,) True for training."""
    if not 0 < train_fraction < 1:
        raise ValueError(f"train_fraction must be between 0 and 1, not {train_fraction}")
    random = np.random.default_rng(seed)
    train = np.zeros(len(dataset.part), dtype=bool)
    for part in np.unique(dataset.part):
        members = random.permutation(np.flatnonzero(dataset.part == part))
        train[members[: round(train_fraction * len(members))]] = True
    return train
