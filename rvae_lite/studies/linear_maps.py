"""The best linear maps between spaces: figures, and directions beside the paper's.

Martinez & Pearson (2021), Appendices I and J, Figures 6 and 7.  Letter: K latent dimension.
"""

from rvae_lite.reporting import figures
from rvae_lite.reporting.tables import Verdict, format_median, verdict

# What the paper draws of a map -> its figure, and the side of the rivals on which the R-VAE lies.
QUANTITIES = {
    "flatness": ("Figure 6", 1),
    "distance_to_identity": ("Figure 6", -1),
    "bias_norm": ("Figure 7", -1),
}


def plot_spectra(table, *, log: bool = False, ax=None):
    """Eigenvalues of P in A = U P (Figure 6, top): every run thin, the median bold."""
    ax = figures.figure_row(1, width=6.4, height=4.8)[1] if ax is None else ax
    chosen = table[table.metric.str.startswith("spectrum_")]
    index = chosen.metric.str.removeprefix("spectrum_").astype(int) + 1
    wide = chosen.assign(index=index).groupby("method", sort=False)
    for method, rows in wide:
        runs = rows.pivot_table(index="index", columns=["template", "seed"], values="value")
        colour = figures.colour_of(method)
        ax.plot(runs.index, runs.to_numpy(), color=colour, linewidth=0.5, alpha=0.3)
        bold = dict(color=colour, linewidth=2.2, marker="" if log else "o", label=method)
        ax.plot(runs.index, runs.median(axis=1), **bold)
    indices = sorted(index.unique())
    ax.set_xticks(indices[:: -(-len(indices) // 8)])
    ax.set(xlabel="index", ylabel="eigenvalue of P")
    ax.set(**dict(yscale="log") if log else dict(ylim=(0, None)))
    ax.legend(**dict(loc="lower left", labelspacing=0.1) if log else {})
    return ax


def plot_linear_maps(table, *, log: bool = False):
    """Spectra, distance to the identity and shift of the best linear maps; returns the figure.

    `log` is for sources that hardly vary: the map stretches some of them a thousandfold.
    """
    figure, (left, middle, right) = figures.figure_row(3, width=2.8)
    plot_spectra(table, log=log, ax=left)
    everywhere = dict(part="all", label="|A / largest s. v. − I|\n(lower is better)", ax=middle)
    figures.plot_by_method(table, metric="distance_to_identity", **everywhere)
    everywhere = dict(part="all", label="|b| (lower is better)", log=log, ax=right)
    figures.plot_by_method(table, metric="bias_norm", **everywhere)
    return figure


def of_maps(own):
    """Rows of the maps from spaces with Alice's points: flatness, distance to identity, shift.

    Flatness is (sum s)^2 / (K sum s^2) of the eigenvalues s of P: 1 where all are equal.
    """
    import pandas as pd

    own = own[(own.recipe == "sequential") & (own.points_from == "first")]
    rows = own[own.metric.str.startswith("spectrum_")]
    runs = rows.groupby(["method", "template", "seed"], sort=False).value
    share = runs.sum() ** 2 / (runs.size() * runs.agg(lambda s: s.pow(2).sum()))
    flat = share.reset_index().assign(metric="flatness")
    return pd.concat([flat, own[own.metric.isin([*QUANTITIES])]], ignore_index=True)


def against_paper(own, *, level=(), method="R-VAE", rivals=("VAE", "beta-VAE")):
    """Figures 6 and 7 as directions: does the R-VAE lie on that side of each rival?

    The paper prints no numbers, so sizes do not compare.

    Args:
        own: a study's table.
        level: quantities that the paper finds level: ours lie on no side of them.
        method: what is compared.
        rivals: what it is compared with.
    """
    import pandas as pd

    values = of_maps(own).groupby(["metric", "method"]).value
    quartiles, rows = values.quantile([0.25, 0.5, 0.75]).unstack(), []
    for quantity, (where, side) in QUANTITIES.items():
        low, middle, high = (quartiles[q].loc[quantity] for q in (0.25, 0.5, 0.75))
        for rival in rivals:
            expected = 0 if quantity in level else side
            judged = verdict(middle[method] - middle[rival], 0, expected, 0, sizes=False)
            texts = [
                format_median(middle[name], high[name] - low[name]) for name in (method, rival)
            ]
            rows.append([quantity.replace("_", " "), where, rival, *texts, *judged])
    columns = ["quantity", "paper", "rival", method, "the rival's", *Verdict._fields]
    return pd.DataFrame(rows, columns=columns).set_index("quantity")


def unturned(own):
    """tr(A) / tr(P) of each map, medians over runs: 1 without a turn, near 0 after a random one.

    With B, A by its largest singular value, it follows from |B - I|^2 = |B|^2 + K - 2 tr(B).
    """
    rows = own[(own.recipe == "sequential") & (own.part == "all")]
    wide = rows.pivot_table(index=["method", "template", "seed"], columns="metric", values="value")
    stretch = wide.filter(like="spectrum_")
    stretch = stretch.div(stretch.max(axis=1), axis=0)
    squares = stretch.pow(2).sum(axis=1) + stretch.shape[1]
    trace = (squares - wide.distance_to_identity**2) / 2
    return (trace / stretch.sum(axis=1)).groupby("method").median()
