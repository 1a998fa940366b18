"""Curves over beta beside the numbers of Bae et al. (2023), or beside annealed trainings."""

import numpy as np

from rvae_lite.reporting import figures
from rvae_lite.reporting.tables import (
    NO_NUMBER,
    REFERENCE,
    format_median,
    format_number,
    held_in,
    verdict,
)
from rvae_lite.studies.over_beta import MULTI_RATE, area_and_dominance, at_betas_of, curve_of

CASE = ["data", "network"]
LONG, BOTH_ENDS = "MR-VAE, twice as long", "MR-VAE, more at both ends"
# A multi-rate training, and the annealed ones, one for each beta, that it is compared with
ONE_TRAINING = (*MULTI_RATE, BOTH_ENDS)
RIVALS = dict.fromkeys(ONE_TRAINING, "beta-VAE, annealed")
RIVALS[LONG] = "beta-VAE, annealed, twice as long"


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


def excess(own, method: str = "MR-VAE", *, rival: str | None = None):
    """Loss of one training above that of as many separate ones as betas, nats.

    rival: the separate ones, by default the annealed of `RIVALS`.

    The columns data, network, seed, beta and excess; seeds that both have.
    """
    keys = [*CASE, "seed", "beta"]
    losses = own[(own.metric == "loss") & own.beta.notna()]
    losses = losses.assign(beta=losses.beta.map("{:.4g}".format).astype(float))
    ours, theirs = (losses[losses.method == name] for name in (method, rival or RIVALS[method]))
    both = ours.merge(theirs, on=keys, suffixes=("", "_of_rival"))
    both = both.assign(excess=both.value - both.value_of_rival)
    return both[[*keys, "excess"]].sort_values(keys, ignore_index=True)


def excesses(own, methods=tuple(RIVALS)):
    """One training against annealed ones as long: medians over seeds, a row per comparison.

    Columns: seeds; mean, low and high, the excess loss on average over the betas, at the lowest and
    at the highest; elbo and theirs, the lowest -ELBO over beta; area and dominance of the curve;
    verdict, `competitive` of the seeds' dominances.
    """
    import pandas as pd

    rows = []
    for method in methods:
        rival = RIVALS[method]
        for case, part in excess(own, method).groupby(CASE, sort=False):
            seeds = part.groupby("seed").excess
            row = dict(zip(CASE, case, strict=True), method=method, seeds=len(seeds))
            row["mean"], row["least"], row["most"] = seeds.mean().quantile([0.5, 0, 1])
            row.update(low=seeds.first().median(), high=seeds.last().median())
            here = own[(own["data"] == case[0]) & (own.network == case[1])]
            best = best_negative_elbos(here[here.seed.isin(part.seed)], baseline=rival)
            best = best.groupby("method").value.median()
            row.update(elbo=best[method], theirs=best[rival])
            row.update(_of_curves(here, method, part.seed.unique()))
            rows.append(row)
    return pd.DataFrame(rows).set_index(["method", *CASE])


def _of_curves(here, method: str, seeds) -> dict[str, float]:
    """Area (nats squared) and dominance against the rival, medians over seeds."""
    found = []
    for seed in seeds:
        curves = (curve_of(here, name, seed=seed) for name in (method, RIVALS[method]))
        found.append(area_and_dominance(*curves))
    medians = {name: np.median([each[name] for each in found]) for name in found[0]}
    return medians | dict(verdict=competitive([each["dominance"] for each in found]))


def competitive(dominances) -> str:
    """The verdict on "competitive": whether every seed's curve is lower at half of the rates."""
    return held_in(np.asarray(dominances) >= 0.5)


def excess_table(own, methods=tuple(RIVALS), *, of: str = "ten"):
    """`excesses` as text; `of` says how many annealed trainings there are."""
    found, shown = excesses(own, methods), {}
    middle = found["mean"].map("{:+.1f}".format)
    ends = found.least.map(" ({:+.1f}".format) + found.most.map(" to {:+.1f})".format)
    shown["mean excess"] = middle + ends.where(found.seeds > 1, "")
    for title, name in (("at the lowest β", "low"), ("at the highest β", "high")):
        shown[title] = found[name].map("{:+.1f}".format)
    shown["best −ELBO"] = found.elbo.map("{:.1f}".format)
    shown[f"of {of}"] = found.theirs.map("{:.1f}".format)
    shown["area"] = [format_number(area, digits=0) for area in found.area]
    shown["dominance"] = found.dominance.round(2)
    return found[["seeds"]].assign(**shown)


def at_end(own, metric: str, method: str, end: str, *, by=CASE):
    """A metric at the lowest ("min") or highest ("max") beta, medians: a number per group."""
    rows = own[(own.metric == metric) & (own.method == method)]
    last = rows.beta.min() if end == "min" else rows.beta.max()
    rows = rows[(rows.beta / last).between(1 - 1e-5, 1 + 1e-5)]
    return rows.groupby([*by], sort=False).value.median()


def ends(own, method: str, rival: str, *, by=CASE):
    """What Figure 6 says of the ends of the range: True where it holds, a row per group.

    Args:
        own: a study's table, with Frechet distances.
        method: the one training.
        rival: the separate trainings.
        by: the columns that make a group; values are medians within it.
    """
    units, samples = (
        [at_end(own, metric, name, end, by=by) for name in (method, rival)]
        for metric, end in (("active_units", "max"), ("frechet_samples", "min"))
    )
    held = (units[0] > units[1]).to_frame("more active units at high β")
    return held.assign(**{"better samples at low β": samples[0] < samples[1]})


def gaps_at_equal_rate(own, method: str = "MR-VAE", *, num: int = 60):
    """Distortion of one training above that of annealed ones at the same rate, nats.

    Between the annealed betas, which are too few for straight lines, a monotone cubic.

    Args:
        own: rows of one data set and network.
        method: the one training.
        num: how many rates.

    Returns:
        Rates that the curves of all seeds reach, (num,), and the gap of each seed, (seeds, num).
    """
    from scipy.interpolate import PchipInterpolator

    seeds = excess(own, method).seed.unique()
    theirs = [curve_of(own, RIVALS[method], seed=seed) for seed in seeds]
    ours = [
        at_betas_of(rival, curve_of(own, method, seed=seed))
        for rival, seed in zip(theirs, seeds, strict=True)
    ]
    curves = [*ours, *theirs]
    low = max(curve.rate.min() for curve in curves)
    rates = np.linspace(low, min(curve.rate.max() for curve in curves), num)

    def at_rates(curve) -> np.ndarray:
        points = curve.drop_duplicates("rate").sort_values("rate")
        return PchipInterpolator(points.rate, points.distortion)(rates)

    return rates, np.array([*map(at_rates, ours)]) - np.array([*map(at_rates, theirs)])


def plot_gaps(own, methods, *, ax) -> None:
    """`gaps_at_equal_rate` of one data set and network, with a band over seeds."""
    bands = {}
    for method in methods:
        rates, gaps = gaps_at_equal_rate(own, method)
        bands[method] = (rates, *np.quantile(gaps, (0, 0.5, 1), axis=0))
    _plot_bands(bands, ax)
    ax.set(xlabel="rate in nats", ylabel="distortion above separate\ntrainings', nats")


def plot_excess(own, methods, *, of: str = "ten", ax) -> None:
    """Excess loss over beta, with a band over seeds."""
    bands = {}
    for method in methods:
        groups = excess(own, method).groupby("beta").excess
        found = [groups.quantile(share) for share in (0, 0.5, 1)]
        bands[method] = (found[0].index, *found)
    _plot_bands(bands, ax)
    ax.set(xscale="log", xlabel="beta", ylabel=f"loss above {of} trainings', nats")


def plot_metric(own, methods, metric: str, *, label: str, log: bool = False, by=CASE):
    """A metric at the betas that have it, medians over seeds: a panel per group (Figure 6)."""
    groups = own.groupby([*by], sort=False)
    axes = figures.figure_row(len(groups))[1]
    for ax, (name, part) in zip(axes, groups, strict=True):
        curves = {method: curve_of(part, method).dropna(subset=metric) for method in methods}
        lines = {method: (curve.beta, curve[metric]) for method, curve in curves.items()}
        figures.plot_over_beta(lines, label=label, log=log, ax=ax)
        ax.set_title(", ".join(name))
        if ax is not axes[0]:
            ax.get_legend().remove()
    return axes


def _plot_bands(bands: dict, ax) -> None:
    """Medians with a band from the least to the most; the separate trainings are the zero line.

    bands: method -> x, least, median and most, each (T,).
    """
    for method, (x, least, middle, most) in bands.items():
        colour = figures.colour_of(method)
        ax.plot(x, middle, color=colour, label=method)
        ax.fill_between(x, least, most, color=colour, alpha=0.25, lw=0)
    ax.axhline(0, color="grey", lw=1)
    ax.legend(fontsize=7)
