"""A figure as SVG for every screen: a drawing for a page, and inside it one for a telephone.

The drawing for narrow screens has fewer panels side by side and letters of the same size.  It lies
hidden in the SVG's first element; the book's pages take it out (book/_ext/figures.py).
"""

import base64
import io
import re
import sys
from contextlib import contextmanager

INK = "#4a5058"  # letters and axes on a light page
LIGHT_INK = "#ced3da"  # and on a dark one
NARROW = 3.5  # inches: as wide as a telephone's page, so that letters of 9 points have 12 pixels
DPI = 160  # of what is drawn as pixels: clouds of dots
MANY = 300  # marks of one kind: more of them are drawn as pixels
HIDDEN = '<defs id="narrow">'


def use_svg() -> None:
    """Let a notebook show matplotlib's figures as SVG for every screen; no effect elsewhere."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    if not shell:
        return
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    plt.switch_backend(plt.get_backend())  # it sets its own formats, once
    formatters = shell.display_formatter.formatters
    for kind in ("image/png", "image/jpeg"):
        formatters[kind].pop(Figure, None)
    formatters["image/svg+xml"].for_type(Figure, svg)


def svg(figure) -> str:
    """The figure as one SVG that holds its narrow drawing too, where it is wider than that."""
    wide = drawing(figure)
    if figure.get_figwidth() <= NARROW:
        return wide
    with narrowed(figure):
        narrow = drawing(figure)
    start = wide.index(">", wide.index("<svg")) + 1
    inner = narrow[narrow.index("<svg") :].strip()
    return f"{wide[:start]}{HIDDEN}{inner}</defs>{wide[start:]}"


def in_two_inks(svg: str) -> str:
    """An SVG whose letters and axes follow the reader's choice of light or dark pages."""
    inks = f"svg{{--ink:{INK}}}@media(prefers-color-scheme:dark){{svg{{--ink:{LIGHT_INK}}}}}"
    start = svg.index(">", svg.index("<svg")) + 1
    return f"{svg[:start]}<style>{inks}</style>{svg[start:].replace(INK, 'var(--ink)')}"


def drawing(figure) -> str:
    """The figure as an SVG; clouds of dots in it are pixels.  The same figure, the same letters."""
    import matplotlib

    _draw_clouds_as_pixels(figure)
    file = io.StringIO()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    with matplotlib.rc_context({"svg.hashsalt": "rvae_lite"}):
        figure.savefig(file, format="svg", dpi=DPI, bbox_inches="tight", metadata=nothing)
    return re.sub(r"(?<=data:image/png;base64,)[^\"]+", _fewer_colours, file.getvalue())


def _fewer_colours(found: re.Match) -> str:
    """A PNG in base64 as one of 256 colours, or of greys: a third of the size."""
    from PIL import Image

    image, file = Image.open(io.BytesIO(base64.b64decode(found.group()))), io.BytesIO()
    red, green, blue, alpha = image.convert("RGBA").split()
    if red == green == blue and alpha.getextrema() == (255, 255):
        image = red
    else:
        image = image.convert("RGBA").quantize(256, method=Image.Quantize.FASTOCTREE)
    image.save(file, format="png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _draw_clouds_as_pixels(figure) -> None:
    from matplotlib.collections import PathCollection, QuadMesh

    for ax in figure.axes:
        for artist in ax.collections:
            cloud = isinstance(artist, PathCollection) and len(artist.get_offsets()) > MANY
            if cloud or isinstance(artist, QuadMesh):
                artist.set_rasterized(True)


@contextmanager
def narrowed(figure):
    """Within it the figure is `NARROW` inches wide, its panels below each other."""
    size, undo = figure.get_size_inches().copy(), []
    try:
        _rearrange(figure, undo)
        yield figure
    finally:
        figure.set_size_inches(size)
        for function, *arguments in reversed(undo):
            function(*arguments)


def _rearrange(figure, undo: list) -> None:
    """Give the panels places in a grid of fewer columns; `undo` gets what takes that back."""
    width, height = figure.get_size_inches()
    panels = [ax for ax in figure.axes if ax.get_subplotspec() is not None]
    grids = {ax.get_subplotspec().get_gridspec() for ax in panels}
    spans = any(ax.get_subplotspec().num1 != ax.get_subplotspec().num2 for ax in panels)
    if len(grids) != 1 or spans:
        figure.set_size_inches(NARROW, height * NARROW / width)
        return
    rows, columns = grids.pop().get_geometry()
    folds = -(-columns // _columns(panels))
    across = -(-columns // folds)
    grid = figure.add_gridspec(rows * folds, across)
    places = {ax: divmod(ax.get_subplotspec().num1, columns) for ax in panels}
    labels = {row: ax.get_ylabel() for ax, (row, column) in places.items() if column == 0}
    for ax, (row, column) in places.items():
        undo.append((ax.set_subplotspec, ax.get_subplotspec()))
        ax.set_subplotspec(grid[row * folds + column // across, column % across])
        if across == 1:
            _label(ax, labels.get(row, ""), undo)
    scale = 1 if across == 1 else (NARROW / across) / (width / columns)
    figure.set_size_inches(NARROW, height * folds * scale)


def _columns(panels) -> int:
    """How many panels fit side by side: eight images, two planes without ticks, else one."""
    if not any(ax.axison for ax in panels):
        return 8 if any(ax.images for ax in panels) else 1
    ticks = any(len(ax.get_xticks()) or len(ax.get_yticks()) for ax in panels if ax.axison)
    return 1 if ticks else 2


def _label(ax, label: str, undo: list) -> None:
    """Give a panel its own numbers on the y axis, and the label that its row shares."""
    undo.append((ax.set_ylabel, ax.get_ylabel()))
    shown = ax.yaxis.get_tick_params().get("labelleft", True)
    undo.append((lambda: ax.tick_params(labelleft=shown),))
    ax.tick_params(labelleft=True)
    ax.set_ylabel(ax.get_ylabel() or label)
