"""Rosetta points: a latent space distilled into a few (input, latent) pairs that other trainings can anchor to.

Martinez & Pearson (2021), Section 3 and Appendix E: cluster the posterior means, take for each centre the nearest
datum x_r and its own mean z_r.  Points of a multi-rate model are curves z_r(beta), ours.
Letters: N data points, K latent dimension, R Rosetta points, J values of beta at which a curve is known.
"""

import warnings
from importlib import resources
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rvae_lite.storage import differences, load_arrays, save_arrays

PLAIN_VERSION, SCHEMA_VERSION = (
    1,
    2,
)  # of files of plain points, which older readers read too, and of curves
DESCRIBED = (
    "latent_dim",
    "data_shape",
    "num_points",
    "dtype",
    "value_range",
    "num_betas",
    "beta_range",
)  # what the arrays say themselves
RANGE_FACTOR = 10.0  # root mean squares further apart than this are another scale, not other data
SHIFT_FACTOR = 2.5  # further apart than this they are suspicious


class CheckReport(NamedTuple):
    """What speaks against using some points with some data: `errors` forbid it, `warnings` make one look again."""

    errors: list[str]
    warnings: list[str]

    def __str__(self) -> str:
        lines = [f"error: {text}" for text in self.errors] + [
            f"warning: {text}" for text in self.warnings
        ]
        return "\n".join(lines) or "the points fit the data"


class RosettaPoints:
    """R pairs of an input and its latent, or of an input and its latents over beta.

    Attributes:
        x: inputs, (R, *data), in the units that the model was trained in (uint8: 0 to 255).
        z: latents, (R, K) float32; of curves (J, R, K).
        betas: where the curves are known, (J,) float64, ascending; None for plain points.  The weight of the rate in
            distortion + beta * rate, nats, both summed over dimensions.
        recon: the template's own decode(z_r(beta)), (J, R, *data) float32 in the model's units, or None.
        ids: which datum each point was, (R,) text; empty text where unknown.
        header: a dictionary that travels with the points: schema version, K, data shape, value range, range of beta,
            selection method, seed, versions, SHA-256 and whatever the maker added (preprocessing, licence, source).

    Raises:
        ValueError: shapes that do not fit, NaN or infinite values, no points, betas that do not ascend.
    """

    def __init__(self, x, z, *, betas=None, recon=None, ids=None, header: dict | None = None):
        x, z = np.asarray(x), np.asarray(z, dtype=np.float32)
        x = x if x.dtype == np.uint8 else np.asarray(x, dtype=np.float32)
        if betas is None:
            if z.ndim != 2 or x.ndim < 2 or len(x) != len(z):
                raise ValueError(
                    f"points need x (R, *data) and z (R, K) of one length, not {x.shape} and {z.shape}"
                )
            if recon is not None:
                raise ValueError("recon belongs to curves over beta: pass their betas too")
        else:
            betas, recon = _curves(x, z, betas, recon)
        if not x.size or not z.size:
            raise ValueError(
                "there are no points, or empty ones: select at least one, of at least one number"
            )
        if not all(
            np.isfinite(array).all() for array in (x, z) + ((recon,) if recon is not None else ())
        ):
            raise ValueError("points hold NaN or infinite values: select them from clean data")
        ids = np.asarray([""] * len(x) if ids is None else ids).astype(str)
        if ids.shape != (len(x),):
            raise ValueError(f"ids must be one per point ({len(x)}), not of shape {ids.shape}")
        self.x, self.z, self.ids, self.betas, self.recon = x, z, ids, betas, recon
        self.header = {
            key: value
            for key, value in (header or {}).items()
            if key not in ("num_betas", "beta_range")
        }
        self.header |= dict(
            latent_dim=z.shape[-1],
            data_shape=list(x.shape[1:]),
            num_points=len(x),
            dtype=str(x.dtype),
            value_range=[float(x.min()), float(x.max())],
        )
        if betas is not None:
            self.header |= dict(
                num_betas=len(betas), beta_range=[float(betas[0]), float(betas[-1])]
            )

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        text = f"RosettaPoints({len(self)} points, data {self.x.shape[1:]}, K = {self.z.shape[-1]}"
        return text + (
            ")" if self.betas is None else f", beta {self.betas[0]:g} to {self.betas[-1]:g})"
        )

    def z_at(self, beta) -> np.ndarray:
        """The latents at beta, a number or one per point, (R,): (R, K).  Plain points have the same at every beta.

        Curves are interpolated linearly in log beta; beyond their ends they stay what they are there.

        Warns:
            UserWarning: of a beta beyond the ends.
        """
        return self.z if self.betas is None else self._at(self.z, beta)

    def recon_at(self, beta) -> np.ndarray:
        """What the template's decoder makes of z_at(beta), likewise interpolated: (R, *data), in the model's units.

        Raises:
            ValueError: the points came without reconstructions.
        """
        if self.recon is None:
            raise ValueError(
                "these points hold no reconstructions: distil them again by curve_points"
            )
        return self._at(self.recon, beta)

    def at_beta(self, beta: float) -> "RosettaPoints":
        """The plain points (x_r, z_r(beta)) of one beta, which the header names; plain points come back as they are."""
        if self.betas is None:
            return self
        return RosettaPoints(
            self.x, self.z_at(beta), ids=self.ids, header=self.header | dict(beta=float(beta))
        )

    def warn_beyond(self, low: float, high: float) -> None:
        """Warn (UserWarning) where the curves do not reach from `low` to `high`."""
        if self.betas is not None and (
            low < self.betas[0] * (1 - 1e-6) or high > self.betas[-1] * (1 + 1e-6)
        ):
            span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            ends = f"[{self.betas[0]:g}, {self.betas[-1]:g}]"
            message = f"the points are known for beta in {ends}, asked for is {span}: beyond, they stay as at the ends"
            warnings.warn(message, UserWarning, stacklevel=3)

    def _at(self, curves: np.ndarray, beta) -> np.ndarray:
        at = torch.as_tensor(beta, dtype=torch.float64)
        if at.ndim > 1 or (at.ndim and len(at) != len(self)) or not bool((at > 0).all()):
            raise ValueError(
                f"beta must be a positive number or one per point ({len(self)}), not {beta!r}"
            )
        self.warn_beyond(float(at.min()), float(at.max()))
        return along_beta(
            torch.from_numpy(self.betas), torch.from_numpy(curves), at.expand(len(self))
        ).numpy()

    def save(self, path) -> None:
        """Write the points to `path` (.npz) atomically, without pickle, with a SHA-256 of the content.

        Plain points are written as version 1, which older readers read too; curves as version 2, which they refuse.
        """
        arrays, version = dict(x=self.x, z=self.z, ids=self.ids), PLAIN_VERSION
        if self.betas is not None:
            arrays, version = arrays | dict(betas=self.betas), SCHEMA_VERSION
            arrays |= {} if self.recon is None else dict(recon=self.recon)
        self.header = save_arrays(
            path, kind="rosetta", version=version, header=self.header, arrays=arrays
        )

    @classmethod
    def load(cls, path) -> "RosettaPoints":
        """Read points from a file, or those that ship with the package: "book:eight_gaussians", "book:digits".

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file is truncated, altered, pickled, of another kind or from a newer version.
        """
        if isinstance(path, str) and path.startswith("book:"):
            path = book_file(path.removeprefix("book:"))
        header, arrays = load_arrays(path, kind="rosetta", version=SCHEMA_VERSION)
        curved = header["schema_version"] > PLAIN_VERSION
        needed = ["betas"] * curved + ["ids", "x", "z"]
        if set(arrays) - set(["recon"] * curved) != set(needed):
            named = ", ".join(needed[:-1]) + " and z"
            raise ValueError(
                f"{path} holds {sorted(arrays)} instead of {named}: get a fresh copy of it"
            )
        types = {name: str(array.dtype) for name, array in arrays.items()}
        if (
            types["x"] not in ("uint8", "float32")
            or types["z"] != "float32"
            or arrays["ids"].dtype.kind != "U"
        ):
            raise ValueError(
                f"{path} holds arrays of other types than Rosetta points ({types}): get a fresh copy of it"
            )
        try:
            points = cls(**arrays, header=header)
        except ValueError as error:
            raise ValueError(
                f"{path} holds no valid points ({error}): get a fresh copy of it"
            ) from error
        wrong = [
            key for key in DESCRIBED if key in header and header[key] != points.header.get(key)
        ]
        if wrong:
            raise ValueError(
                f"{path} contradicts its own header ({', '.join(wrong)}): get a fresh copy of it"
            )
        return points

    def check(self, x, preprocessing=None) -> CheckReport:
        """Compare with one's own data before hours are spent on training.

        Errors: another preprocessing, shape or scale (0-255 against 0-1), NaN.  Warnings: a shifted scale, very few
        points.

        Args:
            x: data, (N, *data).
            preprocessing: how they were made, as in a data set's info["preprocessing"]; it is compared where the
                points' header has one too, but for `normalisation`, which holds values of each bird or instrument.
        """
        errors = _preprocessing_errors(self.header.get("preprocessing"), preprocessing)
        data = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
        if tuple(data.shape[1:]) != tuple(self.x.shape[1:]):
            text = f"the points' inputs have shape {self.x.shape[1:]}, the data's {tuple(data.shape[1:])}"
            return CheckReport([*errors, f"{text}: bring both to one resolution"], [])
        if not len(data):
            return CheckReport([*errors, "the data are empty: pass at least one example"], [])
        doubts = []
        if len(self) > len(data):
            errors.append(
                f"there are {len(self)} points for {len(data)} examples: select fewer points"
            )
        own, theirs = _root_mean_square(self.x), _root_mean_square(data)
        if not np.isfinite(theirs):
            errors.append("the data hold NaN or infinite values: drop those examples")
        elif max(own, theirs) > RANGE_FACTOR * min(own, theirs):
            errors.append(
                f"the points' inputs (root mean square {own:.3g}) and the data ({theirs:.3g}) are on different scales: "
                f"prepare both alike (0-255 or 0-1?)"
            )
        elif max(own, theirs) > SHIFT_FACTOR * min(own, theirs):
            doubts.append(
                f"root mean square of the points' inputs {own:.3g}, of the data {theirs:.3g}: same units?"
            )
        if len(self) <= self.z.shape[-1]:
            doubts.append(
                f"{len(self)} points cannot pin down {self.z.shape[-1]} latent dimensions: select at least "
                f"{self.z.shape[-1] + 1}"
            )
        return CheckReport(errors, doubts)


def along_beta(betas: Tensor, curves: Tensor, at: Tensor) -> Tensor:
    """Read R curves off, each at a beta of its own: linear in log beta, constant beyond the ends.

    Args:
        betas: where the curves are known, (J,), ascending.
        curves: their values there, (J, R, ...).
        at: betas, (..., R).

    Returns:
        Values, (..., R, ...).
    """
    nodes = betas.log()
    wanted = at.to(nodes).log().clamp(nodes[0], nodes[-1])
    upper = torch.searchsorted(nodes, wanted).clamp(1, len(nodes) - 1)
    share = ((wanted - nodes[upper - 1]) / (nodes[upper] - nodes[upper - 1])).to(curves.dtype)
    each = torch.arange(curves.shape[1], device=curves.device)
    return torch.lerp(
        curves[upper - 1, each],
        curves[upper, each],
        share.reshape(*at.shape, *[1] * (curves.ndim - 2)),
    )


def _curves(x: np.ndarray, z: np.ndarray, betas, recon) -> tuple[np.ndarray, np.ndarray | None]:
    """betas and recon of curves as arrays, after checking that everything fits."""
    betas = np.asarray(betas, dtype=np.float64)
    ascending = betas.ndim == 1 and len(betas) > 1 and betas[0] > 0 and (np.diff(betas) > 0).all()
    if not (ascending and np.isfinite(betas).all()):
        raise ValueError(
            f"betas must be at least two positive ascending numbers, not {betas.tolist()}"
        )
    if z.ndim != 3 or x.ndim < 2 or z.shape[:2] != (len(betas), len(x)):
        expected = f"({len(betas)}, {len(x)}, K)"
        raise ValueError(
            f"curves need x (R, *data) and z (J, R, K) = {expected}, not {x.shape} and {z.shape}"
        )
    recon = None if recon is None else np.asarray(recon, dtype=np.float32)
    if recon is not None and recon.shape != (len(betas), *x.shape):
        raise ValueError(
            f"recon must be (J, R, *data) = {(len(betas), *x.shape)}, not {recon.shape}"
        )
    return betas, recon


def _preprocessing_errors(theirs, own) -> list[str]:
    if theirs is None or own is None:
        return []
    theirs, own = (
        value if isinstance(value, dict) else dict(preprocessing=value) for value in (theirs, own)
    )
    differing = "; ".join(differences(theirs, own, ignore=("normalisation",)))
    return [
        f"the points and the data were prepared differently ({differing}): prepare the data alike"
    ] * bool(differing)


def _root_mean_square(x: np.ndarray) -> float:
    scale = 255.0 if x.dtype == np.uint8 else 1.0
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) / scale


def book_file(name: str):
    """The file of the points that ship with the package under a name such as "digits"."""
    folder = resources.files("rvae_lite") / "data" / "rosetta"
    known = sorted(
        file.name.removesuffix(".npz") for file in folder.iterdir() if file.name.endswith(".npz")
    )
    if name not in known:
        raise ValueError(
            f"there are no points 'book:{name}'; the book ships {', '.join('book:' + k for k in known)}"
        )
    return folder / f"{name}.npz"
