"""Draw what is in a file: the points of a Rosetta file, the losses of a saved Fit.

Letters: R Rosetta points, K latent dimension, J betas of curves, M replicas.
"""

import textwrap
from functools import partial
from pathlib import Path

import numpy as np

from rvae_lite.arrays import in_units
from rvae_lite.lab.inspecting import Opened, describe, short
from rvae_lite.lab.outputs import rendered
from rvae_lite.lab.page import latent_plane, picture
from rvae_lite.lab.reading import COLOURS
from rvae_lite.publishing import write_atomically
from rvae_lite.reporting import figures
from rvae_lite.rosetta import RosettaPoints

MOST_POINTS = 64
MOST_RECONSTRUCTED, RECONSTRUCTED_AT = 6, 5  # points and betas that are drawn
MOST_LATENTS = 8


def render(file: Opened, out) -> None:
    """Draw what is in a file as .png or as an .html page.

    Of Rosetta points the inputs and latents, of curves the latents over beta and reconstructions;
    of a Fit the loss.

    Raises:
        ValueError: `out` ends otherwise.
    """
    out = Path(out)
    if out.suffix.lower() not in (".png", ".html"):
        raise ValueError(f"{out} must end in .png or .html: rename it")
    panels = _fit_panels(file.arrays["terms"]) if file.points is None else _panels(file.points)
    if out.suffix.lower() == ".png":
        write_atomically(out, partial(_draw_png, panels))
        return
    described = describe(file)
    page = rendered(
        "inspection.html.j2",
        title=described["file"],
        kind=described["kind"],
        figures=[picture(draw, caption, height=3.8) for caption, draw in panels],
        entries={name.replace("_", " "): short(value) for name, value in described.items()},
    )
    write_atomically(out, lambda file: file.write(page.encode()))


def _draw_png(panels: list, file) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        figures.use_style()
        rows = -(-len(panels) // 2)
        canvas = Figure(figsize=(9.2, 4.2 * rows), dpi=130, facecolor="white", layout="constrained")
        axes = canvas.subplots(rows, 2, squeeze=False).ravel()
        for ax, (caption, draw) in zip(axes, panels, strict=False):
            draw(ax)
            ax.set_title("\n".join(textwrap.wrap(caption, 60)), fontsize=9)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        canvas.savefig(file, format="png", facecolor="white")


def _panels(points: RosettaPoints) -> list:
    """Pairs of a caption and a function that draws."""
    count, num_latents = min(len(points), MOST_POINTS), points.z.shape[-1]
    some = f"the first {count} of {len(points)}" if count < len(points) else f"all {count}"
    decoded = (points.header.get("share") or {}).get("inputs") == "decoded"
    what = "decoded inputs" if decoded else "inputs"
    images = _are_images(points.x)
    caption = f"The points' {what}{'' if images else ' as rows'}, {some}."
    panels = [(caption, partial(_draw_mosaic if images else _draw_rows, x=points.x[:count]))]
    plane = f"K = {num_latents}" + ", two leading principal components" * (num_latents > 2)
    draw_latents = partial(_draw_latents, points=points)
    if points.betas is None:
        return [*panels, (f"Their latents, {plane}, each with its number.", draw_latents)]
    span = "beta {:g} to {:g}".format(*points.header["beta_range"])
    panels.append((f"Their latents as curves over {span}, {plane}.", draw_latents))
    caption = "How much of each latent is left as beta grows."
    panels.append((caption, partial(_draw_spread, points=points)))
    if points.recon is not None:
        caption = "What their maker's decoder makes of them: a row a point, its input and then"
        panels.append((f"{caption} {span}.", partial(_draw_reconstructions, points=points)))
    return panels


def _are_images(x: np.ndarray) -> bool:
    return x.ndim == 4 and x.shape[1] in COLOURS


def _draw_mosaic(ax, x: np.ndarray, columns: int | None = None) -> int:
    """Images (R, C, H, W) as one picture, by default a square one; returns a column's width."""
    columns = columns or int(np.ceil(np.sqrt(len(x))))
    low = min(0.0, float(x.min()))
    top = 255 if x.dtype == np.uint8 else max(1.0, float(x.max()))
    shades = (x.astype(np.float32) - low) / (top - low)
    gap, missing = max(1, x.shape[-1] // 16), -len(x) % columns
    padding = ((0, missing), (0, 0), (0, gap), (0, gap))
    shades = np.pad(shades, padding, constant_values=0.5)
    colours, height, width = shades.shape[1:]
    rows = shades.reshape(-1, columns, colours, height, width)
    rows = rows.transpose(0, 3, 1, 4, 2)  # (rows, H, columns, W, C)
    picture = rows.reshape(-1, columns * width, colours)[:-gap, :-gap]
    picture = picture[..., 0] if colours == 1 else picture
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    return width


def _draw_rows(ax, x: np.ndarray) -> None:
    image = ax.imshow(x.reshape(len(x), -1), aspect="auto", cmap="viridis", interpolation="nearest")
    ax.set(xlabel="number", ylabel="point")
    ax.figure.colorbar(image, ax=ax, label="value")


def _draw_latents(ax, points: RosettaPoints) -> None:
    """Where the points lie, each with its number; of curves how they run, numbered at the start."""
    first = points.z if points.betas is None else points.z[0]
    window, _ = latent_plane(first)
    if points.betas is None:
        ax.scatter(*window(first).T, s=10, color=figures.GROUPS[1])
    else:
        plane = window(points.z)  # (J, R, 2)
        ax.plot(plane[..., 0], plane[..., 1], color=figures.INK, linewidth=0.7, alpha=0.6)
        colours = dict(c=np.repeat(points.betas, len(points)), cmap=figures.warmth(), norm="log")
        dots = ax.scatter(*plane.reshape(-1, 2).T, s=9, zorder=3, **colours)
        ax.figure.colorbar(dots, ax=ax, label="beta")
    style = dict(fontsize=7, color=figures.INK, xytext=(2, 2), textcoords="offset points")
    for number, place in enumerate(window(first)[:MOST_POINTS]):
        ax.annotate(str(number), place, **style)
    ax.set(aspect="equal", xlabel="first", ylabel="second")


def _draw_spread(ax, points: RosettaPoints) -> None:
    """Standard deviations, at every beta, along the principal axes of the lowest one."""
    z = points.z.astype(np.float64)
    axes = np.linalg.svd(z[0] - z[0].mean(0), full_matrices=False)[2][:MOST_LATENTS]
    spread = (z @ axes.T).std(1)  # (J, K)
    ax.plot(points.betas, spread, "o-", markersize=3, linewidth=1, color=figures.GROUPS[1])
    ax.set(xlabel="beta", ylabel="standard deviation over the points", xscale="log", ylim=(0, None))


def _draw_reconstructions(ax, points: RosettaPoints) -> None:
    betas = np.geomspace(points.betas[0], points.betas[-1], RECONSTRUCTED_AT)
    rows = slice(0, MOST_RECONSTRUCTED)
    columns = [in_units(points.x)[rows], *(points.recon_at(beta)[rows] for beta in betas)]
    shown = np.stack(columns, 1)  # (points, columns, *data)
    if _are_images(points.x):
        images = shown.reshape(-1, *points.x.shape[1:])
        width = _draw_mosaic(ax, images, columns=len(columns))
    else:
        flat = shown.reshape(*shown.shape[:2], -1)
        padding = ((0, 0), (0, 0), (0, max(1, flat.shape[-1] // 10)))
        flat = np.pad(flat, padding, constant_values=np.nan)
        _draw_rows(ax, flat)
        width = flat.shape[-1]
    centres = width * (np.arange(len(columns)) + 0.5) - 1
    ax.set_axis_on()
    ax.set_xticks(centres, ["input", *(f"{beta:.2g}" for beta in betas)])
    ax.set(yticks=[], xlabel="beta", ylabel="")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _fit_panels(terms: dict) -> list:
    """Distortion and rate over the epochs."""
    told = " over the epochs, a line a replica."
    label = "distortion in nats (lower is better)"
    distortion = partial(_draw_over_epochs, values=terms["distortion"], label=label)
    rate = partial(_draw_over_epochs, values=terms["rate"], label="rate in nats")
    return [("Distortion" + told, distortion), ("Rate" + told, rate)]


def _draw_over_epochs(ax, *, values: np.ndarray, label: str) -> None:
    epochs = np.arange(1, len(values) + 1)
    ax.plot(epochs, values, color=figures.GROUPS[1], linewidth=1.2)
    ax.set(xlabel="epoch", ylabel=label)
