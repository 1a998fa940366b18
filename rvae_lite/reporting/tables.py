"""What notebooks say about results: checked claims, fingerprints, and tables beside the paper's.

Medians and interquartile ranges relative to the median plain VAE, as in Tables 1 and 2 of Martinez & Pearson (2021).
"""

import numpy as np


def check(claim: str, condition) -> None:
    """Print the claim and assert it: a statement in a notebook that cannot quietly become false."""
    assert bool(condition), f"not true here: {claim}"
    print(f"✓ {claim}")


def fingerprint(fit, *, replica: int = 0) -> None:
    """Print the last loss terms of a short training to 3 significant digits.

    After at most some 300 steps these digits agree between machines, and they change when beta, the learning rate or
    the data do.
    """
    loss, distortion, rate, *anchors = fit.terms[-1, :, replica]
    text = f"loss {loss:.3g}, distortion {distortion:.3g}, rate {rate:.3g}"
    if fit.rho[replica] > 0:
        text += f", anchors {anchors[0]:.3g} and {anchors[1]:.3g}"
    print(f"fingerprint after {len(fit.terms)} epochs: {text}")


def relative_rv(table, *, recipe: str = "reproducibility", baseline: str = "VAE"):
    """Retraining variability relative to the baseline's median, nats: a row per method, part, R and template.

    `median` and `iqr` are over the data points, each point's variability being over the M runs.
    """
    wide = table[table.metric.isin(["rv_median", "rv_q25", "rv_q75"]) & (table.recipe == recipe)]
    keys = ["data", "num_points", "template", "part", "method"]
    wide = wide.pivot_table(
        index=keys, columns="metric", values="value", aggfunc="first", sort=False
    ).reset_index()
    reference = wide[wide.method == baseline].set_index(keys[:-1]).rv_median
    with np.errstate(invalid="ignore"):
        wide["median"] = (
            wide.rv_median
            - reference.loc[list(wide[keys[:-1]].itertuples(index=False, name=None))].to_numpy()
        )
        wide["iqr"] = np.where(np.isneginf(wide.rv_median), 0.0, wide.rv_q75 - wide.rv_q25)
    return wide[[*keys, "median", "iqr"]]


def relative_lsd(table, *, points_from: str = "first", baseline: str = "VAE"):
    """log LSD relative to the median baseline: a row per method, part, R and template, with IQR over the M runs."""
    chosen = table[
        (table.metric == "lsd")
        & (table.recipe == "sequential")
        & (table.points_from == points_from)
    ].copy()
    chosen["log_lsd"] = np.log(chosen.value)
    keys = ["data", "num_points", "template", "part"]
    reference = chosen[chosen.method == baseline].groupby(keys).log_lsd.median()
    chosen["relative"] = (
        chosen.log_lsd
        - reference.loc[list(chosen[keys].itertuples(index=False, name=None))].to_numpy()
    )
    grouped = chosen.groupby([*keys, "method"], sort=False).relative
    result = grouped.median().rename("median").to_frame()
    result["iqr"] = grouped.quantile(0.75) - grouped.quantile(0.25)
    return result.reset_index()


def over_templates(frame):
    """The median over template seeds of medians and IQRs, and the lowest and highest median among them."""
    grouped = frame.groupby(
        [key for key in ("data", "num_points", "part", "method") if key in frame], sort=False
    )
    result = grouped[["median", "iqr"]].median()
    result["lowest"], result["highest"] = grouped["median"].min(), grouped["median"].max()
    result["templates"] = grouped["median"].size()
    return result.reset_index()


def verdict(ours: float, our_iqr: float, paper: float, paper_iqr: float) -> str:
    """How ours compares: median +- IQR/2 overlap ("agrees"), the same side of the VAE ("same trend"), or "differs"."""
    if abs(ours - paper) <= (our_iqr + paper_iqr) / 2:
        return "agrees"
    return "same trend" if ours * paper > 0 else "differs"


def against_paper(frame, published, *, baseline: str = "VAE"):
    """Ours beside the paper's: `frame` as from `over_templates`, `published` rows of results/published.csv.

    Returns a table of text, indexed by part: R, method, paper, here, range over templates, verdict ("—" where the
    paper has no such row).
    """
    import pandas as pd

    rows = []
    for row in frame.itertuples():
        found = published[
            (published.method == row.method)
            & published.part.isin([row.part, "all"])
            & (published.num_points.isna() | (published.num_points == row.num_points))
        ]
        theirs = found.iloc[0] if len(found) else None
        rows.append(
            {
                "part": row.part,
                "points": int(row.num_points),
                "method": row.method,
                "paper": format_median(theirs["median"], theirs.iqr) if theirs is not None else "—",
                "here": format_median(row.median, row.iqr),
                "range": f"{format_number(row.lowest)} to {format_number(row.highest)}",
                "verdict": "reference" if row.method == baseline else _verdict_of(row, theirs),
            }
        )
    return pd.DataFrame(rows).set_index("part")


def best_negative_elbos(table, *, baseline: str = "beta-VAE"):
    """The lowest test -ELBO over the baseline's betas, nats: a row per data set, network, method and seed.

    `table` as from `rates.curve_study`; a multi-rate curve is read off at more betas, which would favour it.
    """
    rows = table[(table.metric == "negative_elbo") & table.beta.notna()]
    betas = np.unique(rows[rows.method == baseline].beta)
    rows = rows[np.isclose(rows.beta.to_numpy()[:, None], betas, rtol=1e-4).any(1)]
    return rows.groupby(["data", "network", "method", "seed"], sort=False).value.min().reset_index()


def curves_against_paper(
    table, published, *, baseline: str = "beta-VAE", tolerance: float = 0.02, named=None
):
    """The lowest test -ELBO over beta beside the paper's: data, network, method, paper, here, verdict.

    "here" is the median and, in brackets, the interquartile range over seeds.

    "agrees" within a share `tolerance` of the paper's number, else "same trend" where the method is on the paper's
    side of the baseline, else "differs".  `named` maps methods to what the paper calls them, where it differs.
    """
    import pandas as pd

    keys, named = ["data", "network", "method"], named or {}
    groups = best_negative_elbos(table, baseline=baseline).groupby(keys, sort=False).value
    ours, iqr = groups.median(), groups.quantile(0.75) - groups.quantile(0.25)
    theirs = published[published.metric == "negative_elbo"].set_index(["data", "part", "method"])[
        "median"
    ]
    rows = []
    for (data, network, method), value in ours.items():
        paper, verdict = theirs.get((data, network, named.get(method, method))), "—"
        if paper is not None:
            gain, published_gain = (
                value - ours[data, network, baseline],
                paper - theirs[data, network, baseline],
            )
            same = (
                "reference"
                if method == baseline
                else "same trend"
                if gain * published_gain > 0
                else "differs"
            )
            verdict = "agrees" if abs(value - paper) <= tolerance * paper else same
        shown = "—" if paper is None else format_number(paper)
        here = format_median(value, iqr[data, network, method])
        rows.append([data, network, method, shown, here, verdict])
    return pd.DataFrame(rows, columns=[*keys, "paper", "here", "verdict"]).set_index("data")


def gaps_against_paper(table, published, *, method: str = "MR-VAE", tolerance: float = 0.05):
    """The mutual information gap over beta beside the published one, in the sampled form, the only one that compares.

    "agrees" within `tolerance`, else "same trend" where the gap is above that at the lowest beta by more than that, as
    the published one is, else "differs".  `table` as from `disentanglement_study`.
    """
    import pandas as pd

    rows = table[(table.method == method) & (table.metric == "mig_sampled")]
    ours = rows.groupby("beta").value.quantile([0.25, 0.5, 0.75]).unstack()
    theirs = published[published.metric == "mig_sampled"]
    theirs = pd.Series(theirs["median"].to_numpy(), index=theirs.part.astype(float)).sort_index()
    shown = {}
    for beta, (low, value, high) in ours.iterrows():
        paper = theirs.iloc[np.abs(np.log(theirs.index / beta)).argmin()]
        same = min(value - ours[0.5].iloc[0], paper - theirs.iloc[0]) > tolerance
        verdict = (
            "agrees" if abs(value - paper) <= tolerance else "same trend" if same else "differs"
        )
        shown[f"{beta:.2g}"] = [format_number(paper), format_median(value, high - low), verdict]
    return pd.DataFrame.from_dict(
        shown, orient="index", columns=["paper", "here", "verdict"]
    ).rename_axis("beta")


def _verdict_of(row, theirs) -> str:
    return "—" if theirs is None else verdict(row.median, row.iqr, theirs["median"], theirs.iqr)


def format_number(value: float, *, digits: int = 2) -> str:
    """A number to so many decimals, with a true minus sign; infinities as such."""
    return (
        "−∞" if np.isneginf(value) else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
    )


def format_median(median: float, iqr: float) -> str:
    """Median and, in brackets, interquartile range, as the paper prints them."""
    return f"{format_number(median)} ({format_number(iqr)})"


SUMMARY = {  # column -> recipe, metric, part
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


def summary(table):
    """What stands beside the paper's two metrics: medians over runs (and templates), a row per quantity.

    Distances are shares of the target's total variance; rate in nats; squared error summed over dimensions.
    """
    import pandas as pd

    methods, rows = list(dict.fromkeys(table.method)), {}
    for name, (recipe, metric, part) in SUMMARY.items():
        chosen = table[(table.recipe == recipe) & (table.metric == metric) & (table.part == part)]
        medians = chosen.groupby("method").value.median()
        rows[name] = {
            m: format_number(medians[m], digits=3) if m in medians else "—" for m in methods
        }
    rows = {name: row for name, row in rows.items() if set(row.values()) != {"—"}}
    return pd.DataFrame(rows).T[methods]


def by_num_points(frames):
    """Relative retraining variability and distortion over the number of Rosetta points: a column per R, text."""
    import pandas as pd

    rows = {}
    for quantity, frame in zip(("RV", "log LSD"), frames, strict=True):
        for row in frame.itertuples():
            cells = rows.setdefault((quantity, row.part, row.method), {})
            cells[f"R = {row.num_points}"] = format_median(row.median, row.iqr)
    table = pd.DataFrame(rows).T.fillna("—")
    table.index.names = ["quantity", "part", "method"]
    return table[sorted(table.columns, key=lambda name: int(name.removeprefix("R = ")))]


def provenance(**extra) -> None:
    """Print what a chapter's numbers rest on, without times or paths."""
    import rvae_lite

    lines = {"rvae_lite": rvae_lite.__version__, **extra}
    print("; ".join(f"{key}: {value}" for key, value in lines.items()))
