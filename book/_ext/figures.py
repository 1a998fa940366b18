"""Figures for every screen: one picture of a notebook becomes four, by width and by theme.

A notebook's SVG holds its drawing for narrow screens (rvae_lite/reporting/screens.py), in ink that
reads on white; a picture of pixels has no such drawing and gets a dark copy alone.
A figure's alternative text is the first sentence of its caption.
"""

import re
from pathlib import Path

import numpy as np
from docutils import nodes
from PIL import Image, ImageColor
from sphinx.util import logging

from rvae_lite.reporting.screens import HIDDEN, INK, LIGHT_INK

NAME = r"[0-9a-f]{64}"
OURS = re.compile(rf'<img [^>]*?src="([^"]*_images/{NAME})\.(svg|png)"[^>]*>')
SENTENCE = re.compile(r".*?[.!?](?=\s|$)", flags=re.DOTALL)

logger = logging.getLogger(__name__)


def describe(app, doctree, docname) -> None:
    """Give each figure of a notebook its alternative text, and name those without a caption."""
    for image in doctree.findall(nodes.image):
        if not re.search(rf"{NAME}\.(svg|png)$", image["uri"]):
            continue
        figure = image.parent
        while figure is not None and not isinstance(figure, nodes.figure):
            figure = figure.parent
        if figure is None:
            logger.warning("a figure without a caption", location=image)
            continue
        caption = next(figure.findall(nodes.caption)).astext()
        image["alt"] = SENTENCE.match(caption + ".").group().replace("\n", " ")


def picture(found: re.Match) -> str:
    """An <img> as two <picture>s, of which a page shows one."""
    image, (address, kind) = found.group(), found.groups()
    image = image.replace("<img ", '<img loading="lazy" ')
    source = '<source media="(max-width: 600px)" srcset="{}-narrow.svg">' if kind == "svg" else ""
    dark = image.replace(address, f"{address}-dark")
    return (
        f'<picture class="on-light">{source.format(address)}{image}</picture>'
        f'<picture class="on-dark">{source.format(address + "-dark")}{dark}</picture>'
    )


def choose(app, pagename, templatename, context, doctree) -> None:
    """Let a page choose among the four drawings of each of its figures."""
    if "body" in context:
        context["body"] = OURS.sub(picture, context["body"])


def drawings(svg: str) -> tuple[str, str]:
    """The wide and the narrow drawing that an SVG holds; the same one twice where it is small."""
    start = svg.find(HIDDEN)
    if start < 0:
        return svg, svg
    end = svg.index("</svg></defs>", start)
    narrow = svg[start + len(HIDDEN) : end] + "</svg>"
    return svg[:start] + svg[end + len("</svg></defs>") :], narrow


def write(app, error) -> None:
    """Write the drawings of each figure beside it."""
    if error:
        return
    for path in Path(app.outdir, "_images").glob("*.*"):
        if not re.fullmatch(NAME, path.stem):
            continue
        done = path.with_name(f"{path.stem}-dark{path.suffix}").exists()  # names tell contents
        if path.suffix == ".png":
            if not done:
                in_light_ink(Image.open(path)).save(path.with_name(f"{path.stem}-dark.png"))
            continue
        text = path.read_text()
        if done and HIDDEN not in text:
            continue  # of a page that did not change: taken apart before
        for ending, svg in zip(("", "-narrow"), drawings(text), strict=True):
            path.with_name(f"{path.stem}{ending}.svg").write_text(svg)
            dark = svg.replace(INK, LIGHT_INK)
            path.with_name(f"{path.stem}-dark{ending}.svg").write_text(dark)


def in_light_ink(image: Image.Image) -> Image.Image:
    """A picture of pixels with a transparent ground, its ink exchanged."""
    pixels = np.array(image.convert("RGBA"))
    inked = (pixels[..., :3] == ImageColor.getrgb(INK)).all(-1)
    pixels[inked, :3] = ImageColor.getrgb(LIGHT_INK)
    return Image.fromarray(pixels)


def setup(app) -> dict:
    app.connect("doctree-resolved", describe)
    app.connect("html-page-context", choose)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
