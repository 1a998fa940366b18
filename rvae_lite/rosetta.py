"""Rosetta points: a latent space as a few (input, latent) pairs that other trainings anchor to.

Martinez & Pearson (2021), Section 3.  Points of a multi-rate model are curves z_r(beta), ours.
Letters: K latent dimension, R Rosetta points, J values of beta at which a curve is known.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from rvae_lite import rosetta_files as files
from rvae_lite.arrays import as_array, as_float32, as_text, check_kept, named
from rvae_lite.storage import save_arrays

if TYPE_CHECKING:
    from torch import Tensor

    from rvae_lite.models.likeness import CheckReport
    from rvae_lite.objective import Anchors

# Versions of files: of plain points without reconstructions, which older readers read too, of
# curves, and of plain points with reconstructions.
BARE_VERSION, CURVES_VERSION, SCHEMA_VERSION = 1, 2, 3
OF_CURVES = ("num_betas", "beta_range")  # entries of the header
DESCRIBED = ("latent_dim", "data_shape", "num_points", "dtype", "value_range", *OF_CURVES)


class RosettaPoints:
    """R pairs of an input and its latent, or of an input and its latents over beta.

    Attributes:
        x: inputs, (R, *data), in the units that the model was trained in (uint8: 0 to 255).
        z: latents, (R, K) float32; of curves (J, R, K).
        betas: where the curves are known, (J,) float64, ascending; None for plain points.  beta is
            the weight of the rate in distortion + beta * rate, nats, both summed over dimensions.
        recon: the template's own decode(z_r), float32 in the model's units, (R, *data), of curves
            (J, R, *data); or None.
        ids: which datum each point was, (R,) text; empty text where unknown.
        header: what travels with the points: schema version, shapes, ranges, selection, versions,
            SHA-256 and whatever the maker added (preprocessing, licence, source).

    ValueError: shapes that do not fit, NaN or infinite values, no points, unordered betas.
    """

    def __init__(self, x, z, *, betas=None, recon=None, ids=None, header: dict | None = None):
        own, x, z = named(x), as_array("x", x), as_array("z", z)
        betas = None if betas is None else as_array("betas", betas).astype(np.float64)
        recon = None if recon is None else as_float32("recon", as_array("recon", recon))
        files.check_arrays(x, z, betas, recon)
        check_kept("x", x)
        check_kept("z", z if betas is None else z.swapaxes(0, 1))
        x, z = x if x.dtype == np.uint8 else as_float32("x", x), as_float32("z", z)
        ids = as_text("ids", [""] * len(x) if ids is None else ids)
        files.check_ids(ids, len(x))
        self.x, self.z, self.ids, self.betas, self.recon = x, z, ids, betas, recon
        header = {} if header is None else header
        files.check_maker(header)
        self.header = {**own, **header, **self._described()}
        if betas is None:
            self.header = {k: value for k, value in self.header.items() if k not in OF_CURVES}

    def _described(self) -> dict:
        """What the arrays say themselves."""
        x, betas = self.x, self.betas
        described = dict(latent_dim=self.z.shape[-1], data_shape=list(x.shape[1:]))
        described |= dict(num_points=len(x), dtype=str(x.dtype))
        described["value_range"] = [float(x.min()), float(x.max())]
        if betas is not None:
            described |= dict(num_betas=len(betas), beta_range=[float(betas[0]), float(betas[-1])])
        return described

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        text = f"{len(self)} points, data {self.x.shape[1:]}, K = {self.z.shape[-1]}"
        if self.betas is not None:
            text += f", beta {self.betas[0]:g} to {self.betas[-1]:g}"
        return f"RosettaPoints({text})"

    def z_at(self, beta) -> np.ndarray:
        """The latents at beta, a number or one per point, (R,): (R, K).

        Curves are interpolated linearly in log beta; beyond their ends they stay as there (with a
        UserWarning).  Plain points have the same latents at every beta.
        """
        return self._at(self.z, beta)

    def recon_at(self, beta) -> np.ndarray:
        """The template's reconstructions decode(z_at(beta)): (R, *data), in the model's units.

        A ValueError where the points came without.
        """
        if self.recon is None:
            remedy = "distil them again, by curve_points or select_points(decode=fit.decode)"
            raise ValueError(f"these points hold no reconstructions: {remedy}")
        return self._at(self.recon, beta)

    def at_beta(self, beta: float) -> "RosettaPoints":
        """The plain points (x_r, z_r(beta)) of one beta, which the header names."""
        if self.betas is None:
            return self
        header = dict(self.header, beta=float(beta))
        recon = None if self.recon is None else self.recon_at(beta)
        return RosettaPoints(self.x, self.z_at(beta), recon=recon, ids=self.ids, header=header)

    def to(self, device=None, dtype=None) -> "Anchors":
        """The points as tensors, for `losses.rosetta_term`: made once, before a training.

        Inputs of type uint8 are divided by 255.  The decoder is drawn to the template's
        reconstructions where the points hold them, else to the inputs.  Append
        `._replace(target=None)` to draw it to the inputs in any case.

        Args:
            device, dtype: of the model; by default the CPU and float32.

        Raises:
            ValueError: the points are curves, which differ with beta.
        """
        import torch

        from rvae_lite.objective import Anchors

        if self.betas is not None:
            remedy = "choose the beta of your loss, as by points.at_beta(1.0).to(device)"
            raise ValueError(f"these points are curves over beta: {remedy}")
        place = dict(device=device, dtype=torch.float32 if dtype is None else dtype)
        x, z = torch.tensor(self.x, **place), torch.tensor(self.z, **place)
        target = None if self.recon is None else torch.tensor(self.recon, **place)
        return Anchors(x / 255 if self.x.dtype == np.uint8 else x, z, target=target)

    def warn_beyond(self, low: float, high: float) -> None:
        """Warn (UserWarning) where the curves do not reach from `low` to `high`."""
        text = None if self.betas is None else files.beyond_ends(self.betas, low, high)
        if text is not None:
            warnings.warn(text, UserWarning, stacklevel=3)

    def _at(self, curves: np.ndarray, beta) -> np.ndarray:
        if self.betas is None:
            return curves
        import torch

        at = files.one_per_point(beta, len(self))
        self.warn_beyond(float(at.min()), float(at.max()))
        nodes, values = torch.from_numpy(self.betas), torch.from_numpy(curves)
        return along_beta(nodes, values, torch.from_numpy(at).expand(len(self))).numpy()

    def save(self, path) -> None:
        """Write the points to `path` (.npz), atomically, without pickle, with a SHA-256.

        path: or a binary file that is open for writing.
        Plain points without reconstructions are written as version 1, which older readers read
        too, curves as version 2, plain points with reconstructions as version 3.
        """
        arrays = dict(x=self.x, z=self.z, ids=self.ids, betas=self.betas, recon=self.recon)
        arrays = {name: array for name, array in arrays.items() if array is not None}
        plain = BARE_VERSION if self.recon is None else SCHEMA_VERSION
        version = plain if self.betas is None else CURVES_VERSION
        options = dict(kind="rosetta", version=version, header=self.header)
        self.header = save_arrays(path, arrays=arrays, **options)

    @classmethod
    def load(cls, path, *, sha256: str | None = None) -> "RosettaPoints":
        """Read points of a file, of the book ("book:digits"), or at an address.

        "https://..." and "doi:10.5281/zenodo.1/NAME.npz" need the SHA-256 of the file's bytes.
        OSError: it does not come.  ValueError: it is damaged, of another kind, newer or unsafe.
        """
        return files.read_points(path, cls, sha256, newest=SCHEMA_VERSION, described=DESCRIBED)

    def check(self, x, preprocessing=None, *, names=None) -> "CheckReport":
        """Compare with one's own data x, (N, *data), before hours are spent on training.

        Errors: another preprocessing, shape or scale (0-255 against 0-1), NaN, columns in another
        order.  Warnings: means or standard deviations of features that differ, data farther from
        the points' inputs than from each other, turned, mirrored, inverted or sorted otherwise, a
        shifted scale, very few points, more than half of the data farther from the points' inputs
        than the sender's own were.  `covering` of the report says which data those are.

        Args:
            x: data, (N, *data).
            preprocessing: as in a data set's info["preprocessing"]; compared where the points have
                one too, except for `normalisation`, which belongs to one bird or instrument.
            names: of the columns of a table, (F,), by default its own; compared with
                header["names"], if it is there.
        """
        from rvae_lite.models.likeness import compare_points

        return compare_points(self, x, preprocessing, names)


def along_beta(betas: "Tensor", curves: "Tensor", at: "Tensor") -> "Tensor":
    """Read R curves off, each at a beta of its own: linear in log beta, constant beyond the ends.

    betas: where the curves are known, (J,), ascending; curves: their values there, (J, R, ...);
    at: betas, (..., R).  Returns values, (..., R, ...).
    """
    import torch

    nodes = betas.log()
    wanted = at.to(nodes).log().clamp(nodes[0], nodes[-1])
    upper = torch.searchsorted(nodes, wanted).clamp(1, len(nodes) - 1)
    share = (wanted - nodes[upper - 1]) / (nodes[upper] - nodes[upper - 1])
    share = share.to(curves.dtype).reshape(*at.shape, *[1] * (curves.ndim - 2))
    each = torch.arange(curves.shape[1], device=curves.device)
    return torch.lerp(curves[upper - 1, each], curves[upper, each], share)
