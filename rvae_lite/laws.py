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

    The loss of a multi-rate training is the mean over the law of beta.  `LogPower` and `LogArcsine`
    are other laws, which give more of the training to one end of the range, or to both.
    """

    spans_training = False

    def __init__(self, low: float, high: float, *, per: str = "example"):
        if per not in ("example", "batch"):
            raise ValueError(f"per must be 'example' or 'batch', not {per!r}")
        self.low, self.high = ascending_range((low, high))
        self.per = per

    def __repr__(self) -> str:
        numbers = ", ".join(f"{number:.12g}" for number in self._numbers())
        return f"{type(self).__name__}({numbers}{', per=batch' * (self.per == 'batch')})"

    def _numbers(self) -> list[float]:
        return [self.low, self.high]

    def factor(self, step: int, *, num_steps: int, steps_per_epoch: int) -> float:
        """What the beta drawn is multiplied by at a step: 1."""
        return 1.0

    def quantile(self, uniform: Tensor) -> Tensor:
        """The betas that belong to uniform numbers in [0, 1), any shape."""
        span = math.log(self.high / self.low)
        return (math.log(self.low) + span * self.position(uniform)).exp()

    def position(self, uniform: Tensor) -> Tensor:
        """Where in the range log beta is, from 0 to 1."""
        return uniform


class LogPower(LogUniform):
    """log beta = log low + u^power log(high / low), u uniform: above 1, more draws of low betas."""

    def __init__(self, low: float, high: float, *, power: float = 1.5, per: str = "example"):
        super().__init__(low, high, per=per)
        if not is_number(power) or not 0 < power < math.inf:
            raise ValueError(f"power must be a positive number, not {power!r}")
        self.power = power

    def _numbers(self) -> list[float]:
        return [self.low, self.high, self.power]

    def position(self, uniform: Tensor) -> Tensor:
        """u^power."""
        return uniform**self.power


class LogArcsine(LogUniform):
    """log beta = log low + sin^2(pi u / 2) log(high / low), u uniform: more draws at both ends."""

    def position(self, uniform: Tensor) -> Tensor:
        """sin^2(pi u / 2)."""
        return (0.5 * math.pi * uniform).sin().square()


class Annealed:
    """beta rises in a line from 0 to its value and stays there: KL annealing.

    value: beta at the end: a number, one per replica, or a law that draws it, such as `LogUniform`.
    A multi-rate model answers at the beta drawn; the factor is on its weight in the loss.
    share: the share of all steps over which it rises.
    """

    spans_training = True

    def __init__(self, value, *, share: float = 0.3):
        if not is_number(share) or not 0 <= share <= 1:
            raise ValueError(f"share must be a share of the steps, from 0 to 1, not {share!r}")
        self.value, self.share = value, share

    def __repr__(self) -> str:
        law = f"{self.value!r}, " if drawn_from(self) else ""
        return f"Annealed({law}share={self.share:.12g})"

    def factor(self, step: int, *, num_steps: int, steps_per_epoch: int) -> float:
        """What the value is multiplied by at a step, counted from 1."""
        return min(1.0, (step - 1) / (self.share * num_steps)) if self.share else 1.0


def drawn_from(law) -> LogUniform | None:
    """The law that beta is drawn from, annealed or not; None where it is a number."""
    inner = law.value if isinstance(law, Annealed) else law
    return inner if isinstance(inner, LogUniform) else None


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
