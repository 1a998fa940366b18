"""Gates: how a layer's output responds to log beta, and which layers get one.

Bae et al. (2023), Section 3.1, Eqs. 6 to 8, and Appendix C.
Letters: B batch, F channels or units of a layer; h is the standardised log beta, with mean 0 and
standard deviation 1 under the law from which training draws beta.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rvae_lite.checks import check_chosen, check_gateable

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
GATEABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, *BATCH_NORMS)
LATENT_GATES = ("closing", "film", "none")
GATE_SPEED = 5.0  # how many times as fast as other weights gates learn by default


def standardise(beta: Tensor, beta_range: tuple[float, float]) -> Tensor:
    """h = sqrt(3) (log beta - middle) / half range: mean 0, variance 1 for uniform log beta.

    beta: weights of the rate in distortion + beta * rate (nats, both summed over dimensions), any
    shape, positive; beta_range: the lowest and the highest.
    """
    low, high = (math.log(end) for end in beta_range)
    return (beta.log() - (low + high) / 2) * (2 * math.sqrt(3) / (high - low))


def sqrt_gate(x: Tensor) -> Tensor:
    """sqrt(max(0, 1 - e^x)), with finite values and gradients for every finite x."""
    is_open = x < -1e-6  # at 0 the slope is infinite; for large x, e^x is
    return torch.where(is_open, torch.where(is_open, x, -1.0).expm1().neg().sqrt(), 0.0)


# The function of w h + c, and the c at which training starts.  A gate starts open: a channel that
# is closed at every beta has no gradient and stays closed.
GATES = {"sigmoid": (torch.sigmoid, 2.0), "sqrt": (sqrt_gate, -2.0), "film": (lambda x: x, 1.0)}


class Condition:
    """Where the gated layers of one model read h while a call lasts; None outside a call."""

    def __init__(self):
        self.h: Tensor | None = None

    def read(self) -> Tensor:
        """h, () or (B,)."""
        if self.h is None:
            remedy = "call gated(x, beta), or take gated.at_beta(beta)"
            raise ValueError(f"a multi-rate model needs a beta: {remedy}")
        return self.h


class Gate(nn.Module):
    """gate(w h + c) for F channels; FiLM (Perez et al. 2018) scales by w h + c, shifts by v h + d.

    kind, num_channels: "sigmoid", "sqrt" or "film"; F.
    tilt: a sigmoid starts at w = -tilt, more closed the higher beta is.
    speed: how many times as fast as other weights the gate learns, see `make_multirate`.
    """

    def __init__(self, kind: str, num_channels: int, *, tilt: float = 0.0, speed: float = 1.0):
        super().__init__()
        self.kind, self.tilt, self.speed = kind, tilt, speed
        self.weight = nn.Parameter(torch.empty(num_channels))
        self.bias = nn.Parameter(torch.empty(num_channels))
        if kind == "film":
            self.shift_weight = nn.Parameter(torch.empty(num_channels))
            self.shift_bias = nn.Parameter(torch.empty(num_channels))
        self.reset_parameters()

    def extra_repr(self) -> str:
        """What a training depends on, beside the parameters."""
        return f"{self.kind}, tilt={self.tilt:g}, speed={self.speed:g}"

    def reset_parameters(self) -> None:
        """Open at every beta: w = 0, c as in GATES; a tilted sigmoid excepted."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        if self.kind == "sigmoid":
            nn.init.constant_(self.weight, -self.tilt)
        nn.init.constant_(self.bias, GATES[self.kind][1])

    def scale(self, h: Tensor) -> Tensor:
        """What the channels are multiplied by at h, () or (B,): (F,) or (B, F)."""
        function = GATES[self.kind][0]
        return function(self.weight * h.unsqueeze(-1) + self.bias)

    def shift(self, h: Tensor) -> Tensor | None:
        """What is added to the channels: (F,) or (B, F); None for gates other than FiLM."""
        if self.kind != "film":
            return None
        return self.shift_weight * h.unsqueeze(-1) + self.shift_bias


class ClosingGate(Gate):
    """How K latents respond to beta in a linear VAE, where the optimum closes them one by one.

    The posterior variance is C = min(1, e^x) with x = w h + c, and the gate, a factor on the mean
    and on what the decoder reads, is sqrt(1 - C) (see `linear_vae.optimum`; there e^x is beta times
    s2 / lambda).  Where x >= 0 the latent is closed: its posterior is the prior, its rate 0.

    num_latents: K; beta_range: (lowest, highest) beta of training.
    """

    def __init__(self, num_latents: int, beta_range: tuple[float, float], *, speed: float = 1.0):
        # log beta = middle + slope * h: with this slope, C is proportional to beta.
        self.middle = math.log(beta_range[0] * beta_range[1]) / 2
        self.slope = math.log(beta_range[1] / beta_range[0]) / (2 * math.sqrt(3))
        super().__init__("sqrt", num_latents, speed=speed)

    def reset_parameters(self) -> None:
        """C grows as beta.  The betas that close the latents are from 1.4 to 74: at 10, half are.

        They do not depend on the range: a narrow one must not start with latents closed that serve
        it.
        """
        nn.init.constant_(self.weight, self.slope)
        at_ten = torch.linspace(-2.0, 2.0, len(self.bias)).to(self.bias)
        with torch.no_grad():
            self.bias.copy_(at_ten + self.middle - math.log(10))

    def log_variance(self, h: Tensor) -> Tensor:
        """log C at h, () or (B,): (K,) or (B, K)."""
        return (self.weight * h.unsqueeze(-1) + self.bias).clamp(max=0)


class LatentGate(nn.Module):
    """The gate of channels that belong to latents: the latents' own, times an affine one (FiLM).

    closing: the latents' gate, which the multi-rate model holds and all these gates read; or None.
    latents: the latents that each of F channels belongs to, rows of (F,), K for none.  A channel is
    closed where one of its latents is.
    log_scale: 1 where a channel is a latent's log standard deviation, to which 1/2 log C is added,
    else 0, (F,); None where none is.
    """

    def __init__(self, closing: ClosingGate | None, latents: Tensor, log_scale: Tensor | None):
        super().__init__()
        self.film = Gate("film", latents.shape[-1])
        self.shared = (closing,)  # no submodule: its parameters belong to the model
        # Products with these matrices of 0 and 1 pick latents faster than an index, whose gradient
        # is slow: one of (K+1, F) for each row of `latents`, and (K, F) for the log variances.
        count = 0 if closing is None else len(closing.weight)
        chosen = [latents_of == torch.arange(count + 1)[:, None] for latents_of in latents]
        self.picks = [each.float() for each in chosen]
        self.log_scale = None if log_scale is None else self.picks[0][:-1] * log_scale

    def _apply(self, function, recurse=True):
        # They move with the module: a training then copies nothing to its device.
        self.picks = [function(pick) for pick in self.picks]
        self.log_scale = None if self.log_scale is None else function(self.log_scale)
        return super()._apply(function, recurse)

    def scale(self, h: Tensor) -> Tensor:
        """What the channels are multiplied by at h, () or (B,): (F,) or (B, F)."""
        return self.film.scale(h) * self._open(h)

    def shift(self, h: Tensor) -> Tensor:
        """What is added to the channels: (F,) or (B, F)."""
        shift = self.film.shift(h) * self._open(h)
        closing = self.shared[0]
        if closing is None or self.log_scale is None:
            return shift
        return shift + 0.5 * (closing.log_variance(h) @ self.log_scale.to(shift))

    def _open(self, h: Tensor) -> Tensor | float:
        closing = self.shared[0]
        if closing is None:
            return 1.0
        factors = nn.functional.pad(closing.scale(h), (0, 1), value=1.0)  # (K+1,) or (B, K+1)
        return math.prod([factors @ pick.to(factors) for pick in self.picks])


class Gated(nn.Module):
    """A layer with gates: gate(w h + c) * (W a + bias), one (w, c) per output channel (Eq. 8).

    layer: a linear layer, convolution or batch norm.
    condition: the model's, where h is read.
    gate, input_gate: of the layer's outputs, and of a linear layer's inputs; None for none.
    """

    def __init__(self, layer: nn.Module, condition: Condition, *, gate=None, input_gate=None):
        super().__init__()
        self.layer, self.condition = layer, condition
        self.gate, self.input_gate = gate, input_gate

    def forward(self, a: Tensor) -> Tensor:
        h = self.condition.read()
        if h.ndim and len(h) != len(a):
            found = f"{len(h)} entries for a batch of {len(a)}"
            raise ValueError(f"beta has {found}: pass a number or one per example")
        if h.ndim or isinstance(self.layer, nn.Linear):
            s = self.layer(self._respond(a, h, self.input_gate))
            return self._respond(s, h, self.gate)
        # One h for the batch: scaling the weights costs less than scaling the outputs.
        return functional_call(self.layer, self._scaled(h), a)

    def folded(self, h: Tensor) -> nn.Module:
        """The plain layer that this one is at h (): weights and bias have absorbed the gates."""
        layer = copy.deepcopy(self.layer)
        if isinstance(layer, BATCH_NORMS):
            layer.affine = True
        for name, value in self._scaled(h).items():
            setattr(layer, name, nn.Parameter(value))
        return layer

    def _respond(self, s: Tensor, h: Tensor, gate) -> Tensor:
        if gate is None:
            return s
        scale, shift = gate.scale(h), gate.shift(h)
        scaled = s * self._spread(scale, s.ndim)
        return scaled if shift is None else scaled + self._spread(shift, s.ndim)

    def _spread(self, values: Tensor, ndim: int) -> Tensor:
        # Gates are (F,) or (B, F); a linear layer's output is (B, ..., F), any other's (B, F, ...).
        if not isinstance(self.layer, nn.Linear):
            return values.reshape(*values.shape, *[1] * (ndim - 2))
        between = ndim - 2 if values.ndim == 2 else 0
        return values.reshape(*values.shape[:-1], *[1] * between, values.shape[-1])

    def _scaled(self, h: Tensor) -> dict[str, Tensor]:
        """The layer's weight, and its bias if any, that have absorbed the gates at h ()."""
        layer, weight, bias = self.layer, self.layer.weight, self.layer.bias
        if self.input_gate is not None:
            weight = layer.weight * self.input_gate.scale(h)
            shift = self.input_gate.shift(h)
            bias = bias if shift is None else _sum(bias, layer.weight @ shift)
        if self.gate is not None:
            scale, shift = self.gate.scale(h), self.gate.shift(h)
            weight = torch.ones_like(scale) if weight is None else weight
            weight = weight * _along_outputs(layer, scale, weight)
            bias = _sum(None if bias is None else bias * scale, shift)
        if bias is None and isinstance(layer, BATCH_NORMS):
            bias = torch.zeros_like(weight)
        return dict(weight=weight) if bias is None else dict(weight=weight, bias=bias)


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return one if other is None else other if one is None else one + other


def _along_outputs(layer: nn.Module, scale: Tensor, weight: Tensor) -> Tensor:
    if not isinstance(layer, TRANSPOSED):
        return scale.reshape(-1, *[1] * (weight.ndim - 1))
    # A transposed weight is (inputs, outputs / groups, ...); each group of inputs has own outputs.
    groups = scale.view(layer.groups, -1)
    rows = groups.repeat_interleave(weight.shape[0] // layer.groups, dim=0)
    return rows.reshape(*rows.shape, *[1] * (weight.ndim - 2))


def layers_of(module: nn.Module) -> list[str]:
    """Names of all layers to gate; a batch norm stands for the layer that it follows.

    A ValueError where the module holds layers with parameters that cannot be gated.
    """
    holders = {}  # layers with parameters of their own, and batch norms
    for name, layer in module.named_modules():
        if type(layer) in BATCH_NORMS or next(layer.parameters(recurse=False), None) is not None:
            holders[name] = layer
    check_gateable(holders, GATEABLE, "name in layers= those to gate")
    names, followers = list(holders), [*holders.values(), None][1:]
    pairs = zip(names, followers, strict=True)
    return [name for name, follower in pairs if not _normalises(follower, holders[name])]


def choose_layers(module: nn.Module, layers=None) -> list[str]:
    """Names of the layers that `make_multirate` gates, see there."""
    named = dict(module.named_modules())
    if callable(layers):
        chosen = [name for name, layer in named.items() if layers(name, layer)]
    elif layers is not None:
        chosen = list(layers)
    else:
        own = getattr(module, "layers_to_gate", None)
        chosen = layers_of(module) if own is None else own()
    check_chosen(chosen, named, GATEABLE)
    return chosen


def num_outputs(layer: nn.Module) -> int:
    """How many units, channels or features a layer puts out."""
    keys = ("num_features", "out_channels", "out_features")
    return next(getattr(layer, key) for key in keys if hasattr(layer, key))


def _normalises(norm: nn.Module | None, layer: nn.Module) -> bool:
    return type(norm) in BATCH_NORMS and norm.num_features == num_outputs(layer)
