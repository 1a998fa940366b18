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
