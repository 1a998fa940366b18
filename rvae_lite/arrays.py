"""Any array of a user as checked numbers: the one door of data, latents, points and measures.

Letters: N examples.
"""

import sys
import unicodedata

import numpy as np

SMALLEST, LARGEST = 1e-3, 1e3  # root mean squares outside of which values are in unsuitable units
LOST = 0.01  # rounding error of a cast, as a share of a feature's standard deviation
ROUNDING = 1e-13  # standard deviation / size of a feature below which it is rounding itself
SMALL, TINY = 1e-5, 1e-30  # spread / size, and size, from which float32 holds every difference
COLUMNS = 2**16  # looked at together
MATTERS = 1e-4  # standard deviation / that of the most varying feature from which one counts


def as_array(name: str, values) -> np.ndarray:
    """Numbers of any kind as a numpy array, with nothing dropped on the way.

    Args:
        name: of the argument, for the sentences.
        values: an array, a tensor of any type on any device, a table, or lists of numbers.

    Raises:
        ValueError: no numbers (text, dates, objects), complex or masked ones, a sparse matrix, or
            rows of several lengths.
    """
    if is_tensor(values):
        values = _from_tensor(name, values)
    if isinstance(values, np.ma.MaskedArray):
        values = _unmasked(name, values)
    if hasattr(getattr(values, "dtypes", None), "items"):
        values = _from_table(name, values)
    if hasattr(values, "toarray"):
        raise ValueError(f"{name} is a sparse matrix: pass {name}.toarray()")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{name} must be a numeric array, (N, *data): {reason}") from error
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)  # nothing else computes in long doubles
    if array.dtype.kind in "biuf":
        return array
    found = f"{name} must be a numeric array, not {array.dtype}"
    if array.dtype.kind == "c":
        raise ValueError(f"{found}: pass real and imaginary parts side by side")
    raise ValueError(f"{found}: convert it, as by {name}.astype(float)")


def is_tensor(values) -> bool:
    """Whether this is a tensor of PyTorch, which is not loaded to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def _from_tensor(name: str, tensor) -> np.ndarray:
    import torch

    if tensor.layout != torch.strided:
        raise ValueError(f"{name} is a sparse tensor: pass {name}.to_dense()")
    if tensor.is_meta:
        raise ValueError(f"{name} is a meta tensor, without values: pass one that holds them")
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if tensor.is_floating_point() and tensor.itemsize < 4:
        tensor = tensor.float()  # numpy has no bfloat16
    return tensor.numpy()


def _unmasked(name: str, masked: np.ma.MaskedArray) -> np.ndarray:
    mask = np.ma.getmaskarray(masked)
    if not mask.any():
        return masked.data
    count = int(mask.reshape(len(mask), -1).any(1).sum()) if mask.ndim else 1
    raise ValueError(f"{name} has masked values in {count} examples: drop them")


def _from_table(name: str, table) -> np.ndarray:
    """A pandas table as floats where all columns are numbers; missing values become NaN."""
    text = [str(column) for column, kind in table.dtypes.items() if kind.kind not in "biuf"]
    if text:
        found = f"columns that are no numbers ({', '.join(text[:4])})"
        raise ValueError(f"{name} has {found}: drop or encode them")
    kinds = set(table.dtypes)
    if len(kinds) == 1 and isinstance(next(iter(kinds)), np.dtype):
        return table.to_numpy()
    return table.to_numpy(np.float64, na_value=np.nan)


def named(table) -> dict:
    """The entry of a header that tells a table's columns, {"names": [...]}; {} if none has names.

    Numbers in their place, as pandas gives them, are no names.
    """
    columns = list(getattr(table, "columns", []))
    return dict(names=columns) if columns and all(isinstance(a, str) for a in columns) else {}


def as_text(name: str, values) -> np.ndarray:
    """Names as text: numbers written out, bytes decoded.  Raises ValueError where one lacks."""
    array = _objects(name, values)
    if any(_is_missing(value) for value in array.flat):
        raise ValueError(f"{name} has missing names: name every one, or leave {name} out")
    texts = [_decoded(value) for value in array.flat]
    return np.array(texts, dtype=np.str_).reshape(array.shape)


def _objects(name: str, values) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray):
        values = np.where(np.ma.getmaskarray(values), None, values.data.astype(object))
    return np.asarray(as_array(name, values) if is_tensor(values) else values, dtype=object)


def _is_missing(value) -> bool:
    """Whether this is None, or NaN, NaT or NA and no text that reads so."""
    return not isinstance(value, str | bytes) and str(value) in ("None", "nan", "NaT", "<NA>")


def _decoded(value) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def as_labels(name: str, values) -> np.ndarray:
    """Classes as text that can be compared: 1, 1.0, True, "1", b"1" are one, so are NFC and NFD."""
    texts = as_text(name, np.frompyfunc(_whole, 1, 1)(_objects(name, values)))
    return np.array([unicodedata.normalize("NFC", text) for text in texts.flat], dtype=np.str_)


def _whole(value):
    """A truth value, or a float that is a whole number, as an integer."""
    is_whole_float = isinstance(value, float | np.floating) and float(value).is_integer()
    return int(value) if is_whole_float or isinstance(value, bool | np.bool_) else value


def as_finite(name: str, values) -> np.ndarray:
    """Numbers as float64.  Raises ValueError where some are NaN or infinite, as `as_array` else."""
    array = as_array(name, values).astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        wrong = f"{name} holds NaN or infinite values"
        raise ValueError(f"{wrong}: check the training that it comes from")
    return array


def check_finite(name: str, array: np.ndarray) -> None:
    """Raises ValueError where examples, (N, *data), hold NaN or infinite values."""
    if array.dtype.kind != "f":
        return  # integers are finite, and may be of a file larger than memory
    bad = ~np.isfinite(array).reshape(len(array), -1).all(1)
    if bad.any():
        where = f"in {int(bad.sum())} examples, first in {int(bad.argmax())}"
        raise ValueError(f"{name} has NaN or infinite values {where}: drop them")


def as_float32(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers as float32.  Raises ValueError where finite ones become infinite."""
    if array.dtype == np.float32:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(np.float32)
    if np.isinf(cast).sum() > np.isinf(array).sum():
        largest = np.abs(array[np.isfinite(array)]).max()
        found = f"{name} has values up to {largest:.3g}, which do not fit float32"
        raise ValueError(f"{found}: divide them by a value_scale such as {largest:.0e}")
    return cast


def check_kept(name: str, array: np.ndarray) -> None:
    """Raises ValueError where float32 cannot hold what distinguishes examples, (N, *data).

    Values near 1e8 that vary by 1 become equal: a time stamp, a position, a mass.
    """
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "fiu" or size <= (4 if kind == "f" else 2) or len(array) < 2:
        return
    values = array.reshape(len(array), -1).astype(np.float64, copy=False)
    if not _may_round_away(values):
        return
    spread, size = values.std(0), np.abs(values).max(0)
    varies = (spread > ROUNDING * size) & (spread > MATTERS * spread.max())
    error = np.sqrt(np.square(values - values.astype(np.float32)).mean(0))
    lost = varies & (error > LOST * spread)
    if not lost.any():
        return
    worst = int(np.argmax(lost * size))
    found = f"{name} has values near {size[worst]:.2g} that vary by only {spread[worst]:.2g}"
    remedy = "subtract the mean and divide by the standard deviation"
    raise ValueError(f"{found}, which float32 cannot hold: {remedy}")


def _may_round_away(values: np.ndarray) -> bool:
    """Whether differences may be lost; a bound that needs little memory, mostly enough.

    A standard deviation is at least range / sqrt(2 N), an error of rounding at most size / 2**24.
    """
    for start in range(0, values.shape[1], COLUMNS):
        block = values[:, start : start + COLUMNS]
        low, high = block.min(0), block.max(0)
        size = np.maximum(np.abs(low), np.abs(high))
        least = (high / 2 - low / 2) * np.sqrt(2 / len(values))
        if ((high > low) & ((least < SMALL * size) | (size < TINY))).any():
            return True
    return False


def unsuitable_units(array: np.ndarray) -> str | None:
    """What to say of data whose root mean square is too far from 1 to train on, if it is."""
    if array.dtype == np.uint8 or not array.size:
        return None
    with np.errstate(over="ignore"):
        size = float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))
    if not size or SMALLEST <= size <= LARGEST:
        return None
    remedy = "subtract the mean and divide by the standard deviation, or divide by a unit"
    return f"the root mean square of the data is {size:.2g}, too far from 1 to train on: {remedy}"


def is_number(value) -> bool:
    """Whether a value is a real number and no truth value."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_whole(value) -> bool:
    """Whether a value is an integer and no truth value."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
