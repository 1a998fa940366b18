"""Which layers of a network are gated.

Bae et al. (2023), Section 3 and Appendix C: all but the posterior's head, the decoder's first linear and its output
layer; where a batch norm follows a layer, the batch norm in its place.
"""

from torch import nn

from rvae_lite.gates import BATCH_NORMS, GATEABLE
from rvae_lite.models.vae import VAE


def named_layers(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every place in a module; a layer that stands in several is named for each."""
    return list(module.named_modules(remove_duplicate=False))


def choose_layers(module: nn.Module, layers) -> list[str]:
    """Names of the layers to gate."""
    named = dict(module.named_modules())
    if callable(layers):
        chosen = [name for name, layer in named.items() if layers(name, layer)]
    elif layers is not None:
        chosen = list(layers)
        unknown = [name for name in chosen if name not in named]
        if unknown:
            known = [name for name, layer in named.items() if type(layer) in GATEABLE]
            raise ValueError(f"layers {unknown} are not in the module, which has {known}")
    elif hasattr(module, "layers_to_gate"):
        chosen = module.layers_to_gate()
    elif isinstance(module, VAE):
        chosen = [f"encoder.{name}".rstrip(".") for name in _default_layers(module.encoder)]
        chosen += _default_decoder(module.decoder)
    else:
        chosen = _default_layers(module)
    refused = [
        f"{name} ({type(named[name]).__name__})"
        for name in chosen
        if type(named[name]) not in GATEABLE
    ]
    if refused:
        raise ValueError(
            f"layers {refused} cannot be gated: only linear layers, convolutions and batch norms can"
        )
    if not chosen:
        raise ValueError("the module has no layers to gate: name some in layers=")
    return chosen


def _default_layers(module: nn.Module) -> list[str]:
    """All that can be gated; where a batch norm follows a layer, the batch norm in its place."""
    holders = [
        (name, layer) for name, layer in module.named_modules() if _has_own_parameters(layer)
    ]
    strange = [
        f"{name} ({type(layer).__name__})" for name, layer in holders if type(layer) not in GATEABLE
    ]
    if strange:
        raise ValueError(f"layers {strange} cannot be gated: name in layers= those that shall be")
    followed = [
        (a, b)
        for (a, one), (b, other) in zip(holders, holders[1:], strict=False)
        if _normalises(other, one)
    ]
    replaced = {name for name, _ in followed}
    return [name for name, _ in holders if name not in replaced]


def _has_own_parameters(layer: nn.Module) -> bool:
    return type(layer) in BATCH_NORMS or next(layer.parameters(recurse=False), None) is not None


def _normalises(norm: nn.Module, layer: nn.Module) -> bool:
    return type(norm) in BATCH_NORMS and norm.num_features == num_outputs(layer)


def num_outputs(layer: nn.Module) -> int:
    """How many units, channels or features a layer puts out."""
    return next(
        getattr(layer, key)
        for key in ("num_features", "out_channels", "out_features")
        if hasattr(layer, key)
    )


def _default_decoder(decoder: nn.Module) -> list[str]:
    names = _default_layers(decoder)
    first, inner = names[:1], names[1:-1]
    starts_linear = bool(first) and isinstance(decoder.get_submodule(first[0]), nn.Linear)
    kept = inner if starts_linear and inner else names[:-1]
    return [f"decoder.{name}".rstrip(".") for name in kept]
