"""Reproducible, portable latent spaces: the Rosetta VAE and the Multi-Rate VAE in PyTorch.

Martinez & Pearson (2021), arXiv 2201.05206; Bae et al. (2023), arXiv 2212.03905.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvae_lite import alignment, data, gaussian, losses, multirate
    from rvae_lite.fitted import Fit
    from rvae_lite.lab.estimator import RosettaVAE
    from rvae_lite.models.vae import VAE
    from rvae_lite.points import curve_points, select_points
    from rvae_lite.rosetta import RosettaPoints
    from rvae_lite.train import fit

__version__ = "0.1.0"
__all__ = [
    "VAE",
    "Fit",
    "RosettaPoints",
    "RosettaVAE",
    "alignment",
    "curve_points",
    "data",
    "fit",
    "gaussian",
    "losses",
    "multirate",
    "select_points",
]
_HOMES = {
    "VAE": "models",
    "curve_points": "points",
    "Fit": "fitted",
    "RosettaPoints": "rosetta",
    "RosettaVAE": "lab.estimator",
    "select_points": "points",
    "fit": "train",
}


def __getattr__(name: str):
    """Load a name when first asked for, so that `rvae-lite --help` does not wait for PyTorch."""
    if name not in __all__:
        raise AttributeError(f"module 'rvae_lite' has no attribute {name!r}")
    home = importlib.import_module(f"rvae_lite.{_HOMES.get(name, name)}")
    value = getattr(home, name) if name in _HOMES else home
    globals()[name] = value
    return value
