"""Tables of Martinez & Pearson (2021), relative to a baseline: ours beside theirs.

Tables 1 to 10 of the paper print medians and interquartile ranges relative to the median plain VAE.
"""

import numpy as np

from rvae_lite.reporting.tables import (
    against_paper,
    format_median,
    format_number,
    over_templates,
    verdict,
)

SUMMARY = {  # row of the summary -> recipe, metric, part
    "RV, scale-free, R1": ("reproducibility", "rv_relative", "R1"),
    "RV, scale-free, rest": ("reproducibility", "rv_relative", "rest"),
    "distance to template, R1": ("reproducibility", "unaligned", "R1"),
    "distance to template, rest": ("reproducibility", "unaligned", "rest"),
    "squared error": ("reproducibility", "squared_error", "rest"),
    "rate": ("reproducibility", "rate", "rest"),
    "R² on D1": ("sequential", "r_squared", "D1"),
    "R² on D2": ("sequential", "r_squared", "D2"),
    "distance to Alice, D1": ("sequential", "unaligned_first", "D1"),
    "labels carried over, D1": ("sequential", "label_transfer", "D1"),
}


def relative_rv(table, *, recipe: str = "reproducibility", baseline: str = "VAE"):
    """Retraining variability relative to the baseline's median, nats.

    Returns:
        A row per method, part, number of points and template.  `median` and `iqr` are over the
        data points; each point's variability is over the M runs.
    """
    wide = table[table.metric.isin(["rv_median", "rv_q25", "rv_q75"]) & (table.recipe == recipe)]
    keys = ["data", "num_points", "template", "part", "method"]
    options = dict(columns="metric", values="value", aggfunc="first", sort=False)
    wide = wide.pivot_table(index=keys, **options).reset_index()
    reference = wide[wide.method == baseline].set_index(keys[:-1]).rv_median
    with np.errstate(invalid="ignore"):
        wide["median"] = wide.rv_median - _of_row(reference, wide)
        wide["iqr"] = np.where(np.isneginf(wide.rv_median), 0.0, wide.rv_q75 - wide.rv_q25)
    return wide[[*keys, "median", "iqr"]]


def relative_lsd(table, *, points_from: str = "first", baseline: str = "VAE"):
    """log LSD relative to the median baseline.

    Returns:
        A row per method, part, number of points and template, with the IQR over the M runs.
    """
    chosen = table[(table.metric == "lsd") & (table.recipe == "sequential")]
    chosen = chosen[chosen.points_from == points_from].copy()
    chosen["log_lsd"] = np.log(chosen.value)
    keys = ["data", "num_points", "template", "part"]
    reference = chosen[chosen.method == baseline].groupby(keys).log_lsd.median()
    chosen["relative"] = chosen.log_lsd - _of_row(reference, chosen)
    grouped = chosen.groupby([*keys, "method"], sort=False).relative
    result = grouped.median().rename("median").to_frame()
    result["iqr"] = grouped.quantile(0.75) - grouped.quantile(0.25)
    return result.reset_index()


def _of_row(reference, table) -> np.ndarray:
    """The reference, indexed by some columns of a table, for each of its rows."""
    keys = table[list(reference.index.names)].itertuples(index=False, name=None)
    return reference.loc[list(keys)].to_numpy()


def summary(table):
    """What stands beside the paper's two metrics: medians over runs (and templates), as text.

    Distances are shares of the target's total variance; rate in nats; squared error summed over
    dimensions.
    """
    import pandas as pd

    methods, rows = list(dict.fromkeys(table.method)), {}
    for name, (recipe, metric, part) in SUMMARY.items():
        chosen = table[(table.recipe == recipe) & (table.metric == metric) & (table.part == part)]
        if len(chosen):
            medians = chosen.groupby("method").value.median()
            rows[name] = {m: format_number(value, digits=3) for m, value in medians.items()}
    return pd.DataFrame(rows).T.reindex(columns=methods).fillna("—")


def reconstruction(table, *, method: str = "R-VAE", baseline: str = "VAE"):
    """Whether a method reconstructs held-out data as well as the baseline, from a study's table.

    Returns:
        A table of text, a row for distortion (nats) and squared error (summed over dimensions) in
        each recipe and part where they were measured: median (IQR) over all runs of both methods,
        the difference, and a verdict: "as well" where medians ± IQR/2 overlap, else "better" or
        "worse".
    """
    import pandas as pd

    rows = table[table.metric.isin(["distortion", "squared_error"])]
    groups = rows.groupby(["metric", "recipe", "part", "method"], sort=False).value
    quartiles = groups.quantile([0.25, 0.5, 0.75]).unstack()
    middle, iqr = quartiles[0.5].unstack(), (quartiles[0.75] - quartiles[0.25]).unstack()
    found = {}
    for key, medians_here in middle.iterrows():
        pairs = [(medians_here[name], iqr.loc[key, name]) for name in (baseline, method)]
        difference = medians_here[method] - medians_here[baseline]
        agrees = verdict(*pairs[0], *pairs[1]).size == "agrees"
        judged = "as well" if agrees else "worse" if difference > 0 else "better"
        found[key] = [*(format_median(*pair) for pair in pairs), format_number(difference), judged]
    index = pd.MultiIndex.from_tuples(found, names=["metric", "recipe", "part"])
    columns = [baseline, method, "difference", "verdict"]
    return pd.DataFrame(list(found.values()), index=index, columns=columns)


def by_num_points(frames):
    """Relative variability and distortion over the number of points: a column per R, text.

    Args:
        frames: of retraining variability and of log LSD, as from `tables.over_templates`.
    """
    import pandas as pd

    rows = {}
    for quantity, frame in zip(("RV", "log LSD"), frames, strict=True):
        for row in frame.itertuples():
            cells = rows.setdefault((quantity, row.part, row.method), {})
            cells[f"R = {row.num_points}"] = format_median(row.median, row.iqr)
    table = pd.DataFrame(rows).T.fillna("—")
    table.index.names = ["quantity", "part", "method"]
    return table[sorted(table.columns, key=lambda name: int(name.removeprefix("R = ")))]


RELATIVE = dict(RV=relative_rv, LSD=relative_lsd)
NUMBERED = {1: ("RV", None), 2: ("LSD", None), 3: ("RV", "rest"), 6: ("LSD", None)}


def frame_of(own, metric: str, **options):
    """Retraining variability ("RV") or log distortion ("LSD") relative to the median VAE.

    A row per method, part and number of points, over templates; `options` as in `relative_rv`.
    """
    return over_templates(RELATIVE[metric](own, **options))


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
    if number == 6:  # D1 and, of which we have no number of the paper's, D2
        frame = frame.sort_values("part", kind="stable")
    theirs = published[(published.table == number) & (published["data"] == data)]
    singular = metric == "RV" and data != "8 Gaussians"  # ten runs in 16 or 32 dimensions
    return against_paper(frame, theirs, sizes=not singular)


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
    singular = metric == "RV"  # ten runs in 32 dimensions
    return against_paper(frame, theirs, baseline=baseline, sizes=not singular)


def medians(table, *metrics: str, columns=("metric", "part")):
    """Medians over runs and templates of all metrics, or of some: a row per method.

    `columns` of the table name those of the result.
    """
    if metrics:
        table = table[table.metric.isin(metrics)]
    layout = dict(index="method", columns=list(columns), values="value")
    return table.pivot_table(aggfunc="median", **layout)


def scale_of(table, examples: str = "examples") -> str:
    """What a study's table rests on, as a line of text; `examples` is what its data are called."""
    one, count = table.iloc[0], table.template.nunique()
    templates = f"{count} template{'s' * (count > 1)}"
    size = f"{one.num_data} {examples}, {one.epochs} epochs, {one.replicas} runs"
    return f"{one['data']}: {size}, {templates}, {one.device}"
