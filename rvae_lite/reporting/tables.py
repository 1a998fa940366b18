"""Tables of our numbers beside a paper's, as text: medians, interquartile ranges, verdicts."""

from typing import NamedTuple

import numpy as np


class Verdict(NamedTuple):
    """How a number here compares with the paper's, both relative to one baseline.

    direction: "same" or "opposite", the side of the baseline; "reference" for the baseline itself;
        "not comparable" where a number lies on no side.
    size: "agrees", else whether ours is "smaller" or "larger" in magnitude; "not comparable" where
        the paper's number has no meaningful size.
    """

    direction: str
    size: str


REFERENCE, NO_NUMBER = Verdict("reference", "—"), Verdict("—", "—")


def format_number(value: float, *, digits: int = 2) -> str:
    """A number to so many decimals, with a true minus sign; infinities as such."""
    if np.isneginf(value):
        return "−∞"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def format_median(median: float, iqr: float) -> str:
    """Median and, in brackets, interquartile range, as the papers print them."""
    return f"{format_number(median)} ({format_number(iqr)})"


def over_templates(frame):
    """The median over template seeds of medians and IQRs, and the lowest and highest median."""
    keys = [key for key in ("data", "num_points", "part", "method") if key in frame]
    grouped = frame.groupby(keys, sort=False)
    result = grouped[["median", "iqr"]].median()
    result["lowest"], result["highest"] = grouped["median"].min(), grouped["median"].max()
    result["templates"] = grouped["median"].size()
    return result.reset_index()


def scales(own, *columns: str, by=("data",)):
    """The scale of a study's runs, as it stands on their rows: a row for each data set.

    Args:
        own: the study's table.
        columns: what to show, for example "num_data".
        by: columns that tell the runs of different scale apart.
    """
    whole = own.groupby(list(by), sort=False)[list(columns)].first()
    numbers = whole.select_dtypes("number")
    counts = [name for name in numbers if (numbers[name] % 1 == 0).all()]
    return whole.astype(dict.fromkeys(counts, int))


def verdict(ours: float, our_iqr: float, paper: float, paper_iqr: float, *, sizes=True) -> Verdict:
    """How ours compares with the paper's, both relative to the baseline, which is zero.

    The sizes agree where median ± IQR/2 overlap.  A number that is infinite or missing compares
    with nothing; one that is zero lies on no side.

    Args:
        ours: our median.
        our_iqr: its interquartile range.
        paper: the paper's median.
        paper_iqr: its interquartile range, 0 where the paper prints none.
        sizes: False where the paper's number has a sign and no meaningful size.
    """
    if not np.isfinite([ours, our_iqr, paper, paper_iqr]).all():
        return Verdict("not comparable", "—")
    sides = {-1: "opposite", 0: "not comparable", 1: "same"}
    direction = sides[int(np.sign(ours) * np.sign(paper))]
    if not sizes:
        return Verdict(direction, "not comparable")
    if abs(ours - paper) <= (our_iqr + paper_iqr) / 2:
        return Verdict(direction, "agrees")
    return Verdict(direction, "smaller" if abs(ours) < abs(paper) else "larger")


def held_in(cases) -> str:
    """A statement "agrees" where it holds in all of some cases, "differs" in none, else "mixed"."""
    return {0: "differs", 1: "agrees"}.get(np.mean(cases), "mixed")


def statements(rows: dict, *, columns=("paper", "here"), name: str = "statement"):
    """What a paper says beside what was found here, a row each.

    Args:
        rows: statement -> (where the paper has it, what was found, verdict); a verdict is a text,
            or whether the statement holds here, see `held_in`.
        columns: what to call the first two columns.
        name: what to call the statements.
    """
    import pandas as pd

    cells = []
    for where, found, holds in rows.values():
        cells.append((where, found, holds if isinstance(holds, str) else held_in(holds)))
    index = pd.Index(rows, name=name)
    return pd.DataFrame(cells, index=index, columns=[*columns, "verdict"])


def against_paper(frame, published, *, baseline: str = "VAE", sizes: bool = True):
    """Ours beside the paper's.

    Args:
        frame: as from `over_templates`, medians relative to the baseline.
        published: rows of results/published.csv.
        baseline: the method that the others are compared with.
        sizes: as in `verdict`.

    Returns:
        A table of text, indexed by part: points, method, paper, here, range over templates where
        there are several, and the verdict's direction and size; "—" where the paper has no such
        row.
    """
    import pandas as pd

    rows, several = [], (frame.templates > 1).any()
    for row in frame.itertuples():
        same = (published.method == row.method) & published.part.isin([row.part, "all"])
        same &= published.num_points.isna() | (published.num_points == row.num_points)
        shown, judged = "—", NO_NUMBER
        if same.any():
            theirs = published[same].iloc[0]
            shown = format_median(theirs["median"], theirs.iqr)
            numbers = (row.median, row.iqr, theirs["median"], theirs.iqr)
            judged = verdict(*numbers, sizes=sizes)
        cells = dict(part=row.part, points=int(row.num_points), method=row.method, paper=shown)
        cells["here"] = format_median(row.median, row.iqr)
        if several:
            cells["range"] = f"{format_number(row.lowest)} to {format_number(row.highest)}"
        judged = REFERENCE if row.method == baseline else judged
        rows.append(cells | judged._asdict())
    return pd.DataFrame(rows).set_index("part")
