"""Self-contained HTML pages: the comparison report and the look into a file, readable without a network.

Figures are inline SVG in the book's style, so that they follow the light or dark page around them.
"""

import base64
import html
import io

import numpy as np

from rvae_lite.lab.comparing import GROUP_MEASURES, MEASURES, Comparison, value_of, verdicts
from rvae_lite.reporting import figures as plots
from rvae_lite.reporting.tables import format_number

MOST_DOTS = 4000
LOWEST = 1e-6  # shares below it are drawn there
STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #5b636b; --line: #d9dde1; --page: #fff; --card: #f6f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --soft: #a2abb4; --line: #3a4149; --page: #14181c; --card: #1d2228; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.2rem clamp(.8rem, 3vw, 2rem) 3rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .4rem 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
p, li { max-width: 75ch; } .soft, figcaption, td small { color: var(--soft); } figcaption { font-size: .86rem; }
ul { padding-left: 1.2rem; } summary { cursor: pointer; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); }
figure { margin: 0; padding: .7rem; background: var(--card); border-radius: 8px; }
figure img { display: block; width: 100%; max-width: 520px; height: auto; margin: 0 auto .4rem; }
.scroll { overflow-x: auto; margin-top: 1rem; } table { border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: normal; }
th { font-weight: 600; } td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.long { overflow-wrap: anywhere; } td:first-child { min-width: 7.5rem; }
code { font-size: .9em; }
"""


def page(title: str, body: str) -> str:
    """A whole HTML page around `body`, which must be HTML already."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{icon()}'
    return f"""<!doctype html>
<html lang="en"><head>{head}<title>{html.escape(title)}</title><style>{STYLE}</style></head>
<body><h1>{html.escape(title)}</h1>
{body}
</body></html>
"""


def icon() -> str:
    """An empty icon, which keeps a browser from asking for one."""
    return '<link rel="icon" href="data:,">'


def figure(draw, caption: str, *, width: float = 4.2, height: float = 3.2) -> str:
    """An HTML figure; `draw(ax)` draws it in the book's style, `caption` is plain text and its description too."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        plots.use_style()
        matplotlib.rcParams["svg.hashsalt"] = "rvae_lite"
        canvas = Figure(figsize=(width, height), dpi=160)
        draw(canvas.subplots())
        file = io.BytesIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    code = base64.b64encode(file.getvalue()).decode()
    text = html.escape(caption)
    image = f'<img alt="{text}" src="data:image/svg+xml;base64,{code}">'
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def table(rows: list, columns: list[str], *, numbers: bool = True) -> str:
    """An HTML table; cells are plain text, those of the second column on are set as numbers, or else may break."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_cell_class(i, cell, numbers)}>{html.escape(str(cell))}</td>"
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell_class(column: int, cell, numbers: bool) -> str:
    if not column or (numbers and len(str(cell)) >= 40):
        return ""
    return " class=number" if numbers else " class=long"


def grid(figures: list[str]) -> str:
    """Figures side by side, as many as the page is wide for."""
    return f'<div class="grid">{"".join(figures)}</div>'


def comparison_page(
    comparison: Comparison,
    *,
    title: str = "Latent spaces compared",
    notes: list | None = None,
    over_beta: dict | None = None,
) -> str:
    """The report on a comparison as one HTML page without outside parts.

    Args:
        comparison: as from `compare_spaces`.
        title: of the page.
        notes: sentences on where the spaces come from.
        over_beta: name -> (betas, distances), as by `spaces.distances_over_beta`, where multi-rate models are compared.
    """
    names = list(comparison.spaces)
    num_data = len(comparison.spaces[names[0]])
    said = "".join(
        f"<li><b>{html.escape(name)}</b>: {html.escape(text)}.</li>"
        for name, text in verdicts(comparison).items()
    )
    dims = ", ".join(f"{name} K = {means.shape[1]}" for name, means in comparison.spaces.items())
    lead = f"{len(names)} spaces of {num_data:,} examples ({dims}); the reference is {names[0]}."
    parts = [
        f'<p class="soft">{html.escape(lead)}</p><ul>{said}</ul>',
        "<h2>The maps</h2>" + grid(_planes(comparison)),
        "<h2>How far, how alike</h2>"
        + grid(_measures(comparison, over_beta or {}))
        + _reference_table(comparison),
        "<h2>Where the spaces disagree</h2>"
        + grid(_instability(comparison))
        + _group_table(comparison),
        _every_pair(comparison),
        "<h2>How it was computed</h2>"
        + "<ul>"
        + "".join(f"<li>{html.escape(note)}.</li>" for note in [*(notes or []), *comparison.notes])
        + "</ul>",
    ]
    return page(title, "\n".join(parts))


def _shown(num_data: int) -> np.ndarray:
    """Rows that are drawn: all, or some at random."""
    if num_data <= MOST_DOTS:
        return np.arange(num_data)
    return np.sort(np.random.default_rng(0).permutation(num_data)[:MOST_DOTS])


def _plane(means: np.ndarray):
    """The plane in which a space is shown: (window, name)."""
    if means.shape[1] == 2:
        return (lambda latents: latents), "its two dimensions"
    if means.shape[1] == 1:
        return (
            lambda latents: np.column_stack([latents[:, 0], 0 * latents[:, 0]])
        ), "its one dimension"
    return plots.plane_of(means), "its two leading principal components"


def _planes(comparison: Comparison) -> list[str]:
    names, rows = list(comparison.spaces), None
    reference = comparison.spaces[names[0]]
    rows = _shown(len(reference))
    window, what = _plane(reference)
    plane = window(reference)
    turn = np.arctan2(*(plane - np.median(plane, 0)).T[::-1]) / (2 * np.pi)
    same = all(means.shape == reference.shape for means in comparison.spaces.values())
    shown = {
        name: (window if same else _plane(means)[0])(means)
        for name, means in comparison.spaces.items()
    }
    if same:
        shown |= {
            f"{name}, by the file's own map,": window(means)
            for name, means in comparison.known.items()
        }
    limits = np.concatenate(list(shown.values())) if same else None
    figures = []
    for name, points in shown.items():

        def draw(ax, points=points):
            plots.plot_space(points[rows], turn[rows], ax=ax)
            for corner in ax.collections:
                corner.set_sizes([7])
            if same:
                _keep_to(ax, limits)

        where = (
            f"the plane of {names[0]}, {what}" if same else "a plane of its own, since K differs"
        )
        caption = f"{name} in {where}; one colour is one direction from the centre in {names[0]}."
        figures.append(figure(draw, caption, height=3.6))
    return figures


def _keep_to(ax, points: np.ndarray) -> None:
    low, high = points.min(0), points.max(0)
    margin = 0.04 * max(*(high - low), 1e-9)
    ax.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))


def _measures(comparison: Comparison, over_beta: dict) -> list[str]:
    distances = "Distance to the reference (lower is better): as the spaces are, and after maps fitted on the anchors."
    similarities = (
        "Likeness to the reference (higher is better), blind to different choices of axes."
    )
    metrics = ["unaligned", *["known"] * bool(comparison.known), "procrustes", "affine"]
    figures = [
        figure(lambda ax: _dots(ax, comparison, metrics, log=True), distances),
        figure(
            lambda ax: _dots(ax, comparison, ("r_squared", "cka", "neighbours"), log=False),
            similarities,
        ),
    ]
    if over_beta:
        caption = "Distance to the reference read at the same beta, unaligned (lower is better)."
        figures.append(figure(lambda ax: _over_beta(ax, comparison, over_beta), caption))
    return figures


def _over_beta(ax, comparison: Comparison, over_beta: dict) -> None:
    _, *others = comparison.spaces
    for name, (betas, shares) in over_beta.items():
        colour = _colour(others.index(name))
        ax.plot(
            betas,
            np.maximum(shares, LOWEST),
            "o-",
            color=colour,
            markersize=5,
            linewidth=1.2,
            label=name,
        )
    ax.set(xlabel="beta", ylabel="share of the reference's variance")
    _on_a_log_axis(ax)
    _on_a_log_axis(ax, "y")
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8)


def _colour(position: int) -> str:
    return plots.GROUPS[1 + position % (len(plots.GROUPS) - 1)]


def _dots(ax, comparison: Comparison, metrics, *, log: bool) -> None:
    reference, *others = comparison.spaces
    pairs = comparison.pairs
    pairs = pairs[(pairs.target == reference) & pairs.metric.isin(metrics)].copy()
    if log:
        pairs[["value", "low", "high"]] = pairs[["value", "low", "high"]].clip(lower=LOWEST)
    for position, name in enumerate(others):
        rows = pairs[pairs.source == name].set_index("metric").reindex(list(metrics))
        places = np.arange(len(metrics)) + 0.6 * ((position + 0.5) / len(others) - 0.5)
        colour = _colour(position)
        low, high = rows.low.fillna(rows.value), rows.high.fillna(rows.value)
        ax.hlines(places, low, high, color=colour, linewidth=2.5, alpha=0.5)
        ax.plot(rows.value, places, "o", color=colour, markersize=6, label=name)
    names = [MEASURES[metric][0].replace(", ", ",\n") for metric in metrics]
    ax.set_yticks(range(len(metrics)), names)
    ax.invert_yaxis()
    ax.set_xlabel("share of the reference's variance" if log else "0 to 1")
    if log and pairs.value.notna().any():
        _on_a_log_axis(ax)
    elif not log:
        ax.set_xlim(min(0.0, ax.get_xlim()[0]), 1.03)
    ax.grid(axis="x", alpha=0.25)
    if len(others) > 1:
        ax.legend(fontsize=8)


def _on_a_log_axis(ax, which: str = "x") -> None:
    """A decade at least, with few and plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    getattr(ax, f"set_{which}scale")("log")
    low, high = getattr(ax, f"get_{which}lim")()
    spread = max((10 / (high / low)) ** 0.5, 1.0)
    low, high = low / spread, high * spread
    getattr(ax, f"set_{which}lim")(low, high)
    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1.0, 3.0) if high / low < 1e3 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _cell(row) -> str:
    if not np.isfinite(row.value):
        return "—"
    return (
        f"{_digits(row.value)} [{_digits(row.low)}, {_digits(row.high)}]"
        if np.isfinite(row.low)
        else _digits(row.value)
    )


def _digits(value: float) -> str:
    if value and np.isfinite(value) and abs(value) < 0.005:
        return f"{value:.1e}".replace("-", "−")
    return format_number(value, digits=2 if abs(value) >= 1 else 3)


def _reference_table(comparison: Comparison) -> str:
    reference, *others = comparison.spaces
    pairs = comparison.pairs[comparison.pairs.target == reference]
    rows = []
    for metric, (name, unit, better) in MEASURES.items():
        found = [pairs[(pairs.source == other) & (pairs.metric == metric)] for other in others]
        if any(map(len, found)):
            cells = [_cell(row.iloc[0]) if len(row) else "—" for row in found]
            rows.append([name, *cells, f"{unit}; {better} is better"])
    columns = [f"against {reference}", *others, "unit"]
    return f"<p>Value and 95 % interval.</p>{table(rows, columns)}"


def _instability(comparison: Comparison) -> list[str]:
    means = next(iter(comparison.spaces.values()))
    window, rows = _plane(means)[0], _shown(len(means))
    plane = window(means)[rows]
    top = max(float(np.quantile(values, 0.99)) for values in comparison.instability.values())
    figures = []
    for name, values in comparison.instability.items():

        def draw(ax, values=values):
            order = np.argsort(values[rows])
            dots = ax.scatter(
                *plane[order].T,
                c=values[rows][order],
                s=7,
                cmap=plots.warmth(),
                vmin=0,
                vmax=max(top, 1e-6),
                rasterized=True,
            )
            ax.set(aspect="equal", xticks=[], yticks=[])
            ax.figure.colorbar(dots, ax=ax, label="standard deviation / total (lower is better)")

        caption = (
            f"Instability of each example, {name}: how much its place varies from space to space."
        )
        figures.append(figure(draw, caption, height=3.4))
    return figures


def _group_table(comparison: Comparison) -> str:
    if comparison.group.empty:
        return "<p>Retraining variability is not defined between spaces of different K.</p>"
    rows = []
    for row in comparison.group.itertuples():
        name, unit, better = GROUP_MEASURES[row.metric]
        rows.append([name, _cell(row), f"{unit}; {better} is better"])
    rank = int(comparison.group["rank"].iloc[0])
    return table(rows, [f"all {len(comparison.spaces)} spaces (rank {rank})", "value", "unit"])


def _every_pair(comparison: Comparison) -> str:
    names = list(comparison.spaces)
    if len(names) < 3:
        return ""
    figures = [
        figure(
            lambda ax, m=m: _heat(ax, comparison, m),
            f"{MEASURES[m][0]}: row as source, column as target ({better}).",
        )
        for m, better in (("unaligned", "lower is better"), ("r_squared", "higher is better"))
    ]
    rows = [
        [f"{r.source} to {r.target}", MEASURES[r.metric][0], _cell(r)]
        for r in comparison.pairs.itertuples()
    ]
    listed = table(rows, ["pair", "measure", "value"])
    return f"<h2>Every pair</h2>{grid(figures)}<details><summary>All numbers</summary>{listed}</details>"


def _heat(ax, comparison: Comparison, metric: str) -> None:
    names = list(comparison.spaces)
    values = np.array(
        [[np.nan if a == b else value_of(comparison, a, b, metric) for b in names] for a in names]
    )
    ax.imshow(
        values, cmap="viridis", vmin=0, vmax=max(1.0, np.nanmax(values, initial=0.0)), aspect="auto"
    )
    for (i, j), value in np.ndenumerate(values):
        bright = value > 0.6 * max(1.0, np.nanmax(values, initial=0.0))
        text, colour = (
            ("—", plots.INK) if np.isnan(value) else (_digits(value), "k" if bright else "w")
        )
        ax.text(j, i, text, ha="center", va="center", color=colour)
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), names)
