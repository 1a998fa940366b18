"""Multi-rate models: one training, every beta.

Bae et al. (2023), Section 3: log beta gates the layers (`make_multirate`), training draws beta for
every example (`LogUniform`), and at one beta the gates fold into a plain network (`at_beta`).
Letters: B batch, K latent dimension; h is the standardised log beta.
"""

import contextlib
import copy
import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from rvae_lite import gates
from rvae_lite.checks import ascending_range, check_latent_gates, check_some
from rvae_lite.gates import ClosingGate, Condition, Gate, Gated, LatentGate
from rvae_lite.laws import LogUniform
from rvae_lite.linear_vae import LogScaleResponse
from rvae_lite.models import build, checks

__all__ = ["LogUniform", "MultiRate", "build", "closed_share", "is_multirate", "make_multirate"]

BETA_RANGE = (0.01, 10.0)
CLOSED = 1e-6  # a channel multiplied by less is closed
# Attributes that the gated model has from the module
HANDED_ON = "data_shape latent_dim likelihood noise_dim noise_variance num_tokens value_range"


class MultiRate(nn.Module):
    """A module whose gated layers respond to beta; `make_multirate` builds it.

    gated(x, beta) calls the module; a gated VAE has encode, decode and distortion.  beta, the
    weight of the rate in distortion + beta * rate (nats, both summed over dimensions), is a number
    or one per example, (B,).  It lasts for the call.

    module: the module, some of its layers replaced by `gates.Gated`.
    beta_range: (lowest, highest) beta that training draws.
    closing: the `gates.ClosingGate` of the latents, or None.
    """

    def __init__(self, module: nn.Module, condition: Condition, *, beta_range, outside="warn"):
        super().__init__()
        self.module, self.condition = module, condition
        self.closing: ClosingGate | None = None
        self.beta_range, self.outside = beta_range, outside
        self.config: dict | None = None  # how to build it again, see `build`
        for name in HANDED_ON.split():
            if hasattr(module, name):
                setattr(self, name, getattr(module, name))

    def forward(self, x: Tensor, beta) -> Tensor:
        with self.responding(self.h(beta)) as module:
            return module(x)

    def encode(self, x: Tensor, beta):
        """The posterior q(z|x) at beta of x (B, *data)."""
        with self.responding(self.h(beta)) as module:
            return module.encode(x)

    def decode(self, z: Tensor, beta) -> Tensor:
        """The likelihood's mean at beta and z (B, K): (B, *data)."""
        with self.responding(self.h(beta)) as module:
            return module.decode(z)

    def distortion(self, x: Tensor, z: Tensor, beta) -> Tensor:
        """-log p(x|z) at beta in nats, summed over dimensions: x (B, *data), z (B, K) give (B,)."""
        with self.responding(self.h(beta)) as module:
            return module.distortion(x, z)

    def at_beta(self, beta: float) -> nn.Module:
        """A plain copy in eval mode, equal to the gated module at beta, one positive number."""
        h = self.h(beta)
        if h.ndim:
            raise ValueError(f"at_beta takes one number, not beta of shape {tuple(h.shape)}")
        plain = copy.deepcopy(self)
        with torch.no_grad():
            for name, layer in _places(plain, (Gated, LogScaleResponse)):
                plain.set_submodule(name, layer.folded(h))
        return plain.module.eval()

    def h(self, beta) -> Tensor:
        """The standardised log beta of a number or of one beta per example: () or (B,).

        A beta that is not positive is a ValueError.  One outside `beta_range` is too, or else a
        UserWarning, once per model.
        """
        like = next(self.parameters())
        values = checks.positive_betas(beta, device=like.device)
        self._check_inside(float(values.min()), float(values.max()))
        return gates.standardise(values, self.beta_range).to(like.dtype)

    def _check_inside(self, low: float, high: float) -> None:
        problem = checks.outside_range(low, high, self.beta_range)
        if problem and self.outside == "refuse":
            raise ValueError(f"{problem}: choose one inside")
        if problem and self.outside == "warn":
            self.outside = "warned"
            warnings.warn(f"{problem}: the response is extrapolated", UserWarning, stacklevel=4)

    @contextlib.contextmanager
    def responding(self, h: Tensor):
        """Inside the block the module (yielded) answers at h, () or (B,)."""
        before = self.condition.h
        self.condition.h = h
        try:
            yield self.module
        finally:
            self.condition.h = before


def make_multirate(
    module: nn.Module,
    *,
    beta_range: tuple[float, float] = BETA_RANGE,
    gate: str | Sequence[str] | None = None,
    layers: Sequence[str] | Callable[[str, nn.Module], bool] | None = None,
    latents: str | None = None,
    outside: str = "warn",
    tilt: float = 0.0,
    gate_speed: float = gates.GATE_SPEED,
) -> MultiRate:
    """Gate a copy of a module's layers, or their batch norms, by log beta (Eqs. 6 to 8).

    Args:
        module: a `VAE`, a `LadderVAE`, or any module of linear layers, convolutions, batch norms.
        beta_range: (lowest, highest) beta of training.
        gate: "sigmoid", "sqrt" or "film"; for a VAE also (encoder's, decoder's).  By default sqrt,
            but sigmoid in the encoder of a VAE that is not linear.
        layers: names of the layers to gate, as in `module.named_modules()`, or a function of (name,
            layer) that chooses them.  By default those of the module's own `layers_to_gate()`, else
            all.  A linear VAE is gated at its latents on both sides, and its variance responds as
            log C_ii = min(0, affine in log beta).
        latents: gates on the outputs of the posterior's head and on the latents that the decoder
            reads: "closing", an affine gate times a linear VAE's own response, which closes a
            latent where it does not pay (`gates.ClosingGate`); "film", the affine one alone; or
            "none", the paper's.  By default closing, where the module has such layers and `layers`
            names none.
        outside: what a beta outside `beta_range` does: "warn" (once) or "refuse".
        tilt: sigmoid gates start at w = -tilt.  Without tilt nothing depends on beta at first, and
            what does not pay on average over beta, such as the finer scales of a `LadderVAE`, may
            collapse for good.  A tilt of 2 can keep them at low beta, though not always.
        gate_speed: learning-rate factor of sigmoid, sqrt and closing gates.  Gates start flat in
            beta, so short trainings need more than 1: 5 was best on images and text, 1 for linear
            models and the beta-TCVAE.  FiLM always has 1, where it was best.

    ValueError: an argument is impossible, or layers cannot be gated; they are named.

    Differs from the paper: gates start open (w = 0, or tilted) and learn faster, and latents close.
    A linear VAE has the exact responses, and no product of sigmoids for C.

    Example:
        >>> gated = make_multirate(VAE.mlp(5, 2))
        >>> gated.encode(torch.zeros(3, 5), 0.5).mean.shape
        torch.Size([3, 2])
    """
    beta_range = ascending_range(beta_range)
    checks.check_gate_options(outside, tilt, gate_speed)
    linear = getattr(module, "is_linear", False) and layers is None
    kinds = _gate_kinds(gate, module, linear)
    latents = _latent_gates(latents, module, by_default=not linear and layers is None)
    speeds = [1.0 if kind == "film" else gate_speed for kind in kinds]
    condition = Condition()
    gated = MultiRate(copy.deepcopy(module), condition, beta_range=beta_range, outside=outside)
    names = ["head.linear"] if linear else gates.choose_layers(module, layers)
    if latents != "none":
        names = [name for name in names if not name.startswith("head.")]
    check_some(names, latents)
    for name in names:
        side, count = name.split(".")[0] == "decoder", gates.num_outputs(module.get_submodule(name))
        own = Gate(kinds[side], count, tilt=tilt, speed=speeds[side])
        _gate_layer(gated, f"module.{name}".rstrip("."), gate=own)
    if linear:
        of_latents = Gate(kinds[1], module.latent_dim, speed=speeds[1])
        _gate_layer(gated, "module.decoder.0", input_gate=of_latents)
        response = LogScaleResponse(module.latent_dim, condition)
        gated.module.head.log_scale = response.to(next(module.parameters()))
    if latents != "none":
        _gate_latents(gated, module, closes=latents == "closing", speed=gate_speed)
    if getattr(module, "config", None) is not None:
        named = None if linear else names
        gated.config = dict(network="multirate", module=module.config, beta_range=list(beta_range))
        gated.config |= dict(gate=list(kinds), layers=named, latents=latents)
        gated.config |= dict(outside=outside, tilt=tilt, gate_speed=gate_speed)
    return gated


def is_multirate(model: nn.Module) -> bool:
    """Whether a model takes a beta in every call."""
    return isinstance(model, MultiRate)


def responding(model: nn.Module, h: Tensor | None):
    """A context in which the model (yielded) is called like a plain one, at h if multi-rate."""
    return model.responding(h) if is_multirate(model) else contextlib.nullcontext(model)


def closed_share(gated: MultiRate) -> float:
    """The share of gated channels that are closed at every beta; 0 at initialisation."""
    found = [layer for layer in gated.modules() if isinstance(layer, Gate)]
    ends = next(gated.parameters()).new_tensor([-math.sqrt(3), math.sqrt(3)])
    with torch.no_grad():
        # Every gate is monotone in h: what is closed at both ends is closed between them.
        closed = torch.cat([(gate.scale(ends).abs() < CLOSED).all(0) for gate in found])
    return float(closed.double().mean())


def _gate_kinds(gate, module: nn.Module, linear: bool) -> tuple[str, str]:
    """The gates of (encoder, decoder); a module that is no VAE has the first throughout."""
    if gate is None:
        autoencoder = hasattr(module, "layers_to_gate")
        gate = ("sigmoid", "sqrt") if autoencoder and not linear else "sqrt"
    kinds = (gate, gate) if isinstance(gate, str) else tuple(gate)
    checks.check_kinds(gate, kinds, gates.GATES)
    return kinds


def _latent_gates(latents, module: nn.Module, *, by_default: bool) -> str:
    """Which gates the latents get: "closing", "film" or "none"."""
    readers = getattr(module, "layers_of_latents", list)()
    if latents is None:
        return "closing" if by_default and readers else "none"
    check_latent_gates(latents, gates.LATENT_GATES, module, readers)
    return latents


def _gate_latents(gated: MultiRate, module: nn.Module, *, closes: bool, speed: float) -> None:
    """Gate the outputs of the posterior's head, and the layers that read the latents."""
    like = next(gated.parameters())
    if closes:
        gated.closing = ClosingGate(module.latent_dim, gated.beta_range, speed=speed).to(like)
    gate_of = partial(LatentGate, gated.closing)
    for name, channels in module.head.latents_of_outputs().items():
        _gate_layer(gated, f"module.head.{name}", gate=gate_of(*channels))
    each = torch.arange(module.latent_dim)[None]
    for name in module.layers_of_latents():
        _gate_layer(gated, f"module.{name}", input_gate=gate_of(each, None))


def _gate_layer(gated: MultiRate, name: str, *, gate=None, input_gate=None) -> None:
    """Put gates before or behind a layer."""
    layer = gated.get_submodule(name)
    if isinstance(layer, Gated):  # its outputs are gated already
        like = layer.layer.weight
        layer.input_gate = layer.input_gate if input_gate is None else input_gate.to(like)
        return
    like = next(gated.parameters()) if layer.weight is None else layer.weight
    replacement = Gated(layer, gated.condition, gate=gate, input_gate=input_gate).to(like)
    for place, other in _places(gated, type(layer)):
        if other is layer:
            gated.set_submodule(place, replacement)


def _places(module: nn.Module, kinds) -> list[tuple[str, nn.Module]]:
    """All layers of some kinds; a layer that stands in several places is named for each."""
    everything = module.named_modules(remove_duplicate=False)
    return [(name, layer) for name, layer in everything if isinstance(layer, kinds)]
