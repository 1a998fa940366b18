"""Figures of the best linear maps between spaces (Martinez & Pearson 2021, Figures 6 and 7)."""

from rvae_lite.reporting import figures


def plot_spectra(table, *, ax=None):
    """Eigenvalues of P in A = U P (Figure 6, top): every run thin, the median bold."""
    ax = figures.figure_row(1, width=6.4, height=4.8)[1] if ax is None else ax
    chosen = table[table.metric.str.startswith("spectrum_")]
    index = chosen.metric.str.removeprefix("spectrum_").astype(int) + 1
    wide = chosen.assign(index=index).groupby("method", sort=False)
    for method, rows in wide:
        runs = rows.pivot_table(index="index", columns=["template", "seed"], values="value")
        colour = figures.colour_of(method)
        ax.plot(runs.index, runs.to_numpy(), color=colour, linewidth=0.5, alpha=0.3)
        bold = dict(color=colour, linewidth=2.2, marker="o", label=method)
        ax.plot(runs.index, runs.median(axis=1), **bold)
    indices = sorted(index.unique())
    ax.set_xticks(indices[:: -(-len(indices) // 8)])
    ax.set(xlabel="index", ylabel="eigenvalue of P", ylim=(0, None))
    ax.legend()
    return ax


def plot_linear_maps(table):
    """Spectra, distance to the identity and shift of the best linear maps; returns the figure."""
    figure, (left, middle, right) = figures.figure_row(3, width=2.8)
    plot_spectra(table, ax=left)
    everywhere = dict(part="all", label="|A / largest s. v. − I|\n(lower is better)", ax=middle)
    figures.plot_by_method(table, metric="distance_to_identity", **everywhere)
    everywhere = dict(part="all", label="|b| (lower is better)", ax=right)
    figures.plot_by_method(table, metric="bias_norm", **everywhere)
    return figure
