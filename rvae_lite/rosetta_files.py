"""What Rosetta points must be, in memory and in a file; it loads without PyTorch.

Letters: K latent dimension, R Rosetta points, J values of beta at which a curve is known.
"""

import re
import sys
from importlib import import_module, resources

import numpy as np

from rvae_lite.arrays import as_array, is_number
from rvae_lite.storage import FRESH_COPY, load_arrays


def check_arrays(x: np.ndarray, z: np.ndarray, betas, recon) -> None:
    """Raises ValueError for arrays that are no Rosetta points, plain or curves (betas given)."""
    if betas is not None:
        _check_curves(x, z, betas, recon)
    elif z.ndim != 2 or x.ndim < 2 or len(x) != len(z):
        found = f"{x.shape} and {z.shape}"
        raise ValueError(f"points need x (R, *data) and z (R, K) of one length, not {found}")
    elif recon is not None and recon.shape != x.shape:
        raise ValueError(f"recon must be (R, *data) = {x.shape}, not {recon.shape}")
    if not x.size or not z.size:
        remedy = "select at least one, of at least one number"
        raise ValueError(f"there are no points, or empty ones: {remedy}")
    arrays = (x, z) if recon is None else (x, z, recon)
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("points hold NaN or infinite values: select them from clean data")


def _check_curves(x: np.ndarray, z: np.ndarray, betas: np.ndarray, recon) -> None:
    ordered = betas.ndim == 1 and len(betas) > 1 and betas[0] > 0 and (np.diff(betas) > 0).all()
    if not (ordered and np.isfinite(betas).all()):
        expected = "at least two positive ascending numbers"
        raise ValueError(f"betas must be {expected}, not {betas.tolist()}")
    if z.ndim != 3 or x.ndim < 2 or z.shape[:2] != (len(betas), len(x)):
        expected = f"x (R, *data) and z (J, R, K) = ({len(betas)}, {len(x)}, K)"
        raise ValueError(f"curves need {expected}, not {x.shape} and {z.shape}")
    expected = (len(betas), *x.shape)
    if recon is not None and recon.shape != expected:
        raise ValueError(f"recon must be (J, R, *data) = {expected}, not {recon.shape}")


def check_ids(ids: np.ndarray, num_points: int) -> None:
    """Raises ValueError for names that are not one per point."""
    if ids.shape != (num_points,):
        raise ValueError(f"ids must be one per point ({num_points}), not of shape {ids.shape}")


def one_per_point(beta, num_points: int) -> np.ndarray:
    """beta, a positive number or one per point, as () or (R,) float64, after checking it."""
    at = as_array("beta", beta).astype(np.float64)
    one_each = not at.ndim or at.shape == (num_points,)
    if not one_each or not (at > 0).all():
        expected = f"a positive number or one per point ({num_points})"
        raise ValueError(f"beta must be {expected}, not {beta!r}")
    return at


def beyond_ends(betas: np.ndarray, low: float, high: float) -> str | None:
    """The warning where curves known at betas, (J,), do not reach from `low` to `high`."""
    first, last = betas[0], betas[-1]
    if low >= first * (1 - 1e-6) and high <= last * (1 + 1e-6):
        return None
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    known = f"the points are known for beta in [{first:g}, {last:g}], asked for is {span}"
    return f"{known}: beyond, they stay as at the ends"


def check_maker(header: dict) -> None:
    """Raises ValueError where entries that trainings and reports act on are not what they must be.

    `preprocessing` is text or an object; `model` an object with the likelihood and its noise
    variance; `value_scale` a number; `covering` three distances; all others may be any JSON.
    """
    if not isinstance(header, dict):
        raise ValueError(f"header must be a dictionary, not a {type(header).__name__}")
    model = header.get("model") or {}
    noise = model.get("noise_variance") if isinstance(model, dict) else None
    scale = header.get("value_scale")
    if not isinstance(header.get("preprocessing"), str | dict | list | None):
        wrong = "preprocessing must be text or an object"
    elif not isinstance(header.get("share"), dict | None):
        wrong = "share must be an object"
    elif not isinstance(header.get("names"), list | None):
        wrong = "names must be a list of the columns' names"
    elif not isinstance(model, dict):
        wrong = "model must be an object"
    elif model.get("likelihood") not in (None, "gaussian", "bernoulli"):
        wrong = "likelihood must be 'gaussian' or 'bernoulli'"
    elif noise is not None and not (is_number(noise) and 0 < noise < np.inf):
        wrong = "noise_variance must be a positive number"
    elif scale is not None and not (is_number(scale) and 0 < scale < np.inf):
        wrong = "value_scale must be a positive number"
    elif not _is_covering(header.get("covering")):
        wrong = "covering must be median <= q95 <= radius, finite distances from 0 upwards"
    else:
        return
    raise ValueError(f"the header's {wrong}: correct it")


def _is_covering(found) -> bool:
    """Whether this is the entry that `coverage.covering` makes, or none."""
    if found is None:
        return True
    if not isinstance(found, dict) or set(found) != {"median", "q95", "radius"}:
        return False
    if not all(map(is_number, found.values())):
        return False
    return 0 <= found["median"] <= found["q95"] <= found["radius"] <= sys.float_info.max


# The arrays of each version of the file; of curves the reconstructions may be absent.
ARRAYS = {1: {"ids", "x", "z"}, 2: {"betas", "ids", "x", "z"}, 3: {"ids", "recon", "x", "z"}}


ADDRESS = re.compile(r"doi:|[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_address(name) -> bool:
    """Whether a text is an address such as https://... or doi:..., and no path."""
    return isinstance(name, str) and ADDRESS.match(name) is not None


def located(name, sha256: str | None = None):
    """The file of a name: a path, "book:NAME", or an address, whose file is fetched.

    sha256: of the file's bytes; an address needs it, here or as "#sha256=..." at its end.

    Raises:
        ValueError, OSError: as `readers.downloads.fetched`.
    """
    if isinstance(name, str) and name.startswith("book:"):
        name = book_file(name.removeprefix("book:"))
    if sha256 is None and not is_address(name):
        return name
    downloads = import_module("rvae_lite.readers.downloads")  # of a room, loaded when asked for
    return downloads.fetched(name, sha256) if is_address(name) else downloads.verified(name, sha256)


def read_points(path, build, sha256: str | None = None, *, newest: int, described):
    """The points that `build(x=, z=, ids=, ..., header=)` makes of a Rosetta file.

    Args:
        path, sha256: as in `located`.
        build: the class `RosettaPoints`.
        newest: the newest version of the file that is known.
        described: entries of the header that the arrays must agree with.

    Raises:
        ValueError: a damaged file, or one that holds other things than points.
    """
    path = located(path, sha256)
    header, arrays = load_arrays(path, kind="rosetta", version=newest)
    needed = ARRAYS[header["schema_version"]]
    optional = {"recon"} if "betas" in needed else set()
    if set(arrays) - optional != needed:
        expected = ", ".join(sorted(needed)[:-1]) + " and z"
        found = sorted(arrays)
        raise ValueError(f"{path} holds {found} instead of {expected}: {FRESH_COPY}")
    types = {name: str(array.dtype) for name, array in arrays.items()}
    known = types["x"] in ("uint8", "float32") and types["z"] == "float32"
    if not known or arrays["ids"].dtype.kind != "U":
        problem = f"arrays of other types than Rosetta points ({types})"
        raise ValueError(f"{path} holds {problem}: {FRESH_COPY}")
    try:
        points = build(**arrays, header=header)
    except ValueError as error:
        problem = f"no valid points ({error})"
        raise ValueError(f"{path} holds {problem}: {FRESH_COPY}") from error
    told = [key for key in described if key in header]
    wrong = [key for key in told if header[key] != points.header.get(key)]
    if wrong:
        problem = f"contradicts its own header ({', '.join(wrong)})"
        raise ValueError(f"{path} {problem}: {FRESH_COPY}")
    return points


def book_file(name: str):
    """The file of the points that ship with the package under a name such as "digits"."""
    folder = resources.files("rvae_lite") / "data" / "rosetta"
    files = [file.name for file in folder.iterdir() if file.name.endswith(".npz")]
    known = sorted(file.removesuffix(".npz") for file in files)
    if name not in known:
        shipped = ", ".join(f"book:{each}" for each in known)
        raise ValueError(f"there are no points 'book:{name}'; the book ships {shipped}")
    return folder / f"{name}.npz"
