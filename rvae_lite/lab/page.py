"""Figures of self-contained HTML pages: inline SVG in the book's style.

They follow the light or dark page around them, and need no network.
"""

import base64
import io
from typing import NamedTuple

import numpy as np

from rvae_lite.reporting import figures


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
        matplotlib.rcParams["svg.hashsalt"] = "rvae_lite"
        canvas = Figure(figsize=(4.2, height), dpi=160)
        draw(canvas.subplots())
        file = io.BytesIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(base64.b64encode(file.getvalue()).decode(), caption)


def latent_plane(latents: np.ndarray):
    """How latents (..., K) of one space are drawn: a function to (..., 2), and what it shows."""
    num_latents = latents.shape[-1]
    if num_latents == 1:
        return (lambda z: np.concatenate([z, 0 * z], -1)), "its one dimension"
    if num_latents == 2:
        return (lambda z: z), "its two dimensions"
    return figures.plane_of(latents), "its two leading principal components"
