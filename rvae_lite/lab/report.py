"""The report on a comparison of latent spaces: maps, distances and tables as one HTML page."""

from functools import partial
from itertools import product

import numpy as np

from rvae_lite.lab.claiming import bounds, claims
from rvae_lite.lab.comparing import GROUP_MEASURES, MEASURES, Comparison, value_of, verdicts
from rvae_lite.lab.exploring import WHEEL, Examples, direction, drawn_rows, explorable
from rvae_lite.lab.outputs import rendered
from rvae_lite.lab.page import Picture, dots, latent_plane, picture
from rvae_lite.reporting import figures
from rvae_lite.reporting.tables import format_number

MOST_STATIC = 9  # spaces that are drawn without a script
LONGEST = 24  # characters of a name in a figure
LOWEST = 1e-6  # shares below it are drawn there


def comparison_page(
    comparison: Comparison,
    *,
    title: str = "Latent spaces compared",
    notes: list | None = None,
    over_beta: dict | None = None,
    examples: Examples | None = None,
) -> str:
    """The report on a comparison as one HTML page without outside parts.

    Args:
        comparison: as from `compare_spaces`.
        title: of the page.
        notes: sentences on where the spaces come from.
        over_beta: name -> (betas, distances), as by `spaces.distances_over_beta`, where multi-rate
            models are compared.
        examples: names, labels and pictures of the N data, as far as they are known.
    """
    (reference, *others), pairs = comparison.spaces, comparison.pairs
    explored = explorable(comparison, examples or Examples())
    keys = pairs[["source", "target", "metric"]].itertuples(index=False, name=None)
    return rendered(
        "comparison.html.j2",
        script="comparison.js",
        filters=dict(interval=_interval),
        title=title,
        spaces=comparison.spaces,
        reference=reference,
        verdicts=verdicts(comparison),
        claims={name: claims(comparison, name) for name in others},
        bounds=bounds(comparison),
        explored=explored,
        planes=_planes(comparison),
        distances=_distances(comparison, over_beta or {}),
        every_pair=_every_pair(comparison) if len(others) > 1 else [],
        measures=MEASURES | GROUP_MEASURES,
        measured=set(pairs[pairs.target == reference].metric),
        pairs=dict(zip(keys, pairs.itertuples(), strict=True)),
        group=list(comparison.group.itertuples()),
        notes=[*(notes or []), *comparison.notes],
    )


def as_result(comparison: Comparison, gathered, notes: list) -> dict:
    """The same for a program to read.  gathered: as from `gather_spaces`."""
    over_beta = {
        name: dict(beta=betas, unaligned=shares)
        for name, (betas, shares) in gathered.over_beta.items()
    }
    _, *others = comparison.spaces
    return dict(
        spaces=list(comparison.spaces),
        num_examples=len(gathered.rows),
        verdicts=verdicts(comparison),
        claims={name: [claim._asdict() for claim in claims(comparison, name)] for name in others},
        pairs=comparison.pairs.to_dict("records"),
        group=comparison.group.to_dict("records"),
        betas=gathered.betas,
        over_beta=over_beta,
        notes=[*notes, *comparison.notes],
    )


def _planes(comparison: Comparison) -> list[Picture]:
    """Each space in the reference's plane where K is the same, coloured by the reference."""
    rows, spaces = drawn_rows(comparison), list(comparison.spaces.items())[:MOST_STATIC]
    (reference, means), pictures = spaces[0], []
    window = latent_plane(means)[0]
    turn = np.rint(len(WHEEL) * direction(window(means))[rows]).astype(int) % len(WHEEL)
    same = [window(other) for _, other in spaces if other.shape == means.shape]
    for name, other in spaces:
        where, limits = f"the plane of {reference}", np.concatenate(same)
        plane = window(other) if other.shape == means.shape else None
        if plane is None:
            where, plane = "a plane of its own, since K differs", latent_plane(other)[0](other)
            limits = plane
        caption = f"{name} as it is, in {where}; a colour is a direction from the centre"
        caption += f" in {reference}."
        pictures.append(dots(plane[rows], turn, WHEEL, caption, window=limits))
    return pictures


def _distances(comparison: Comparison, over_beta: dict) -> list[Picture]:
    known = ["known"] if comparison.known else []
    fitted = ["procrustes", "similarity", "affine", "ridge", "smooth", "relative"]
    distances = dict(metrics=["unaligned", *known, *fitted], log=True)
    similarities = dict(metrics=["r_squared", "cka", "neighbours"], log=False)
    pictures = [
        picture(
            partial(_draw_dots, comparison=comparison, **distances),
            "Distance to the reference (lower is better): as the spaces are, and after maps fitted "
            "on the anchors.",
            height=4.6,
        ),
        picture(
            partial(_draw_dots, comparison=comparison, **similarities),
            "Likeness to the reference (higher is better), blind to different choices of axes; R² "
            "and CKA are of examples that were not fitted, and drawn at 0 where they are below.",
        ),
    ]
    if over_beta:
        draw = partial(_draw_over_beta, comparison=comparison, over_beta=over_beta)
        caption = "Distance to the reference read at the same beta, unaligned (lower is better)."
        pictures.append(picture(draw, caption))
    return pictures


def _draw_over_beta(ax, *, comparison: Comparison, over_beta: dict) -> None:
    _, *others = comparison.spaces
    for name, (betas, shares) in over_beta.items():
        colour, shares = _colour(others.index(name)), np.maximum(shares, LOWEST)
        ax.plot(betas, shares, "o-", color=colour, markersize=5, linewidth=1.2, label=_label(name))
    ax.set(xlabel="beta", ylabel="share of the reference's variance")
    _on_a_log_axis(ax, "x")
    _on_a_log_axis(ax, "y")
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8)


def _label(name: str) -> str:
    """A name short enough for a figure, whose dollars are no formulas."""
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    return short.replace("$", r"\$")


def _colour(position: int) -> str:
    return figures.GROUPS[1 + position % (len(figures.GROUPS) - 1)]


def _draw_dots(ax, *, comparison: Comparison, metrics: list, log: bool) -> None:
    """Values to the reference and their intervals, a line a metric, a colour a space."""
    reference, *others = comparison.spaces
    pairs = comparison.pairs
    pairs = pairs[(pairs.target == reference) & pairs.metric.isin(metrics)].copy()
    columns = ["value", "low", "high"]
    pairs[columns] = pairs[columns].clip(lower=LOWEST if log else 0.0)
    for position, name in enumerate(others):
        rows = pairs[pairs.source == name].set_index("metric").reindex(metrics)
        places = np.arange(len(metrics)) + 0.6 * ((position + 0.5) / len(others) - 0.5)
        colour = _colour(position)
        low, high = rows.low.fillna(rows.value), rows.high.fillna(rows.value)
        ax.hlines(places, low, high, color=colour, linewidth=2.5, alpha=0.5)
        ax.plot(rows.value, places, "o", color=colour, markersize=6, label=_label(name))
    names = [MEASURES[metric].name.replace(", ", ",\n") for metric in metrics]
    ax.set_yticks(range(len(metrics)), names)
    ax.invert_yaxis()
    ax.set_xlabel("share of the reference's variance" if log else "0 to 1")
    if log and pairs.value.notna().any():
        _on_a_log_axis(ax, "x")
    elif not log:
        ax.set_xlim(-0.03, 1.03)
    ax.grid(axis="x", alpha=0.25)
    if len(others) > 1:
        ax.legend(fontsize=8)


def _on_a_log_axis(ax, which: str) -> None:
    """A decade at least, with few and plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set(**{f"{which}scale": "log"})
    axis = getattr(ax, f"{which}axis")
    low, high = axis.get_view_interval()
    spread = max((10 / (high / low)) ** 0.5, 1.0)
    low, high = low / spread, high * spread
    ax.set(**{f"{which}lim": (low, high)})
    axis.set_major_locator(LogLocator(subs=(1.0, 3.0) if high / low < 1e3 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _interval(row) -> str:
    if row is None or not np.isfinite(row.value):
        return "—"
    interval = f" [{_digits(row.low)}, {_digits(row.high)}]" if np.isfinite(row.low) else ""
    return _digits(row.value) + interval


def _digits(value: float) -> str:
    if value and np.isfinite(value) and abs(value) < 0.005:
        return f"{value:.1e}".replace("-", "−")
    return format_number(value, digits=2 if abs(value) >= 1 else 3)


def _every_pair(comparison: Comparison) -> list[Picture]:
    pictures = []
    for metric in ("unaligned", "r_squared"):
        name, _, better = MEASURES[metric]
        caption = f"{name}: row as source, column as target ({better} is better)."
        pictures.append(picture(partial(_draw_heat, comparison=comparison, metric=metric), caption))
    return pictures


def _draw_heat(ax, *, comparison: Comparison, metric: str) -> None:
    names = list(comparison.spaces)
    values = np.full((len(names), len(names)), np.nan)
    for (i, source), (j, target) in product(enumerate(names), repeat=2):
        values[i, j] = value_of(comparison, source, target, metric)
    top = max(1.0, np.nanmax(values, initial=0.0))
    ax.imshow(values, cmap="viridis", vmin=0, vmax=top, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        text, colour = _digits(value), "k" if value > 0.6 * top else "w"
        if np.isnan(value):
            text, colour = "—", figures.INK
        ax.text(j, i, text, ha="center", va="center", color=colour)
    labels = list(map(_label, names))
    ax.set_xticks(range(len(names)), labels, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), labels)
