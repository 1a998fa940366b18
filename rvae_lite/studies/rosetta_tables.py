"""Tables of Martinez & Pearson (2021): ours beside theirs."""

from rvae_lite.reporting import tables
from rvae_lite.studies import relative

RELATIVE = dict(RV=relative.relative_rv, LSD=relative.relative_lsd)
NUMBERED = {1: ("RV", None), 2: ("LSD", None), 3: ("RV", "rest"), 6: ("LSD", "D1")}


def frame_of(own, metric: str, **options):
    """Retraining variability ("RV") or log distortion ("LSD") relative to the median VAE.

    A row per method, part and number of points, over templates; `options` as in `relative_rv`.
    """
    return tables.over_templates(RELATIVE[metric](own, **options))


def rosetta_table(own, published, *, number: int, data: str):
    """Table 1, 2, 3 or 6 of the paper beside ours.

    Args:
        own: a study's table.
        published: the papers' numbers.
        number: of the paper's table.
        data: what the paper calls its data set.
    """
    metric, part = NUMBERED[number]
    frame = frame_of(own, metric)
    if part is not None:
        frame = frame[frame.part == part]
    theirs = published[(published.table == number) & (published["data"] == data)]
    return tables.against_paper(frame, theirs)


def ablation_table(own, published, *, number: int, metric: str, baseline: str):
    """Table 9 or 10 beside ours: "RV" or "LSD" after sequential training, relative to a variant.

    Args:
        own: a study's table, its variants in the column `method`.
        published: the papers' numbers.
        number: of the paper's table.
        metric: "RV" or "LSD".
        baseline: the variant that the others are compared with.
    """
    options = dict(recipe="sequential") if metric == "RV" else {}
    frame = frame_of(own, metric, baseline=baseline, **options)
    theirs = published[(published.table == number) & (published.metric == metric)]
    return tables.against_paper(frame, theirs, baseline=baseline)


def medians(own, *metrics: str, columns=("metric",)):
    """The median over runs and templates of some metrics: a row per method."""
    own = own[own.metric.isin(metrics)]
    wide = own.pivot_table(index="method", columns=list(columns), values="value", aggfunc="median")
    return wide
