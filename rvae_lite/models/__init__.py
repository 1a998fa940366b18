"""Networks, the variational autoencoders built from them, and any model from its `config`."""

import importlib

from torch import nn

from rvae_lite.models.vae import VAE, PosteriorHead

__all__ = ["VAE", "PosteriorHead", "build"]

HOMES = dict(text="text.model:TextVAE", ladder="models.ladder:LadderVAE")  # all others are VAEs


def build(config: dict) -> nn.Module:
    """Build the model, plain or multi-rate, that a `config` describes.

    The class is looked up by name when it is asked for: a model of texts lives in a room to the
    right, which the core does not import.
    """
    options = dict(config)
    network = options.pop("network", None)
    if network == "multirate":
        if options.pop("rho_range", None) is not None:
            reason = "its gates respond to rho, which this release does not read"
            raise ValueError(f"the model cannot be built ({reason}): train it again")
        multirate = importlib.import_module("rvae_lite.multirate")
        return multirate.make_multirate(build(options.pop("module")), **options)
    home, _, name = HOMES.get(network, "models.vae:VAE").partition(":")
    model = getattr(importlib.import_module(f"rvae_lite.{home}"), name)
    return model.from_config(config)
