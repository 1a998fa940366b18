"""Gates: how a layer's output responds to log beta, and where that is asked for to log rho.

Bae et al. (2023), Section 3.1, Eqs. 6 to 8.  Letters: B batch, F channels or units of a layer, K latent dimension;
h is the standardised log beta, mean 0 and standard deviation 1 under the law from which training draws it, r likewise
the standardised log rho, rho being the weight of the Rosetta points.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rvae_lite.models.networks import LogScale

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
GATEABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, *BATCH_NORMS)


def standardise(beta: Tensor, beta_range: tuple[float, float]) -> Tensor:
    """h = sqrt(3) (log beta - middle) / half range: mean 0, variance 1 for log beta uniform on the range.

    Args:
        beta: weights of the rate, any shape, positive; the loss is distortion + beta * rate in nats, both summed
            over dimensions.  Or rho, which gives r.
        beta_range: (lowest, highest) beta, or rho.
    """
    low, high = (math.log(end) for end in beta_range)
    return (beta.log() - (low + high) / 2) * (2 * math.sqrt(3) / (high - low))


def sqrt_gate(x: Tensor) -> Tensor:
    """sqrt(max(0, 1 - e^x)), with finite values and gradients for every finite x."""
    is_open = x < -1e-6  # at 0 the slope is infinite; for large x, e^x is
    return torch.where(is_open, torch.where(is_open, x, -1.0).expm1().neg().sqrt(), 0.0)


# The function of w h + c, and the c at which training starts: open, for a channel that is closed at every beta has
# no gradient and stays closed.
GATES = {"sigmoid": (torch.sigmoid, 2.0), "sqrt": (sqrt_gate, -2.0), "film": (lambda x: x, 1.0)}


class Rate:
    """Where the gated layers of one model read h, and r where they respond to rho, while a call lasts; else None."""

    def __init__(self):
        self.h: Tensor | None = None
        self.r: Tensor | None = None

    def read(self) -> Tensor:
        """h, () or (B,)."""
        if self.h is None:
            raise ValueError(
                "a multi-rate model needs a beta: call gated(x, beta), or take gated.at_beta(beta)"
            )
        return self.h


class Gate(nn.Module):
    """gate(w h + c) for F channels; FiLM (Perez et al. 2018) scales by w h + c and shifts by v h + d.

    Args:
        kind: "sigmoid", "sqrt" or "film".
        num_channels: F.
        tilt: a sigmoid starts at w = -tilt, more closed the higher beta is.
        to_rho: gate(w h + u r + c), with a weight u for r too; not for FiLM.
    """

    def __init__(self, kind: str, num_channels: int, *, tilt: float = 0.0, to_rho: bool = False):
        super().__init__()
        self.kind, self.tilt = kind, tilt
        self.weight, self.bias = (nn.Parameter(torch.empty(num_channels)) for _ in range(2))
        self.rho_weight = nn.Parameter(torch.empty(num_channels)) if to_rho else None
        if kind == "film":
            self.shift_weight, self.shift_bias = (
                nn.Parameter(torch.empty(num_channels)) for _ in range(2)
            )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Open at every beta: w = 0, c = 2 (sigmoid), -2 (sqrt) or 1 (FiLM, whose shift starts at 0); but for tilt."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        if self.kind == "sigmoid":
            nn.init.constant_(self.weight, -self.tilt)
        nn.init.constant_(self.bias, GATES[self.kind][1])

    def scale(self, h: Tensor, r: Tensor | None = None) -> Tensor:
        """What the channels are multiplied by at h, and r if there is a weight for it, () or (B,): (F,) or (B, F)."""
        bias = self.bias if r is None else self.bias + self.rho_weight * r.unsqueeze(-1)
        return GATES[self.kind][0](self.weight * h.unsqueeze(-1) + bias)

    def settle(self, r: Tensor) -> None:
        """Respond to h alone from now on, as at r ()."""
        self.bias.data += self.rho_weight.data * r
        self.rho_weight = None

    def shift(self, h: Tensor) -> Tensor | None:
        """What is added to them: (F,) or (B, F), or None for gates other than FiLM."""
        return (
            self.shift_weight * h.unsqueeze(-1) + self.shift_bias if self.kind == "film" else None
        )


class Gated(nn.Module):
    """A layer with a gate: gate(w h + c) * (W a + bias), one (w, c) per output unit or channel (Eq. 8).

    Args:
        layer: linear, convolution or batch norm.
        gate: its gate.
        rate: the model's, where h is read.
        inputs: gate what goes into the layer instead, which must be linear.
    """

    def __init__(self, layer: nn.Module, gate: Gate, rate: Rate, *, inputs: bool = False):
        super().__init__()
        self.layer, self.gate, self.rate, self.inputs = layer, gate, rate, inputs

    def forward(self, a: Tensor) -> Tensor:
        h = self.rate.read()
        if h.ndim and len(h) != len(a):
            raise ValueError(
                f"beta has {len(h)} entries for a batch of {len(a)}: pass a number or one per example"
            )
        if self.inputs:
            return self.layer(self._respond(a, h))
        if h.ndim or isinstance(self.layer, nn.Linear):
            return self._respond(self.layer(a), h)
        return functional_call(
            self.layer, self._scaled(h), a
        )  # weights are fewer than what they put out

    def _respond(self, s: Tensor, h: Tensor) -> Tensor:
        scale, shift = self.gate.scale(h, self.rate.r), self.gate.shift(h)
        scaled = s * self._spread(scale, s.ndim)
        return scaled if shift is None else scaled + self._spread(shift, s.ndim)

    def _spread(self, values: Tensor, ndim: int) -> Tensor:
        # (F,) or (B, F) beside (B, ..., F) of a linear layer or (B, F, ...) of the others
        if isinstance(self.layer, nn.Linear):
            between = ndim - 2 if values.ndim == 2 else 0
            return values.reshape(*values.shape[:-1], *[1] * between, values.shape[-1])
        return values.reshape(*values.shape, *[1] * (ndim - 2))

    def folded(self, h: Tensor) -> nn.Module:
        """The plain layer that this one is at h (): the gate is multiplied into its weights and bias."""
        layer = copy.deepcopy(self.layer)
        if self.inputs:
            scale, shift = self.gate.scale(h), self.gate.shift(h)
            if shift is not None:
                offset = layer.weight @ shift
                layer.bias = nn.Parameter(offset if layer.bias is None else layer.bias + offset)
            layer.weight = nn.Parameter(layer.weight * scale)
            return layer
        layer.affine = True  # of a batch norm; the others do not look at it
        for name, value in self._scaled(h).items():
            setattr(layer, name, nn.Parameter(value))
        return layer

    def _scaled(self, h: Tensor) -> dict[str, Tensor]:
        """The layer's weight, and its bias where there is one, with the gate at h () multiplied in."""
        layer, scale, shift = self.layer, self.gate.scale(h, self.rate.r), self.gate.shift(h)
        weight = torch.ones_like(scale) if layer.weight is None else layer.weight
        scaled = dict(weight=weight * _along_outputs(layer, scale, weight))
        if layer.bias is not None:
            scaled["bias"] = layer.bias * scale if shift is None else layer.bias * scale + shift
        elif shift is not None or isinstance(layer, BATCH_NORMS):
            scaled["bias"] = torch.zeros_like(scale) if shift is None else shift
        return scaled


def _along_outputs(layer: nn.Module, scale: Tensor, weight: Tensor) -> Tensor:
    if not isinstance(layer, TRANSPOSED):
        return scale.reshape(-1, *[1] * (weight.ndim - 1))
    # A transposed weight is (inputs, outputs / groups, ...), and each group of inputs has outputs of its own.
    rows = scale.view(layer.groups, -1).repeat_interleave(weight.shape[0] // layer.groups, dim=0)
    return rows.reshape(*rows.shape, *[1] * (weight.ndim - 2))


class LogScaleResponse(nn.Module):
    """log sqrt(C_ii) = 1/2 min(0, a_i h + b_i): the exact response of a linear VAE's posterior variance.

    Differs from the paper: there C is a product of sigmoids, which equals the optimum at no range of betas.
    """

    def __init__(self, latent_dim: int, rate: Rate):
        super().__init__()
        self.rate = rate
        self.weight, self.bias = (nn.Parameter(torch.empty(latent_dim)) for _ in range(2))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The same variance e^-2 at every beta."""
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, -2.0)

    def forward(self, mean: Tensor) -> Tensor:
        return self._response(self.rate.read()).expand_as(mean)

    def _response(self, h: Tensor) -> Tensor:
        return 0.5 * (self.weight * h.unsqueeze(-1) + self.bias).clamp(max=0)

    def folded(self, h: Tensor) -> nn.Module:
        """The constant that it is at h ()."""
        plain = LogScale(len(self.weight)).to(self.weight)
        plain.value = nn.Parameter(self._response(h))
        return plain
