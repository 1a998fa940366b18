"""Tables of our numbers beside a paper's, as text: medians, interquartile ranges, verdicts."""

import numpy as np


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


def verdict(ours: float, our_iqr: float, paper: float, paper_iqr: float) -> str:
    """How ours compares with the paper's.

    "agrees" where median +- IQR/2 overlap, "same trend" on the same side of zero, else "differs".
    """
    if abs(ours - paper) <= (our_iqr + paper_iqr) / 2:
        return "agrees"
    return "same trend" if ours * paper > 0 else "differs"


def against_paper(frame, published, *, baseline: str = "VAE"):
    """Ours beside the paper's.

    Args:
        frame: as from `over_templates`, medians relative to the baseline.
        published: rows of results/published.csv.
        baseline: the method that the others are compared with.

    Returns:
        A table of text, indexed by part: points, method, paper, here, range over templates and
        verdict; "—" where the paper has no such row.
    """
    import pandas as pd

    rows = []
    for row in frame.itertuples():
        same = (published.method == row.method) & published.part.isin([row.part, "all"])
        same &= published.num_points.isna() | (published.num_points == row.num_points)
        shown, judged = "—", "—"
        if same.any():
            theirs = published[same].iloc[0]
            shown = format_median(theirs["median"], theirs.iqr)
            judged = verdict(row.median, row.iqr, theirs["median"], theirs.iqr)
        cells = dict(part=row.part, points=int(row.num_points), method=row.method, paper=shown)
        cells["here"] = format_median(row.median, row.iqr)
        cells["range"] = f"{format_number(row.lowest)} to {format_number(row.highest)}"
        cells["verdict"] = "reference" if row.method == baseline else judged
        rows.append(cells)
    return pd.DataFrame(rows).set_index("part")
