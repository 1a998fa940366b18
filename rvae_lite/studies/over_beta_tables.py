"""Curves over beta beside the numbers of Bae et al. (2023), with a verdict on each."""

import numpy as np

from rvae_lite.reporting.tables import format_median, format_number


def best_negative_elbos(table, *, baseline: str = "beta-VAE"):
    """The lowest test -ELBO over the baseline's betas, nats: a row per data, network, method, seed.

    A multi-rate curve is read off at more betas, which would favour it.
    """
    rows = table[(table.metric == "negative_elbo") & table.beta.notna()]
    betas = np.unique(rows[rows.method == baseline].beta)
    rows = rows[np.isclose(rows.beta.to_numpy()[:, None], betas, rtol=1e-4).any(1)]
    return rows.groupby(["data", "network", "method", "seed"], sort=False).value.min().reset_index()


def curves_against_paper(
    table, published, *, baseline: str = "beta-VAE", tolerance: float = 0.02, named=None
):
    """The lowest test -ELBO over beta beside the paper's.

    Args:
        table: a study's tidy table.
        published: rows of results/published.csv.
        baseline: the method that the others are compared with.
        tolerance: the share of the paper's number within which ours "agrees"; else it is the "same
            trend" where the method is on the paper's side of the baseline, or it "differs".
        named: method -> what the paper calls it, where it differs.

    Returns:
        A table of text, indexed by data: network, method, paper, here (median and interquartile
        range over seeds), verdict.
    """
    import pandas as pd

    keys, named = ["data", "network", "method"], named or {}
    groups = best_negative_elbos(table, baseline=baseline).groupby(keys, sort=False).value
    ours, iqr = groups.median(), groups.quantile(0.75) - groups.quantile(0.25)
    theirs = published[published.metric == "negative_elbo"]
    theirs = theirs.set_index(["data", "part", "method"])["median"]
    rows = []
    for (data, network, method), value in ours.items():
        here = format_median(value, iqr[data, network, method])
        paper = theirs.get((data, network, named.get(method, method)))
        if paper is None:
            rows.append([data, network, method, "—", here, "—"])
            continue
        gain = value - ours[data, network, baseline]
        same_side = gain * (paper - theirs[data, network, baseline]) > 0
        if abs(value - paper) <= tolerance * paper:
            verdict = "agrees"
        elif method == baseline:
            verdict = "reference"
        else:
            verdict = "same trend" if same_side else "differs"
        rows.append([data, network, method, format_number(paper), here, verdict])
    return pd.DataFrame(rows, columns=[*keys, "paper", "here", "verdict"]).set_index("data")


def published_gaps(published):
    """The published mutual information gap, in the sampled form, by beta: a pandas Series."""
    import pandas as pd

    rows = published[published.metric == "mig_sampled"]
    values = rows["median"].to_numpy()
    return pd.Series(values, index=rows.part.astype(float).to_numpy()).sort_index()


def gaps_against_paper(table, published, *, method: str = "MR-VAE", tolerance: float = 0.05):
    """The mutual information gap over beta beside the published one, in the sampled form.

    Args:
        table: the table of the study of disentanglement.
        published: rows of results/published.csv.
        method: whose gap.
        tolerance: distance within which a gap "agrees"; else it is the "same trend" where it is
            above that at the lowest beta by more, as the published one is, or it "differs".
    """
    import pandas as pd

    rows = table[(table.method == method) & (table.metric == "mig_sampled")]
    ours = rows.groupby("beta").value.quantile([0.25, 0.5, 0.75]).unstack()
    theirs, shown = published_gaps(published), {}
    for beta, (low, value, high) in ours.iterrows():
        paper = theirs.iloc[np.abs(np.log(theirs.index / beta)).argmin()]
        rise = min(value - ours[0.5].iloc[0], paper - theirs.iloc[0])
        verdict = "same trend" if rise > tolerance else "differs"
        if abs(value - paper) <= tolerance:
            verdict = "agrees"
        shown[f"{beta:.2g}"] = [format_number(paper), format_median(value, high - low), verdict]
    shown = pd.DataFrame.from_dict(shown, orient="index", columns=["paper", "here", "verdict"])
    return shown.rename_axis("beta")
