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


class Gated(nn.Module):
    """A layer with a gate: gate(w h + c) * (W a + bias), one (w, c) per output channel (Eq. 8).

    layer, gate: a linear layer, convolution or batch norm, and its gate.
    condition: the model's, where h is read.
    inputs: gate the inputs of a linear layer instead of its outputs.
    """

    def __init__(self, layer: nn.Module, gate: Gate, condition: Condition, *, inputs: bool = False):
        super().__init__()
        self.layer, self.gate, self.condition, self.inputs = layer, gate, condition, inputs

    def forward(self, a: Tensor) -> Tensor:
        h = self.condition.read()
        if h.ndim and len(h) != len(a):
            found = f"{len(h)} entries for a batch of {len(a)}"
            raise ValueError(f"beta has {found}: pass a number or one per example")
        if self.inputs:
            return self.layer(self._respond(a, h))
        if h.ndim or isinstance(self.layer, nn.Linear):
            return self._respond(self.layer(a), h)
        # One h for the batch: scaling the weights costs less than scaling the outputs.
        return functional_call(self.layer, self._scaled(h), a)

    def folded(self, h: Tensor) -> nn.Module:
        """The plain layer that this one is at h (): its weights and bias have absorbed the gate."""
        layer = copy.deepcopy(self.layer)
        if isinstance(layer, BATCH_NORMS):
            layer.affine = True
        absorbed = self._scaled_inputs(h) if self.inputs else self._scaled(h)
        for name, value in absorbed.items():
            setattr(layer, name, nn.Parameter(value))
        return layer

    def _respond(self, s: Tensor, h: Tensor) -> Tensor:
        scale, shift = self.gate.scale(h), self.gate.shift(h)
        scaled = s * self._spread(scale, s.ndim)
        return scaled if shift is None else scaled + self._spread(shift, s.ndim)

    def _spread(self, values: Tensor, ndim: int) -> Tensor:
        # Gates are (F,) or (B, F); a linear layer's output is (B, ..., F), any other's (B, F, ...).
        if not isinstance(self.layer, nn.Linear):
            return values.reshape(*values.shape, *[1] * (ndim - 2))
        between = ndim - 2 if values.ndim == 2 else 0
        return values.reshape(*values.shape[:-1], *[1] * between, values.shape[-1])

    def _scaled(self, h: Tensor) -> dict[str, Tensor]:
        """The layer's weight, and its bias if any, multiplied by the gate at h ()."""
        layer, scale, shift = self.layer, self.gate.scale(h), self.gate.shift(h)
        weight = torch.ones_like(scale) if layer.weight is None else layer.weight
        scaled = dict(weight=weight * _along_outputs(layer, scale, weight))
        if layer.bias is not None:
            scaled["bias"] = layer.bias * scale if shift is None else layer.bias * scale + shift
        elif shift is not None or isinstance(layer, BATCH_NORMS):
            scaled["bias"] = torch.zeros_like(scale) if shift is None else shift
        return scaled

    def _scaled_inputs(self, h: Tensor) -> dict[str, Tensor]:
        """The same for a linear layer whose inputs are gated."""
        layer, shift = self.layer, self.gate.shift(h)
        scaled = dict(weight=layer.weight * self.gate.scale(h))
        if shift is not None:
            offset = layer.weight @ shift
            scaled["bias"] = offset if layer.bias is None else layer.bias + offset
        return scaled


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
