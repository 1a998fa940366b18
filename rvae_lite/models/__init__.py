"""Networks, and the variational autoencoders built from them."""

from rvae_lite.models.vae import VAE, PosteriorHead

__all__ = ["VAE", "PosteriorHead"]
