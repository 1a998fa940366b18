"""Laws: what a hyperparameter of `fit` may be besides a number.

Bae et al. (2023), Section 3.3: beta is drawn anew; Appendix C: warm-up, cosine decay and annealing.
"""

import math

from torch import Tensor

from rvae_lite.arrays import is_number
from rvae_lite.checks import ascending_range, check_learning_rate, check_warmup


class Constant:
    """The law of a plain number: the same at every step."""

    spans_training = False  # whether the law depends on how long the training lasts

    def __init__(self, value):
        self.value = value

    def __repr__(self) -> str:
        return "constant"

    def factor(self, step: int, *, num_steps: int, steps_per_epoch: int) -> float:
        """What the value is multiplied by at a step: 1."""
        return 1.0


class LogUniform:
    """beta is drawn anew, log beta uniform between log low and log high (Section 3.3).

    low, high: lowest and highest weight of the rate in distortion + beta * rate (nats, both summed
    over dimensions); per: draw a beta for every "example", or for every "batch", which varies more.
    """

    spans_training = False

    def __init__(self, low: float, high: float, *, per: str = "example"):
        if per not in ("example", "batch"):
            raise ValueError(f"per must be 'example' or 'batch', not {per!r}")
        self.low, self.high = ascending_range((low, high))
        self.per = per

    def __repr__(self) -> str:
        return (
            f"LogUniform({self.low:.12g}, {self.high:.12g}{', per=batch' * (self.per == 'batch')})"
        )

    def quantile(self, uniform: Tensor) -> Tensor:
        """The betas that belong to uniform numbers in [0, 1), any shape."""
        span = math.log(self.high / self.low)
        return (math.log(self.low) + span * uniform).exp()


class Annealed:
    """beta rises in a line from 0 to its value and stays there: KL annealing.

    value: beta at the end, a number or one per replica; share: the share of all steps over which
    it rises.
    """

    spans_training = True

    def __init__(self, value, *, share: float = 0.3):
        if not is_number(share) or not 0 <= share <= 1:
            raise ValueError(f"share must be a share of the steps, from 0 to 1, not {share!r}")
        self.value, self.share = value, share

    def __repr__(self) -> str:
        return f"Annealed(share={self.share:.12g})"

    def factor(self, step: int, *, num_steps: int, steps_per_epoch: int) -> float:
        """What the value is multiplied by at a step, counted from 1."""
        return min(1.0, (step - 1) / (self.share * num_steps)) if self.share else 1.0


class Cosine:
    """The learning rate rises in a line to its peak over the warm-up, then falls along a cosine.

    warmup_epochs: epochs over which it rises from 0; at the end it is close to 0 again.
    """

    spans_training = True

    def __init__(self, peak: float, *, warmup_epochs: int = 0):
        check_learning_rate(peak)
        check_warmup(warmup_epochs)
        self.value, self.warmup_epochs = peak, warmup_epochs

    def __repr__(self) -> str:
        return f"Cosine({self.value:.12g}, warmup_epochs={self.warmup_epochs})"

    def factor(self, step: int, *, num_steps: int, steps_per_epoch: int) -> float:
        """What the peak is multiplied by at a step, counted from 1."""
        warmup = self.warmup_epochs * steps_per_epoch
        if step <= warmup:
            return step / warmup
        progress = (step - 1 - warmup) / (num_steps - warmup)
        return 0.5 * (1 + math.cos(math.pi * progress))
