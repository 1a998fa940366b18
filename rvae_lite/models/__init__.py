"""Networks and the variational autoencoders built from them.  `VAE` is at hand as `rvae_lite.models.VAE`."""

from rvae_lite.models.vae import VAE, PosteriorHead

__all__ = ["VAE", "PosteriorHead"]
