"""Claims that a notebook checks, fingerprints of trainings, and what its numbers rest on."""


def check(claim: str, condition) -> None:
    """Print the claim and assert it: a sentence in a notebook that cannot quietly become false."""
    assert bool(condition), f"not true here: {claim}"
    print(f"✓ {claim}")


def fingerprint(fit, *, replica: int = 0) -> None:
    """Print the last loss terms of a short training to 3 significant digits.

    After at most some 300 steps these digits agree between machines, and they change when beta,
    the learning rate or the data do.
    """
    last = {name: values[-1, replica] for name, values in fit.terms.items()}
    text = ", ".join(f"{name} {last[name]:.3g}" for name in ("loss", "distortion", "rate"))
    if fit.rho[replica] > 0:
        text += f", anchors {last['anchor_x']:.3g} and {last['anchor_z']:.3g}"
    print(f"fingerprint after {fit.num_epochs} epochs: {text}")


def provenance(**extra) -> None:
    """Print what a chapter's numbers rest on, without times or paths."""
    import rvae_lite

    lines = {"rvae_lite": rvae_lite.__version__, **extra}
    print("; ".join(f"{key}: {value}" for key, value in lines.items()))
