"""The book's figures: one function a figure, one colour a method, legible in light and dark mode.

A function draws on the axes `ax` or on new ones, and returns them.  Tables are tidy pandas
DataFrames, a row per run and metric.  Letters: N data points, K latent dimension, R Rosetta points,
T values of beta.
"""

import warnings
import zlib

import numpy as np
import torch

from rvae_lite.reporting.screens import INK, use_svg

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
PALETTE = [*COLOURS.values(), "#4f9d3a", "#b59a00"]
COLOURS |= {"MR-VAE, paper's gates": "#4f9d3a", "MR-VAE, twice as long": "#b59a00"}
COLOURS["MR-VAE, more at both ends"] = "#0f7b8a"
SALT = 1266  # with it no two lines of one figure of the book have the same colour
LARGE = 1000  # latents in a figure that are worth a UMAP
GROUPS = ["#8c8c8c", "#3b8bc4", "#e69f00", "#2a9d74", "#d6336c"]  # bars within a group


def colour_of(method: str) -> str:
    """The colour of a method, or of any other line, in every figure of the book."""
    other = PALETTE[zlib.crc32(method.encode(), SALT) % len(PALETTE)]
    return COLOURS.get(method, other)


def use_style() -> None:
    """Set matplotlib's defaults for the book: transparent, grey ink, few lines."""
    import matplotlib.pyplot as plt

    plain = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    inked = ("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "text.color")
    plt.rcParams.update(dict.fromkeys(plain, "none"))
    plt.rcParams.update(dict.fromkeys([*inked, "xtick.color", "ytick.color"], INK))
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 9, "figure.dpi": 110})
    plt.rcParams.update({"legend.frameon": False, "figure.constrained_layout.use": True})
    use_svg()


def warmth():
    """A colour map for amounts: plasma without its ends, which fade on a dark or a light page."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["plasma"](np.linspace(0.2, 0.88, 256)))


def figure_row(columns: int, *, width: float | None = None, height: float = 2.7):
    """A figure with panels side by side, more than three in two rows: (figure, axes)."""
    import matplotlib.pyplot as plt

    if columns <= 3:
        return plt.subplots(1, columns, figsize=((width or 2.4) * columns, height))
    across = -(-columns // 2)
    figure, axes = plt.subplots(2, across, figsize=((width or 6.6 / across) * across, height * 2))
    for ax in axes.flat[columns:]:
        ax.remove()
    return figure, axes.ravel()[:columns]


def _axes(ax, size=None):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size)[1]


def plot_space(means, labels, *, points=None, title: str = "", ax=None):
    """A latent plane: means (N, 2) coloured by label, the points' latents (R, 2) as crosses.

    Integer labels are classes, floats fractions of a turn on a circle of colours.
    """
    import matplotlib.pyplot as plt

    ax, means, labels = _axes(ax), np.asarray(means), np.asarray(labels)
    if labels.dtype.kind == "f":
        colours = plt.get_cmap("hsv")(labels % 1)
    else:
        colours = plt.get_cmap("tab10")(labels % 10)
    dots = dict(s=4, linewidths=0, alpha=0.6, rasterized=True)
    ax.scatter(means[:, 0], means[:, 1], c=colours, **dots)
    if points is not None:
        ax.scatter(*np.asarray(points).T, marker="x", c=INK, s=36, linewidths=1.6)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[])
    return ax


def plot_spaces(spaces: dict, labels, *, points=None, columns: int = 4, size: float = 2.0):
    """Latent planes side by side on one scale: name -> means (N, 2); returns the figure."""
    import matplotlib.pyplot as plt

    rows = -(-len(spaces) // columns)
    shared = dict(squeeze=False, sharex=True, sharey=True)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, size * rows), **shared)
    for ax in axes.flat[len(spaces) :]:
        ax.remove()
    for ax, (name, means) in zip(axes.flat, spaces.items(), strict=False):
        plot_space(means, labels, points=points, title=name, ax=ax)
    return figure


def plane_of(target):
    """The plane of a target's (N, K) leading principal components: latents (..., K) -> (..., 2).

    Linear and fitted on the target alone, so that panels drawn through it can be compared.
    """
    target = np.asarray(target, dtype=np.float64)
    centre = target.mean(0)
    directions = np.linalg.svd(target - centre, full_matrices=False)[2][:2]
    return lambda means: (np.asarray(means, dtype=np.float64) - centre) @ directions.T


def umap_of(target, *, seed: int = 0):
    """UMAP of a target space (N, K), as a function of latents (..., K) -> (..., 2).

    Fitted on the target alone, so that panels drawn through it can be compared: a map fitted on
    each panel would undo the very turns and shifts that the panels are to show.
    """
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the remarks of UMAP's own imports on widgets
        try:
            import umap
        except ImportError as error:
            raise ImportError('UMAP is missing: pip install "rvae_lite[umap]"') from error

    reducer = umap.UMAP(random_state=seed, n_jobs=1).fit(np.asarray(target, dtype=np.float32))
    torch.set_num_threads(threads)  # Numba, below UMAP, sets OpenMP's threads for PyTorch as well

    def window(means):
        means = np.asarray(means, dtype=np.float32)
        planes = reducer.transform(means.reshape(-1, means.shape[-1])).reshape(*means.shape[:-1], 2)
        torch.set_num_threads(threads)
        return planes

    return window


def window_of(target, *, seed: int = 0):
    """The window on a target space (N, K): UMAP of 1,000 latents or more, else `plane_of`.

    UMAP's first use in a process takes half a minute, whatever it draws.
    """
    return umap_of(target, seed=seed) if len(target) >= LARGE else plane_of(target)


def through(window, spaces: dict) -> dict:
    """Each space, name -> latents (N, K), through one window: name -> planes (N, 2)."""
    return dict(zip(spaces, window(np.stack(list(spaces.values()))), strict=True))


def _runs(table, metric: str, part: str):
    """Method and rows of each method's runs, in the order of the table."""
    chosen = table[(table.metric == metric) & (table.part == part)]
    return list(chosen.groupby("method", sort=False))


def plot_by_method(table, *, metric: str, part: str, label: str, log: bool = False, ax=None):
    """One metric of every run, a column per method: runs as dots, their median as a bar."""
    ax, random, names = _axes(ax), np.random.default_rng(0), []
    for position, (method, runs) in enumerate(_runs(table, metric, part)):
        values, colour = runs.value.to_numpy(), colour_of(method)
        jitter = position + random.uniform(-0.15, 0.15, len(values))
        ax.scatter(jitter, values, s=10, color=colour, alpha=0.45, linewidths=0)
        ends = (position - 0.3, position + 0.3)
        ax.hlines(np.median(values), *ends, color=colour, linewidth=2.5)
        names.append(method.replace(", ", ",\n"))
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set(ylabel=label, yscale="log" if log else "linear")
    return ax


def plot_over_points(frame, *, part: str, label: str, ax=None):
    """A relative metric over the number of points: the templates' median, lowest and highest."""
    ax, chosen = _axes(ax), frame[frame.part == part]
    groups = list(chosen.groupby("method", sort=False))
    for offset, (method, rows) in enumerate(groups):
        rows = rows.sort_values("num_points")
        x = rows.num_points * 1.04 ** (offset - len(groups) / 2)
        bars = np.stack([rows["median"] - rows.lowest, rows.highest - rows["median"]])
        style = dict(marker="o", markersize=4, color=colour_of(method), label=method)
        ax.errorbar(x, rows["median"], yerr=bars, **style)
    return _over_points(ax, chosen.num_points, ylabel=label)


def plot_runs_over_points(table, *, metric: str, part: str, label: str, ax=None):
    """One metric over the number of points: every run a dot, the median of each method a line."""
    ax, counts = _axes(ax), set()
    for method, runs in _runs(table, metric, part):
        colour = colour_of(method)
        ax.scatter(runs.num_points, runs.value, s=8, color=colour, alpha=0.35, linewidths=0)
        median = runs.groupby("num_points").value.median()
        ax.plot(median.index, median, color=colour, marker="o", markersize=4, label=method)
        counts |= set(median.index)
    return _over_points(ax, counts, ylabel=label, ylim=(0, None))


def _over_points(ax, counts, **options):
    """Label the axes of a figure over the number of Rosetta points."""
    counts = sorted(set(counts))
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.set(xlabel="number of Rosetta points", **options)
    ax.legend()
    return ax


def plot_groups(frame, *, label: str, ax=None):
    """A number per row and column of a frame: a group of bars a row, a colour a column."""
    ax = _axes(ax, (max(5, 0.6 * len(frame)), 2.7))
    width = 0.8 / len(frame.columns)
    for position, name in enumerate(frame.columns):
        x = np.arange(len(frame)) + width * (position - (len(frame.columns) - 1) / 2)
        ax.bar(x, frame[name], width, color=GROUPS[position % len(GROUPS)], label=name)
    names = [str(row).translate(str.maketrans("_/ ", "\n\n\n")) for row in frame.index]
    ax.set_xticks(range(len(frame)), names)
    ax.set(ylabel=label)
    ax.legend()
    return ax


def _draw_lines(ax, lines: dict, plain) -> None:
    """Draw name -> (x, y) as dots on a thin line, those named in `plain` as a plain line."""
    for name, (x, y) in lines.items():
        dots = dict(linewidth=0.8, marker="o", markersize=4)
        style = dict(linewidth=2) if name in plain else dots
        ax.plot(x, y, color=colour_of(name), label=name, **style)
    if len(lines) > 1:
        ax.legend()


def plot_rate_distortion(curves: dict, *, lines=(), betas=None, ax=None):
    """Distortion over rate, nats (Bae et al. 2023, Figures 1 and 4).

    Args:
        curves: name -> table or NamedTuple with rate and distortion (and beta), each (T,).
        lines: names of those drawn as a plain line; the others are dots on a thin line.
        betas: name of the curve whose dots are labelled by beta.
        ax: axes to draw on; by default new ones.
    """
    ax, drawn = _axes(ax, (4.2, 3)), {}
    for name, curve in curves.items():
        rate, distortion = np.asarray(curve.rate), np.asarray(curve.distortion)
        order = np.argsort(rate)
        drawn[name] = (rate[order], distortion[order])
        if name == betas:
            style = dict(xytext=(5, 4), textcoords="offset points", fontsize=8)
            for *place, beta in zip(rate, distortion, curve.beta, strict=True):
                ax.annotate(f"{beta:.2g}", place, **style)
    _draw_lines(ax, drawn, lines)
    ax.set(xlabel="rate in nats", ylabel="distortion in nats (lower is better)")
    return ax


def plot_tangents(curve, *, length: float, ax):
    """Through each point of a curve a segment of slope -beta; `length` is its share of the axes."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for rate, distortion, beta in zip(curve.rate, curve.distortion, curve.beta, strict=True):
        step = length / np.hypot(1 / (right - left), beta / (high - low)) / 2
        ends = np.array([-step, step])
        ax.plot(rate + ends, distortion - beta * ends, color=INK, linewidth=1.2)
    return ax


def plot_over_beta(curves: dict, *, label: str, lines=(), log: bool = False, ax=None):
    """A quantity over beta on a logarithmic axis: name -> (betas, values), each (T,)."""
    ax = _axes(ax, (4.2, 3))
    arrays = {name: (np.asarray(x), np.asarray(y)) for name, (x, y) in curves.items()}
    _draw_lines(ax, arrays, lines)
    ax.set(xlabel="beta", ylabel=label, xscale="log")
    if log:
        ax.set_yscale("log")
    return ax


def plot_water_filling(eigenvalues, level: float, *, latent_dim: int, ax=None):
    """Reverse water-filling: what lies below the water level beta * s2 is given up.

    Args:
        eigenvalues: variances of the principal components, descending.
        level: beta * s2, in the same squared units.
        latent_dim: K; components beyond it are given up whole.
        ax: axes to draw on; by default new ones.
    """
    ax, values = _axes(ax, (4.2, 3)), np.asarray(eigenvalues, dtype=np.float64)
    index = np.arange(1, len(values) + 1)
    lost = np.where(index <= latent_dim, np.minimum(values, level), values)
    ax.bar(index, lost, 0.8, color=INK, alpha=0.45, label="given up: distortion")
    kept = dict(color=colour_of("exact"), label="kept: rate")
    ax.bar(index, values - lost, 0.8, bottom=lost, **kept)
    ax.axhline(level, color=COLOURS["VAE"], linewidth=1.6, label="water level")
    ax.set(xlabel="principal component", ylabel="variance")
    return ax


def plot_images(images, *, columns: int = 16, size: float = 0.5, rows=None, cmap: str = "gray"):
    """A grid of images (N, 1 or 3, H, W) or (N, H, W), `rows` naming its rows; its figure."""
    import matplotlib.pyplot as plt

    images = np.asarray(images)
    if images.ndim == 4:
        images = images.transpose(0, 2, 3, 1) if images.shape[1] == 3 else images[:, 0]
    shape = (-(-len(images) // columns), columns)
    figure, axes = plt.subplots(*shape, figsize=(size * columns, size * shape[0]), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image in zip(axes.flat, images, strict=False):
        white = 255 if images.dtype == np.uint8 else 1
        ax.imshow(image, cmap=cmap, vmin=0, vmax=white, interpolation="none")
    for ax, name in zip(axes[:, 0], rows or [], strict=False):
        ax.text(-0.15, 0.5, name, transform=ax.transAxes, ha="right", va="center")
    return figure


def plot_spectrograms(images, *, columns: int = 16, size: float = 0.6, rows=None):
    """A grid of spectrograms (N, 1, F, T) as in `plot_images`, low frequencies at the bottom."""
    upright = np.asarray(images)[..., ::-1, :]
    return plot_images(upright, columns=columns, size=size, rows=rows, cmap="magma")
