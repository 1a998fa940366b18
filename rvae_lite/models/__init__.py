"""Networks, the variational autoencoders built from them, and any model from its `config`."""

import importlib

import torch
from torch import nn

from rvae_lite.models.vae import VAE, PosteriorHead
from rvae_lite.publishing import printable

__all__ = ["VAE", "PosteriorHead", "build", "build_verified"]

COUNTS, MOST_LAYERS = ("blocks", "cells"), 1000
HOMES = dict(text="text.model:TextVAE", ladder="models.ladder:LadderVAE")  # all others are VAEs


def build_verified(config: dict, num_parameters: int) -> nn.Module:
    """Build the model that a stranger's `config` describes, if it has so many parameters.

    They are counted before any memory is taken.

    Raises:
        ValueError: there is no such model, it is of absurd depth, or of another size.
    """
    try:
        check_depth(config)
        with torch.device("meta"):
            counted = sum(each.numel() for each in build(config).parameters())
    except Exception as error:  # constructors meet values of any kind here
        reason = printable(" ".join(str(error).split())[:200]) or type(error).__name__
        raise ValueError(f"of its config no model can be built: {reason}") from error
    if counted != num_parameters:
        numbers = f"{counted} parameters, the file {num_parameters} a replica"
        raise ValueError(f"its config describes a model of {numbers}")
    return build(config)


def check_depth(config: dict) -> None:
    """Raises ValueError where a config lists or counts more layers than any network has."""
    for name, value in config.items():
        if isinstance(value, dict):
            check_depth(value)
            continue
        values = value if isinstance(value, list) else [value]
        counts = [each for each in values if isinstance(each, int) and name in COUNTS]
        if len(values) > MOST_LAYERS or sum(counts) > MOST_LAYERS:
            raise ValueError(f"{name} stands for more than {MOST_LAYERS} layers")


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
        options.setdefault("latents", "none")  # those of older files had none
        multirate = importlib.import_module("rvae_lite.multirate")
        return multirate.make_multirate(build(options.pop("module")), **options)
    home, _, name = HOMES.get(network, "models.vae:VAE").partition(":")
    model = getattr(importlib.import_module(f"rvae_lite.{home}"), name)
    return model.from_config(config)
