"""Claims that a notebook checks, fingerprints of trainings, and what its numbers rest on."""

import numpy as np

WORDS = {
    "below": (np.less, "below {}"),
    "above": (np.greater, "above {}"),
    "at_most": (np.less_equal, "at most {}"),
    "at_least": (np.greater_equal, "at least {}"),
}
BOUNDS = {*WORDS, "between", "near", "equals"}


def check(
    value,
    claim: str,
    *,
    below: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    at_least: float | None = None,
    between: tuple[float, float] | None = None,
    near: float | None = None,
    within: float = 0.01,
    equals=None,
    digits: int = 2,
) -> None:
    """Print a claim with its value and its bound, and stop where the bound does not hold.

    A sentence of a notebook that is checked cannot quietly become false:

        check(distance, "distance to the template", below=0.01)

    prints "✓ distance to the template: 0.0004, below 0.01".

    Args:
        value: a number, an array of numbers that must all keep the bound, or anything for `equals`.
        claim: what the value is, in words.
        below, above, at_most, at_least: bounds; two may be given at once.
        between: the two ends of an open interval.
        near: a number that the value comes as close to as `within`, an absolute distance.
        equals: what the value must be, exactly.
        digits: significant digits that are printed; 0 prints the bound alone, for values that are
            rounding errors and differ between processors.

    Raises:
        ValueError: no bound, or a value that is empty.
        AssertionError: the claim is not true here.
    """
    bounds = dict(below=below, above=above, at_most=at_most, at_least=at_least)
    tests = [(WORDS[name], bound) for name, bound in bounds.items() if bound is not None]
    if equals is not None:
        if tests or between is not None or near is not None:
            raise ValueError(f"the claim {claim!r} has equals= beside another bound: give one")
        assert value == equals, f"not true here: {claim}: {value}, not {equals}"
        print(f"✓ {claim}: {equals}")
        return
    told = [words.format(_rounded(bound, 3)) for (_, words), bound in tests]
    numbers = np.asarray(value, dtype=float).ravel()
    holds = all(keeps(numbers, bound).all() for (keeps, _), bound in tests)
    if between is not None:
        low, high = between
        holds &= bool(((low < numbers) & (numbers < high)).all())
        told.append(f"between {_rounded(low, 3)} and {_rounded(high, 3)}")
    if near is not None:
        holds &= bool((np.abs(numbers - near) <= within).all())
        told.append(f"within {_rounded(within, 3)} of {_rounded(near, 3)}")
    if not told:
        remedy = ", ".join(f"{name}=" for name in sorted(BOUNDS))
        raise ValueError(f"the claim {claim!r} has no bound: give one of {remedy}")
    if numbers.size == 0:
        raise ValueError(f"the claim {claim!r} has no value: it is empty")
    ends = dict.fromkeys(_rounded(end, digits or 3) for end in (numbers.min(), numbers.max()))
    bound, found = " and ".join(told), " to ".join(ends)
    assert holds, f"not true here: {claim}: {found}, not {bound}"
    print(f"✓ {claim}: {found}, {bound}" if digits else f"✓ {claim}: {bound}")


def _rounded(number: float, digits: int) -> str:
    """Up to `digits` significant digits; whole numbers whole."""
    if float(number).is_integer() and abs(number) < 1e6:
        return f"{number:.0f}"
    return f"{number:.{digits or 3}g}"


def answer(yours, expected, *, digits: int = 3) -> None:
    """Print a reader's answer to an exercise beside the expected one.

    Args:
        yours: a number, anything that can be compared, or None where the line is still to write.
        expected: the solution's value.
        digits: significant digits to which numbers are printed and compared.
    """
    if yours is None:
        print("yours: nothing yet")
        return
    shown = [
        f"{x:.{digits}g}"
        if isinstance(x, (int, float, np.number)) and not isinstance(x, bool)
        else f"{x}"
        for x in (yours, expected)
    ]
    print(f"yours: {shown[0]}, expected: {shown[1]}{' ✓' if shown[0] == shown[1] else ''}")


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
