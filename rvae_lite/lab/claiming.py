"""What a comparison lets one claim: each claim with its answer, and what it was measured on."""

from typing import NamedTuple

import numpy as np

from rvae_lite.lab.comparing import RESAMPLINGS, SAME_SHAPE, SAME_SPACE, Comparison
from rvae_lite.lab.measuring import NEIGHBOURS

RIVALS = dict(similarity="a rotation with scale", ridge="a ridge affine map")
RIVALS |= dict(smooth="a smooth map", relative="cosines to the anchors")
DISTANCES = {
    "unaligned": ("one space as they are", "nothing is fitted"),
    "known": ("one space by the file's own map", "the map is the Rosetta file's"),
    "procrustes": ("one space up to a rotation", "the rotation is fitted on {} anchors"),
    "affine": ("one space up to an affine map", "the map is fitted on {} anchors"),
}


class Claim(NamedTuple):
    """A claim, its answer ("yes", "no", "open", "not measured"), and what it rests on."""

    claim: str
    answer: str
    told: str


def claims(comparison: Comparison, name: str) -> list[Claim]:
    """What is claimed of a space and the reference, by the 95 % intervals.

    Yes and no where the whole interval is on one side of the bound, open where it holds it.
    """
    reference = next(iter(comparison.spaces))
    pairs = comparison.pairs
    rows = pairs[(pairs.source == name) & (pairs.target == reference)]
    rows = {row.metric: row for row in rows.itertuples()}
    count = len(comparison.anchor_spaces[reference])
    found = []
    for metric, (claim, fitted) in DISTANCES.items():
        if metric in rows:
            told = distance_told(comparison, rows[metric])
            told += f"; {fitted.format(count)}" * bool(np.isfinite(rows[metric].value))
            found.append(_claim(claim, rows[metric], told, most=SAME_SPACE))
    measured = [rows[metric] for metric in RIVALS if np.isfinite(rows[metric].value)]
    if measured:
        best = min(measured, key=lambda row: row.value)
        told = f"{distance_told(comparison, best)}; it is fitted on {count} anchors, and is the "
        told += f"nearest of {len(measured)} rivals on these same examples"
        found.append(_claim(f"one space by {RIVALS[best.metric]}", best, told, most=SAME_SPACE))
    row = rows["r_squared"]
    told = f"R² {_shown(row)} on {row.examples:,} examples, each met by the map of all others"
    found.append(_claim("told by an affine map", row, told, least=SAME_SHAPE))
    row, chance = rows["neighbours"], NEIGHBOURS / max(len(comparison.tested) - 1, 1)
    told = f"{_shown(row, 100)} % of the {NEIGHBOURS} nearest are in common, over {row.examples:,} "
    told += f"examples; {100 * chance:.2g} % by chance"
    return [*found, _claim("the same neighbours, beyond chance", row, told, least=chance)]


def bounds(comparison: Comparison) -> list[str]:
    """What yes means, how sure an answer is, and what was not measured: sentences."""
    below = f"Yes means at most {100 * SAME_SPACE:g} % of the variance, or an R² of {SAME_SHAPE:g} "
    sure = f"intervals are the middle 95 % of {RESAMPLINGS} bootstrap resamplings of the examples"
    kept = f"(seed {comparison.seed}), with maps, anchors and trainings kept"
    unsaid = "Not measured: how other trainings of the same kind would differ (each space is one "
    return [
        f"{below}and more, for the whole interval; open, that the interval holds the bound",
        f"The {sure} {kept}",
        f"{unsaid}training), examples of another kind, and what the spaces are good for",
    ]


def distance_told(comparison: Comparison, row) -> str:
    """One distance of the table of pairs in words, with its interval and its examples."""
    if not np.isfinite(row.value):
        dims = {comparison.spaces[each].shape[1] for each in (row.source, row.target)}
        return "K differs" if len(dims) > 1 else "there is no value, as the notes say"
    among = " that are no anchors" if row.examples < len(_first(comparison)) else ""
    said = f"points lie {_shown(row, 100)} % of {row.target}'s variance away"
    return f"{said}, over {row.examples:,} examples{among}"


def _first(comparison: Comparison) -> np.ndarray:
    return next(iter(comparison.spaces.values()))


def _claim(claim: str, row, told: str, *, most: float | None = None, least: float = 0.0) -> Claim:
    """The answer from an interval: at most `most`, or at least `least`."""
    if not np.isfinite(row.value):
        return Claim(claim, "not measured", told)
    if row.examples < NEIGHBOURS + 2 or not np.isfinite(row.low):
        return Claim(claim, "open", f"{told}; too few examples for an interval")
    low, high, bound = row.low, row.high, least
    if most is not None:
        low, high, bound = -row.high, -row.low, -most
    answer = "yes" if low >= bound else "no" if high < bound else "open"
    return Claim(claim, answer, told)


def _shown(row, factor: float = 1.0) -> str:
    value, low, high = (_digits(factor * each) for each in (row.value, row.low, row.high))
    return value if low == "nan" else f"{value} [{low}, {high}]"


def _digits(value: float) -> str:
    """Three digits, and no more than a claim can bear: 1.2e-09 of anything is 0."""
    if not np.isfinite(value):
        return "nan"
    if abs(value) < 5e-4:
        return "0"
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("-", "−")
