"""Reproducible, portable latent spaces: the Rosetta VAE and the Multi-Rate VAE, compactly in PyTorch.

Martinez & Pearson (2021), arXiv 2201.05206; Bae et al. (2023), arXiv 2212.03905.
"""

from rvae_lite import alignment, data, gaussian, losses, multirate
from rvae_lite.anchors import curve_points
from rvae_lite.fitted import Fit
from rvae_lite.models import VAE
from rvae_lite.rosetta import RosettaPoints, select_points
from rvae_lite.train import fit

__version__ = "0.1.0"
__all__ = [
    "VAE",
    "Fit",
    "RosettaPoints",
    "alignment",
    "curve_points",
    "data",
    "fit",
    "gaussian",
    "losses",
    "multirate",
    "select_points",
]
