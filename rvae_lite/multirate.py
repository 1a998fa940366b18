"""Multi-rate models: one training, every beta.

Bae et al. (2023), Section 3: layers are gated by log beta (`make_multirate`), beta is drawn anew for every example
(`LogUniform`), and at any one beta the gates fold into a plain network (`MultiRate.at_beta`).
Not in the paper: gates that respond to log rho too, the weight of Rosetta points (`MultiRate.at_rho`).
Letters: B batch, K latent dimension; h is the standardised log beta, r the standardised log rho.
"""

import contextlib
import copy
import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rvae_lite.gate_layers import choose_layers, named_layers, num_outputs
from rvae_lite.gates import GATES, Gate, Gated, LogScaleResponse, Rate, standardise
from rvae_lite.models.ladder import LadderVAE
from rvae_lite.models.vae import VAE
from rvae_lite.text.model import TextVAE

BETA_RANGE = (0.01, 10.0)
BUILDERS = dict(
    text=TextVAE.from_config, ladder=LadderVAE.from_config
)  # by their config's "network"; others are VAEs
CLOSED = 1e-6  # a channel multiplied by less is closed


class LogUniform:
    """The law from which training draws beta: log beta uniform between log low and log high (Section 3.3).

    Args:
        low, high: lowest and highest beta, the weight of the rate in distortion + beta * rate, both in nats and summed
            over dimensions; or rho.
    """

    def __init__(self, low: float, high: float):
        self.low, self.high = _check_range((low, high))

    def __repr__(self) -> str:
        return f"LogUniform({self.low:g}, {self.high:g})"


class MultiRate(nn.Module):
    """A module whose gated layers respond to beta; `make_multirate` builds it.

    gated(x, beta) calls the module; a gated VAE has encode(x, beta), decode(z, beta) and distortion(x, z, beta).
    beta, the weight of the rate in distortion + beta * rate (nats, both summed over dimensions), is a number or one
    per example, (B,).  It lasts for the call and leaves nothing behind.

    Attributes:
        module: the module, some of its layers replaced by `gates.Gated`.
        beta_range: (lowest, highest) beta that training draws.
        rho_range: (lowest, highest) rho, or None where the gates respond to beta alone.  Otherwise nothing but
            `at_rho` can be called.
    """

    def __init__(
        self,
        module: nn.Module,
        rate: Rate,
        *,
        beta_range: tuple[float, float],
        rho_range=None,
        outside: str = "warn",
    ):
        super().__init__()
        self.module, self.rate = module, rate
        self.beta_range, self.rho_range, self.outside = beta_range, rho_range, outside
        self.config: dict | None = None  # how to build it again, see `build`
        shared = (
            "data_shape",
            "latent_dim",
            "likelihood",
            "noise_variance",
            "value_range",
            "noise_dim",
        )
        for name in (*shared, "num_tokens", "word_dropout"):
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
        """A plain copy of the module, in eval mode, equal to the gated one at one beta and as fast as if never gated.

        Raises:
            ValueError: beta is not one positive number.
        """
        h = self.h(beta)
        if h.ndim:
            raise ValueError(f"at_beta takes one number, not beta of shape {tuple(h.shape)}")
        plain = copy.deepcopy(self)
        gated = [
            name
            for name, layer in named_layers(plain)
            if isinstance(layer, (Gated, LogScaleResponse))
        ]
        with torch.no_grad():
            for name in gated:
                layer = plain.get_submodule(name)
                if hasattr(
                    layer, "folded"
                ):  # a block that stands in several places is folded at the first
                    plain.set_submodule(name, layer.folded(h))
        return plain.module.eval()

    def at_rho(self, rho: float) -> "MultiRate":
        """A copy that responds to beta alone, equal at every beta to this one at one rho.

        Raises:
            ValueError: the gates do not respond to rho, or rho is not one number within `rho_range`.
        """
        if self.rho_range is None:
            raise ValueError(
                "the gates do not respond to rho: build the model with make_multirate(rho_range=)"
            )
        low, high = self.rho_range
        number = isinstance(rho, (int, float, np.integer, np.floating)) and not isinstance(
            rho, bool
        )
        if not number or not low * (1 - 1e-6) <= rho <= high * (1 + 1e-6):
            raise ValueError(
                f"rho must be a number in [{low:g}, {high:g}], the range of training, not {rho!r}"
            )
        settled = copy.deepcopy(self)
        r = standardise(torch.tensor(float(rho), dtype=torch.float64), self.rho_range)
        for gate in settled.modules():
            if isinstance(gate, Gate):
                gate.settle(r.to(gate.bias))
        settled.rho_range = None
        if self.config is not None:
            settled.config = {
                key: value for key, value in self.config.items() if key != "rho_range"
            }
        return settled

    def h(self, beta) -> Tensor:
        """The standardised log beta of a number or of one beta per example: () or (B,).

        Raises:
            ValueError: beta is not positive, or outside `beta_range` where that is refused; the model responds to rho.

        Warns:
            UserWarning: once per model, of a beta outside `beta_range`.
        """
        if self.rho_range is not None:
            raise ValueError("this model responds to rho too: take at_rho(rho) first")
        like = next(self.parameters())
        try:
            values = beta if isinstance(beta, Tensor) else np.asarray(beta, dtype=np.float64)
            values = torch.as_tensor(values, dtype=torch.float64, device=like.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"beta must be a number or one per example, not {beta!r}") from error
        if values.ndim > 1 or not values.numel():
            raise ValueError(
                f"beta must be a number or one per example, (B,), not of shape {tuple(values.shape)}"
            )
        low, high = float(values.min()), float(values.max())
        if not (low > 0 and math.isfinite(high)):
            raise ValueError(
                f"beta must be positive and finite, not {low if not low > 0 else high:g}"
            )
        if low < self.beta_range[0] * (1 - 1e-6) or high > self.beta_range[1] * (1 + 1e-6):
            self._outside(low, high)
        return standardise(values, self.beta_range).to(like.dtype)

    def _outside(self, low: float, high: float) -> None:
        wrong = low if low < self.beta_range[0] else high
        message = "beta {:g} is outside [{:g}, {:g}], the range of training".format(
            wrong, *self.beta_range
        )
        if self.outside == "refuse":
            raise ValueError(f"{message}: choose one inside")
        if self.outside == "warn":
            self.outside = "warned"
            warnings.warn(f"{message}: the response is extrapolated", UserWarning, stacklevel=4)

    @contextlib.contextmanager
    def responding(self, h: Tensor, r: Tensor | None = None):
        """Inside the block, the module (yielded) answers at h, () or (B,), and where it responds to rho at r."""
        before = self.rate.h, self.rate.r
        self.rate.h, self.rate.r = h, r
        try:
            yield self.module
        finally:
            self.rate.h, self.rate.r = before


def make_multirate(
    module: nn.Module,
    *,
    beta_range: tuple[float, float] = BETA_RANGE,
    gate: str | Sequence[str] | None = None,
    layers: Sequence[str] | Callable[[str, nn.Module], bool] | None = None,
    outside: str = "warn",
    tilt: float = 0.0,
    rho_range: tuple[float, float] | None = None,
) -> MultiRate:
    """Gate a copy of a module's layers by log beta (Bae et al. 2023, Eqs. 6 to 8).

    Where a batch norm follows a layer, the gate follows the batch norm.

    Args:
        module: a `VAE`, a `LadderVAE`, or any module of linear layers, convolutions and batch norms.
        beta_range: (lowest, highest) beta of training.
        gate: "sigmoid", "sqrt" or "film"; for a VAE also (encoder's, decoder's).  By default sqrt, but sigmoid in the
            encoder of a VAE that is not linear.
        layers: names of the layers to gate, as in `module.named_modules()`, or a function of (name, layer) that says
            which.  By default those that the module's own `layers_to_gate()` lists, else all; of a VAE all but the
            posterior's head and the decoder's first linear and its output layer, unless no layer of the decoder is
            left: then its first is gated too.  A linear VAE is gated at its latents on both sides, and its variance
            responds as log C_ii = min(0, affine in log beta).
        outside: what a beta outside `beta_range` does: "warn" (once) or "refuse".
        tilt: sigmoid gates start at w = -tilt.  At 0 nothing depends on beta at first, and what does not pay on
            average over beta may collapse for good, such as the finer scales of a `LadderVAE`; a tilt of 2 can keep
            it at low beta, though not always.
        rho_range: (lowest, highest) weight of Rosetta points: the gates respond to log rho too, so that one training
            holds every compromise between fit and fidelity to the points.  For sigmoid and sqrt gates.

    Raises:
        ValueError: an argument is impossible, or layers cannot be gated; they are named.

    Differs from the paper: gates start open (w = 0, or tilted); for the linear VAE the encoder's gate is the
    decoder's, and the variance is no product of sigmoids, because these are the exact responses.

    Example:
        >>> gated = make_multirate(VAE.mlp(5, 2))
        >>> gated.encode(torch.zeros(3, 5), 0.5).mean.shape
        torch.Size([3, 2])
    """
    beta_range = _check_range(beta_range)
    if outside not in ("warn", "refuse"):
        raise ValueError(f"outside must be 'warn' or 'refuse', not {outside!r}")
    if isinstance(tilt, bool) or not isinstance(tilt, (int, float)) or not 0 <= tilt < math.inf:
        raise ValueError(f"tilt must be a number from 0 upwards, not {tilt!r}")
    linear = isinstance(module, VAE) and module.head.posterior == "constant" and layers is None
    kinds = _gate_kinds(gate, module, linear)
    if rho_range is not None:
        rho_range = _check_range(rho_range, "rho")
        if linear or "film" in kinds:
            raise ValueError(
                "rho_range is for models with sigmoid and sqrt gates, not for FiLM or a linear VAE"
            )
    names = ["head.linear", "decoder.0"] if linear else choose_layers(module, layers)
    rate, config = Rate(), getattr(module, "config", None)
    gated = MultiRate(
        copy.deepcopy(module), rate, beta_range=beta_range, rho_range=rho_range, outside=outside
    )
    for name in names:
        kind = kinds[1] if name.split(".")[0] == "decoder" else kinds[0]
        options = dict(
            inputs=linear and name == "decoder.0", tilt=tilt, to_rho=rho_range is not None
        )
        _gate_layer(gated, f"module.{name}".rstrip("."), kind, **options)
    if linear:
        response = LogScaleResponse(module.latent_dim, rate).to(next(module.parameters()))
        gated.module.head.log_scale = response
    if config is not None:
        gated.config = dict(
            network="multirate", module=config, beta_range=list(beta_range), gate=list(kinds)
        )
        gated.config |= dict(layers=None if linear else names, outside=outside)
        gated.config |= dict(tilt=tilt) if tilt else {}
        gated.config |= dict(rho_range=list(rho_range)) if rho_range else {}
    return gated


def build(config: dict) -> nn.Module:
    """Build the model, plain or multi-rate, that a `config` describes."""
    options = dict(config)
    if options.get("network") != "multirate":
        return BUILDERS.get(options.get("network"), VAE.from_config)(config)
    options.pop("network")
    return make_multirate(build(options.pop("module")), **options)


def is_multirate(model: nn.Module) -> bool:
    """Whether a model takes a beta in every call."""
    return isinstance(model, MultiRate)


def responds_to_rho(model: nn.Module) -> bool:
    """Whether a model is multi-rate and its gates respond to rho too."""
    return is_multirate(model) and model.rho_range is not None


def responding(model: nn.Module, h: Tensor | None, r: Tensor | None = None):
    """A context in which the model (yielded) is called like a plain one: at h, and r, if it is multi-rate."""
    return model.responding(h, r) if is_multirate(model) else contextlib.nullcontext(model)


def closed_share(gated: MultiRate) -> float:
    """The share of gated channels that are closed at every beta of the range: dead weight, 0 at initialisation."""
    gates = [layer for layer in gated.modules() if isinstance(layer, Gate)]
    ends = next(gated.parameters()).new_tensor([-math.sqrt(3), math.sqrt(3)])
    with torch.no_grad():
        # Every gate is monotone in h, so that what is closed at both ends is closed between them.
        closed = torch.cat([(gate.scale(ends).abs() < CLOSED).all(0) for gate in gates])
    return float(closed.double().mean())


def _check_range(given, name: str = "beta") -> tuple[float, float]:
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the range of {name} must be two numbers, lowest and highest, not {given!r}"
        ) from error
    if not (0 < low < high < math.inf):
        raise ValueError(
            f"the range of {name} must be positive, finite and ascending, not [{low:g}, {high:g}]"
        )
    return low, high


def _gate_kinds(gate, module: nn.Module, linear: bool) -> tuple[str, str]:
    """The gates of (encoder, decoder); a module that is no VAE has the first throughout."""
    if gate is None:
        autoencoder = isinstance(module, VAE) or hasattr(module, "layers_to_gate")
        gate = ("sigmoid", "sqrt") if autoencoder and not linear else "sqrt"
    kinds = (gate, gate) if isinstance(gate, str) else tuple(gate)
    if len(kinds) != 2 or any(kind not in GATES for kind in kinds):
        raise ValueError(
            f"gate must be one of {sorted(GATES)}, or two (encoder, decoder), not {gate!r}"
        )
    return kinds


def _gate_layer(gated: MultiRate, name: str, kind: str, *, inputs: bool, **options) -> None:
    layer = gated.get_submodule(name)
    if isinstance(layer, Gated):
        return  # it stands in several places, and was gated at the first
    like = next(gated.parameters()) if layer.weight is None else layer.weight
    gate = Gate(kind, layer.in_features if inputs else num_outputs(layer), **options).to(like)
    replacement = Gated(layer, gate, gated.rate, inputs=inputs)
    for place in [place for place, other in named_layers(gated) if other is layer]:
        gated.set_submodule(place, replacement)
