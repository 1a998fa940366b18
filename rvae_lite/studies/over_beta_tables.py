"""Curves over beta beside the numbers of Bae et al. (2023), with a verdict on each."""

import numpy as np

from rvae_lite.reporting.tables import NO_NUMBER, REFERENCE, format_median, format_number, verdict


def best_negative_elbos(table, *, baseline: str = "beta-VAE"):
    """The lowest test -ELBO over the baseline's betas, nats: a row per data, network, method, seed.

    A multi-rate curve is read off at more betas, which would favour it.
    """
    rows = table[(table.metric == "negative_elbo") & table.beta.notna()]
    betas = np.unique(rows[rows.method == baseline].beta)
    rows = rows[np.isclose(rows.beta.to_numpy()[:, None], betas, rtol=1e-4).any(1)]
    return rows.groupby(["data", "network", "method", "seed"], sort=False).value.min().reset_index()


def curves_against_paper(table, published, *, baseline: str = "beta-VAE", named=None):
    """The lowest test -ELBO over beta beside the paper's, judged by its difference to the baseline.

    Args:
        table: a study's tidy table.
        published: rows of results/published.csv.
        baseline: the method that the others are compared with.
        named: method -> what the paper calls it, where it differs.

    Returns:
        A table of text, indexed by data: network, method, paper, here (median and interquartile
        range over seeds), direction and size.
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
            rows.append([data, network, method, "—", here, *NO_NUMBER])
            continue
        gain = value - ours[data, network, baseline]
        published_gain = paper - theirs[data, network, baseline]
        judged = verdict(gain, iqr[data, network, method], published_gain, 0)
        judged = REFERENCE if method == baseline else judged
        rows.append([data, network, method, format_number(paper), here, *judged])
    columns = [*keys, "paper", "here", "direction", "size"]
    return pd.DataFrame(rows, columns=columns).set_index("data")


def published_gaps(published):
    """The published mutual information gap, in the sampled form, by beta: a pandas Series."""
    import pandas as pd

    rows = published[published.metric == "mig_sampled"]
    values = rows["median"].to_numpy()
    return pd.Series(values, index=rows.part.astype(float).to_numpy()).sort_index()


def gaps_against_paper(table, published, *, method: str = "MR-VAE"):
    """The mutual information gap over beta beside the published one, in the sampled form.

    What is judged is the rise of the gap above that at the lowest beta, which is the reference.

    Args:
        table: the table of the study of disentanglement.
        published: rows of results/published.csv.
        method: whose gap.
    """
    import pandas as pd

    rows = table[(table.method == method) & (table.metric == "mig_sampled")]
    ours = rows.groupby("beta").value.quantile([0.25, 0.5, 0.75]).unstack()
    theirs, shown = published_gaps(published), {}
    for beta, (low, value, high) in ours.iterrows():
        paper = theirs.iloc[np.abs(np.log(theirs.index / beta)).argmin()]
        rise, published_rise = value - ours[0.5].iloc[0], paper - theirs.iloc[0]
        judged = verdict(rise, high - low, published_rise, 0) if shown else REFERENCE
        here = format_median(value, high - low)
        shown[f"{beta:.2g}"] = [format_number(paper), here, *judged]
    columns = ["paper", "here", "direction", "size"]
    shown = pd.DataFrame.from_dict(shown, orient="index", columns=columns)
    return shown.rename_axis("beta")
