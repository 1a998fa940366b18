"""Figures of self-contained HTML pages: inline SVG in the book's style.

They follow the light or dark page around them, and need no network.
"""

import base64
from typing import NamedTuple

import numpy as np

from rvae_lite.reporting import figures, screens


class Picture(NamedTuple):
    """A drawn figure as base64 of its SVG, and what it shows."""

    svg: str
    caption: str


def picture(draw, caption: str, *, height: float = 3.2) -> Picture:
    """A figure in the book's style, which `draw(ax)` draws; the caption is its description too."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        figures.use_style()
        canvas = Figure(figsize=(4.2, height))
        draw(canvas.subplots())
        svg = screens.in_two_inks(screens.drawing(canvas))
    return Picture(base64.b64encode(svg.encode()).decode(), caption)


def latent_plane(latents: np.ndarray):
    """How latents (..., K) of one space are drawn: a function to (..., 2), and what it shows."""
    num_latents = latents.shape[-1]
    if num_latents == 1:
        return (lambda z: np.concatenate([z, 0 * z], -1)), "its one dimension"
    if num_latents == 2:
        return (lambda z: z), "its two dimensions"
    return figures.plane_of(latents), "its two leading principal components"


def dots(plane: np.ndarray, shades: np.ndarray, colours: list, caption: str, *, window) -> Picture:
    """Dots (N, 2) as a small SVG: shades say which of the colours each has, (N,).

    window: places (M, 2) that the picture is as wide as.
    """
    low, high = np.min(window, 0), np.max(window, 0)
    scale = 560 / max(*(high - low), 1e-9)
    places = np.rint(300 + scale * (plane - (low + high) / 2) * [1, -1]).astype(int)
    paths = []
    for number, colour in enumerate(colours):
        drawn = "".join(f"M{x} {y}h0" for x, y in places[shades == number].tolist())
        paths.append(f'<path d="{drawn}" stroke="{colour}"/>')
    style = 'fill="none" stroke-width="8" stroke-linecap="round" stroke-opacity=".7"'
    space = 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 600"'
    svg = f"<svg {space} {style}>{''.join(paths)}</svg>"
    return Picture(base64.b64encode(svg.encode()).decode(), caption)
