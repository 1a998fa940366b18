"""How the learning rate and beta change over a training.

Bae et al. (2023), Appendix C: warm-up, cosine decay, and the KL annealing of the baseline.
"""

import math

SCHEDULES = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
}


def learning_rate_factor(
    step: int, *, num_steps: int, warmup_steps: int = 0, schedule: str = "constant"
) -> float:
    """What the learning rate is multiplied by at a step counted from 1.

    It rises in a line over the warm-up; then "constant" stays at 1 and "cosine" falls from 1 towards 0.
    """
    if step <= warmup_steps:
        return step / warmup_steps
    return SCHEDULES[schedule]((step - 1 - warmup_steps) / (num_steps - warmup_steps))


def anneal_factor(step: int, *, num_steps: int, anneal: float) -> float:
    """What beta is multiplied by at a step counted from 1: from 0 in a line to 1 over a share `anneal` of all."""
    return min(1.0, (step - 1) / (anneal * num_steps)) if anneal else 1.0
