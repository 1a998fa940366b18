"""The book's figures: one function a figure, one colour a method everywhere, legible in light and in dark mode."""

import warnings

import numpy as np
import torch

COLOURS = {
    "VAE": "#3b8bc4",
    "beta-VAE": "#e69f00",
    "R-VAE": "#d6336c",
    "R-VAE, rho 2.75": "#b07aa1",
    "VAE, anchors repeated": "#2a9d74",
    "VAE (same seed)": "#8c8c8c",
    "MR-VAE": "#7c6fe0",
    "beta-TCVAE": "#c8553d",
    "beta-VAE, annealed": "#b58863",
    "exact": "#1fa3a3",
}
VARIANTS = {  # lines of one figure each; another figure may use a colour again
    "water": "#3b8bc4",
    "proof's weights": "#c8553d",
    "corrected gates": "#7c6fe0",
    "sigmoid encoder": "#4f9d3a",
    "same gates, optimised": "#4f9d3a",
    "all sigmoid": "#b59a00",
    "all sigmoid, optimised": "#b59a00",
    "sigmoid, sigmoid": "#b59a00",
    "sqrt, sqrt": "#1fa3a3",
    "FiLM": "#c8553d",
    "[0.1, 1]": "#b59a00",
    "[0.01, 1]": "#1fa3a3",
    "[0.001, 100]": "#c8553d",
    "one beta a batch": "#b59a00",
    "slow gates": "#c8553d",
    "MR-VAE, no tilt": "#4f9d3a",
    "MR-VAE, 4 times as long": "#d6336c",
    "one training per rho": "#e69f00",
    "one training": "#3b8bc4",
    "one training, 4 times as long": "#d6336c",
    "coarse": "#1fa3a3",
    "fine": "#c8553d",
    "curves": "#d6336c",
    "plain points": "#e69f00",
    "raw inputs": "#e69f00",
}
GROUPS = ["#8c8c8c", "#3b8bc4", "#e69f00", "#2a9d74", "#d6336c"]  # bars within a group
INK = "#7f8790"  # grey that reads on white and on black


def use_style() -> None:
    """Set matplotlib's defaults for the book: transparent, grey ink, few lines."""
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "figure.dpi": 110,
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.titlesize": 9,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
        }
    )


def _axes(ax):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def figure_row(columns: int, *, width: float | None = None, height: float = 2.7):
    """An empty figure with panels side by side, more than three in two rows, for small screens: (figure, axes)."""
    import matplotlib.pyplot as plt

    if columns <= 3:
        return plt.subplots(1, columns, figsize=((width or 2.4) * columns, height))
    across = -(-columns // 2)
    figure, axes = plt.subplots(2, across, figsize=((width or 6.6 / across) * across, height * 2))
    for ax in axes.flat[columns:]:
        ax.remove()
    return figure, axes.ravel()[:columns]


def colour(method: str) -> str:
    """The colour of a method or variant, grey for one that the book does not know."""
    return (VARIANTS | COLOURS).get(method, INK)


def warmth():
    """A colour map for amounts: plasma without its ends, of which one fades on a dark page and one on a light one."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["plasma"](np.linspace(0.2, 0.88, 256)))


def _class_colours(labels):
    """Integers are classes; floats are fractions of a turn, such as directions, on a circle of colours."""
    import matplotlib.pyplot as plt

    labels = np.asarray(labels)
    if labels.dtype.kind == "f":
        return plt.get_cmap("hsv")(labels % 1)
    return plt.get_cmap("tab10")(labels % 10)


def plot_space(means, labels, *, points=None, title: str = "", ax=None):
    """A latent plane: means (N, 2) coloured by label, the Rosetta points' latents (R, 2) as crosses.

    Integer labels are classes, floats fractions of a turn on a circle of colours.
    """
    ax = _axes(ax)
    means = np.asarray(means)
    ax.scatter(
        means[:, 0],
        means[:, 1],
        c=_class_colours(labels),
        s=4,
        linewidths=0,
        alpha=0.6,
        rasterized=True,
    )
    if points is not None:
        points = np.asarray(points)
        ax.scatter(points[:, 0], points[:, 1], marker="x", c=INK, s=36, linewidths=1.6)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[])
    return ax


def plot_spaces(spaces: dict, labels, *, points=None, columns: int = 4, size: float = 2.0):
    """Latent planes side by side on one scale: name -> means (N, 2); returns the figure."""
    import matplotlib.pyplot as plt

    rows = -(-len(spaces) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(size * columns, size * rows),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for ax in axes.flat[len(spaces) :]:
        ax.remove()
    for ax, (name, means) in zip(axes.flat, spaces.items(), strict=False):
        plot_space(means, labels, points=points, title=name, ax=ax)
    return figure


def plane_of(target):
    """The plane of a target space's two leading principal components, as a function of latents (..., K) -> (..., 2).

    Linear and fitted on the target alone, so that panels drawn through it can be compared.
    """
    target = np.asarray(target, dtype=np.float64)
    centre = target.mean(0)
    directions = np.linalg.svd(target - centre, full_matrices=False)[2][:2]
    return lambda means: (np.asarray(means, dtype=np.float64) - centre) @ directions.T


def umap_of(target, *, seed: int = 0):
    """UMAP of a target space (N, K), as a function of latents (..., K) -> (..., 2).

    Fitted once on the target and only applied to the others, so that panels drawn through it can be compared: a map
    fitted on each panel would undo the very turns and shifts that the panels are to show.
    """
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the remarks of UMAP's own imports on widgets
        import umap

    reducer = umap.UMAP(random_state=seed, n_jobs=1).fit(np.asarray(target, dtype=np.float32))
    torch.set_num_threads(threads)  # Numba, below UMAP, sets OpenMP's threads for PyTorch as well

    def window(means):
        means = np.asarray(means, dtype=np.float32)
        planes = reducer.transform(means.reshape(-1, means.shape[-1])).reshape(*means.shape[:-1], 2)
        torch.set_num_threads(threads)
        return planes

    return window


def through(window, spaces: dict) -> dict:
    """Each space, name -> latents (N, K), through one window such as `umap_of`'s: name -> planes (N, 2)."""
    return dict(zip(spaces, window(np.stack(list(spaces.values()))), strict=True))


def plot_by_method(table, *, metric: str, part: str, label: str, log: bool = False, ax=None):
    """One metric of every run, a column per method: runs as dots, their median as a bar."""
    ax = _axes(ax)
    chosen = table[(table.metric == metric) & (table.part == part)]
    methods = list(dict.fromkeys(chosen.method))
    random = np.random.default_rng(0)
    for position, method in enumerate(methods):
        values = chosen[chosen.method == method].value.to_numpy()
        jitter = position + random.uniform(-0.15, 0.15, len(values))
        ax.scatter(jitter, values, s=10, color=colour(method), alpha=0.45, linewidths=0)
        ax.hlines(
            np.median(values), position - 0.3, position + 0.3, color=colour(method), linewidth=2.5
        )
    ax.set_xticks(
        range(len(methods)),
        [method.replace(", ", ",\n") for method in methods],
        rotation=30,
        ha="right",
    )
    ax.set(ylabel=label, yscale="log" if log else "linear")
    return ax


def plot_over_points(frame, *, part: str, label: str, ax=None):
    """A relative metric over the number of Rosetta points: median over templates, bars from lowest to highest."""
    ax = _axes(ax)
    chosen = frame[frame.part == part]
    methods = list(dict.fromkeys(chosen.method))
    for offset, method in enumerate(methods):
        rows = chosen[chosen.method == method].sort_values("num_points")
        x = rows.num_points * 1.04 ** (offset - len(methods) / 2)
        bars = np.stack([rows["median"] - rows.lowest, rows.highest - rows["median"]])
        ax.errorbar(
            x,
            rows["median"],
            yerr=bars,
            marker="o",
            markersize=4,
            color=colour(method),
            label=method,
        )
    ax.set_xscale("log", base=2)
    counts = sorted(chosen.num_points.unique())
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.set(xlabel="number of Rosetta points", ylabel=label)
    ax.legend()
    return ax


def plot_runs_over_points(table, *, metric: str, part: str, label: str, ax=None):
    """One metric over the number of Rosetta points: every run a dot, the median of each method a line."""
    ax = _axes(ax)
    chosen = table[(table.metric == metric) & (table.part == part)]
    for method in dict.fromkeys(chosen.method):
        runs = chosen[chosen.method == method]
        ax.scatter(runs.num_points, runs.value, s=8, color=colour(method), alpha=0.35, linewidths=0)
        median = runs.groupby("num_points").value.median()
        ax.plot(median.index, median, color=colour(method), marker="o", markersize=4, label=method)
    counts = sorted(chosen.num_points.unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.set(xlabel="number of Rosetta points", ylabel=label, ylim=(0, None))
    ax.legend()
    return ax


def plot_groups(frame, *, label: str, ax=None):
    """A number per row and column of a frame: a group of bars for each row, a colour for each column."""
    import matplotlib.pyplot as plt

    ax = plt.subplots(figsize=(max(5, 0.6 * len(frame)), 2.7))[1] if ax is None else ax
    width = 0.8 / len(frame.columns)
    for position, name in enumerate(frame.columns):
        x = np.arange(len(frame)) + width * (position - (len(frame.columns) - 1) / 2)
        ax.bar(x, frame[name], width, color=GROUPS[position % len(GROUPS)], label=name)
    names = [
        str(row).replace("_", "\n").replace("/", "\n").replace(" ", "\n") for row in frame.index
    ]
    ax.set_xticks(range(len(frame)), names)
    ax.set(ylabel=label)
    ax.legend()
    return ax


def plot_by_type(frame, *, label: str, ax=None):
    """Numbers of each type of syllable (or class): a dot per row and method; the column "points" joins its name."""
    import matplotlib.pyplot as plt

    ax = plt.subplots(figsize=(8, 3))[1] if ax is None else ax
    for method in frame.columns.drop("points"):
        ax.scatter(range(len(frame)), frame[method], s=16, color=colour(method), label=method)
    names = [f"{name} ({count})" for name, count in zip(frame.index, frame["points"], strict=True)]
    ax.set_xticks(range(len(frame)), names, rotation=90)
    ax.set(xlabel="type (number of points)", ylabel=label, yscale="log")
    ax.legend()
    return ax


def plot_song(samples, rate: int, onsets, offsets, labels, *, ax=None):
    """A recording (T,) as a spectrogram, its syllables' names above and a line below each."""
    import matplotlib.pyplot as plt

    ax = plt.subplots(figsize=(9, 2.4))[1] if ax is None else ax
    ax.specgram(samples, NFFT=512, Fs=rate, noverlap=384, cmap="magma", vmin=-110)
    for onset, offset, label in zip(onsets, offsets, labels, strict=True):
        ax.text((onset + offset) / 2, 10_400, label, ha="center")
        ax.hlines(250, onset, offset, color=INK, linewidth=3)
    ax.set(ylim=(0, 10_000), xlabel="seconds", ylabel="frequency, kHz")
    ax.set_yticks([0, 2000, 4000, 6000, 8000, 10_000], [0, 2, 4, 6, 8, 10])
    return ax


def plot_spectrograms(images, *, columns: int = 16, size: float = 0.6, rows=None):
    """A grid of spectrograms (N, 1, F, T), low frequencies at the bottom, with a name for each row if given."""
    return plot_images(
        np.asarray(images)[..., ::-1, :], columns=columns, size=size, rows=rows, cmap="magma"
    )


def plot_spectra(table, *, ax=None):
    """Eigenvalues of P in A = U P (Figure 6, top): every run thin, the median bold, a colour per method."""
    ax = _axes(ax)
    chosen = table[table.metric.str.startswith("spectrum_")].copy()
    chosen["index"] = chosen.metric.str.removeprefix("spectrum_").astype(int) + 1
    for method in dict.fromkeys(chosen.method):
        runs = chosen[chosen.method == method].pivot_table(
            index="index", columns=["template", "seed"], values="value"
        )
        ax.plot(runs.index, runs.to_numpy(), color=colour(method), linewidth=0.5, alpha=0.3)
        ax.plot(
            runs.index,
            runs.median(axis=1),
            color=colour(method),
            linewidth=2.2,
            marker="o",
            label=method,
        )
    indices = sorted(chosen["index"].unique())
    ax.set_xticks(indices[:: -(-len(indices) // 8)])
    ax.set(xlabel="index", ylabel="eigenvalue of P", ylim=(0, None))
    ax.legend()
    return ax


def plot_linear_maps(table):
    """Spectra, distance to the identity and shift of the best linear maps (Figures 6 and 7); returns the figure."""
    figure, (left, middle, right) = figure_row(3, width=2.8)
    plot_spectra(table, ax=left)
    distance = "|A / largest s. v. − I|\n(lower is better)"
    plot_by_method(table, metric="distance_to_identity", part="all", label=distance, ax=middle)
    plot_by_method(table, metric="bias_norm", part="all", label="|b| (lower is better)", ax=right)
    return figure


def plot_losses(history, *, methods: dict, term: str = "loss", ax=None):
    """A loss term over epochs: every replica thin, the median bold; methods: name -> positions of its replicas."""
    ax = _axes(ax)
    for method, positions in methods.items():
        runs = history[history.replica.isin(list(positions))].pivot(
            index="epoch", columns="replica", values=term
        )
        ax.plot(runs.index, runs.to_numpy(), color=colour(method), linewidth=0.5, alpha=0.4)
        ax.plot(runs.index, runs.median(axis=1), color=colour(method), linewidth=2, label=method)
    ax.set(xlabel="epoch", ylabel=f"{term} in nats (lower is better)")
    ax.legend()
    return ax


def plot_images(images, *, columns: int = 16, size: float = 0.5, rows=None, cmap: str = "gray"):
    """A grid of grey images (N, 1, H, W) or (N, H, W), with a name for each row if given; returns the figure."""
    import matplotlib.pyplot as plt

    images = np.asarray(images)
    images = images[:, 0] if images.ndim == 4 else images
    count = -(-len(images) // columns)
    figure, axes = plt.subplots(
        count, columns, figsize=(size * columns, size * count), squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, image in zip(axes.flat, images, strict=False):
        ax.imshow(image, cmap=cmap, vmin=0, vmax=255 if images.dtype == np.uint8 else 1)
    for ax, name in zip(axes[:, 0], rows or [], strict=False):
        ax.text(-0.15, 0.5, name, transform=ax.transAxes, ha="right", va="center")
    return figure
