"""What the page of a comparison needs for its maps: places, colours and pictures of examples.

It is one JSON value that comparison.js reads; arrays in it are float32 in base64.  Sound is not
shown: no reader of data keeps it.
Letters: N examples, K latent dimension, R anchors.
"""

import base64
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.alignment import total_variance
from rvae_lite.arrays import as_labels
from rvae_lite.coverage import distances_to_anchors
from rvae_lite.lab.claiming import distance_told
from rvae_lite.lab.comparing import Comparison
from rvae_lite.lab.page import latent_plane
from rvae_lite.lab.reading import COLOURS
from rvae_lite.publishing import expanded
from rvae_lite.readers.cells import read_lines
from rvae_lite.readers.limits import shown
from rvae_lite.readers.npy import read_npy
from rvae_lite.reporting import figures

MOST_DOTS = 2000
MOST_BYTES = 1_800_000  # of all places together
MOST_SHEET = 1_900_000  # and of all pictures
MOST_PIXELS = 2**22  # of all pictures together
FEW_PIXELS = 2**20  # and of pictures that are kept to the last bit
WIDEST = 96  # pixels of a picture's longer side
LONGEST = 200  # characters of a name
WHEEL = [figures.GROUPS[place] for place in (1, 3, 2, 4)]  # colours of directions, in a circle
MAPS = {
    "unaligned": "raw, as it is",
    "procrustes": "rotated",
    "affine": "affine",
    "known": "the file's own map",
    "similarity": "rotated and scaled",
    "ridge": "ridge affine",
    "smooth": "smooth",
    "relative": "cosines to anchors",
}


class Examples(NamedTuple):
    """What is known of the N examples beside their latents.

    ids: names, (N,), else their numbers.  labels: (N,), or None.  x: data, (N, *data), or None.
    anchors: inputs of the anchors, (R, *data), by default those of x.  pictures: whether x is
    shown, where it holds images.
    """

    ids: np.ndarray | None = None
    labels: np.ndarray | None = None
    x: np.ndarray | None = None
    anchors: np.ndarray | None = None
    pictures: bool = True

    def notes(self) -> list[str]:
        """A sentence where names and pictures of the data travel with a page."""
        if self.x is None or not self.pictures:
            return []
        inside = [] if all(str(name).isdigit() for name in self.ids) else ["names"]
        inside += ["pictures"] * _are_images(self.x)
        told = f"{' and '.join(inside)} of examples are in the report"
        return [f"{told}: --no-pictures leaves them out"] * bool(inside)


def read_labels(path) -> np.ndarray:
    """Labels of examples, (N,) text, from a .npy of numbers or text, or a text with one a line.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: more than one axis, objects, missing values, no text of UTF-8.
    """
    path = expanded(path)
    if path.suffix.lower() == ".npy":
        labels = read_npy(path)
    else:
        lines = read_lines(path)
        labels = np.array(lines[:-1] if not lines[-1] else lines)
    if labels.ndim != 1:
        found = f"an array of shape {labels.shape}"
        raise ValueError(f"{shown(path)} holds {found}: give one label an example, (N,)")
    return np.array([shown(label) for label in as_labels(shown(path), labels)])


def examples_of(read, spaces, *, points=None, labels=None, pictures: bool = True) -> Examples:
    """What a report shows of the examples that are compared.

    Args:
        read: the common data, as from `read_data`, or None.
        spaces: as from `gather_spaces`.
        points: Rosetta points whose inputs are the anchors.
        labels: one for each of the data, (N,); else the file's own, or the folders of its files.
        pictures: show names and pictures too.

    Raises:
        ValueError: not one label an example.
    """
    rows, x, ids = spaces.rows, None, None
    if labels is not None and len(labels) != spaces.num_data:
        found = f"{len(labels)} labels for {spaces.num_data} examples"
        raise ValueError(f"there are {found}: give one label an example, in their order")
    if read is not None:
        found = [labels, read.labels, _folders_of(read.ids) if pictures else None]
        labels = next((each for each in found if each is not None), None)
        ids, x = read.ids[rows], read.x[rows]
    labels = None if labels is None else labels[rows]
    anchors = None if points is None else points.x
    return Examples(ids if pictures else None, labels, x, anchors, pictures)


def _folders_of(ids) -> np.ndarray | None:
    """The folders that files lie in, (N,), where these look like labels."""
    folders = np.array([str(Path(name).parent) for name in ids])
    return folders if 2 <= len(set(folders)) <= len(folders) / 2 else None


def explorable(comparison: Comparison, examples: Examples) -> dict:
    """Everything that the maps of the page are drawn from, ready for JSON."""
    reference, *others = comparison.spaces
    means = comparison.spaces[reference]
    rows = drawn_rows(comparison)
    window, where = latent_plane(means)
    ids = np.arange(len(means)) if examples.ids is None else examples.ids
    anchors = [] if comparison.anchors is None else np.isin(rows, comparison.anchors)
    spread = comparison.instability["after affine maps"][rows] if len(others) > 1 else None
    return dict(
        reference=reference,
        where=where,
        total=len(means),
        ids=[str(name)[:LONGEST] for name in ids[rows]],
        anchors=np.flatnonzero(anchors).tolist(),
        turn=_packed(direction(window(means))[rows]),
        dots=_packed(window(means[rows])),
        marks=_packed(window(comparison.anchor_spaces[reference])),
        labels=None if examples.labels is None else _counted(examples.labels[rows]),
        covering=_covering(comparison, examples, rows),
        spread=None if spread is None else _packed(spread),
        spaces=[dict(name=name, maps=_maps(comparison, name, rows)) for name in others],
        maps=MAPS,
        palette=figures.GROUPS[1:],
        wheel=WHEEL,
        warm=_stops(figures.warmth()),
        sheet=sheet(examples.x[rows]) if examples.x is not None and examples.pictures else None,
    )


def drawn_rows(comparison: Comparison) -> np.ndarray:
    """Rows that are drawn: all, or 2,000 at random with the anchors, fewer for many spaces."""
    num_data, num_spaces = len(next(iter(comparison.spaces.values()))), len(comparison.spaces)
    each = 16 * len(MAPS) * (num_spaces - 1)  # bytes of an example
    most = min(MOST_DOTS, max(MOST_BYTES // each, 50))
    if num_data <= most:
        return np.arange(num_data)
    first = [] if comparison.anchors is None else comparison.anchors
    others = np.setdiff1d(np.arange(num_data), first)
    others = np.random.default_rng(0).permutation(others)
    return np.sort(np.concatenate([first, others])[:most].astype(int))


def direction(plane: np.ndarray) -> np.ndarray:
    """Of each place (N, 2) the direction from their median, as a share of a whole turn."""
    return np.arctan2(*(plane - np.median(plane, 0)).T[::-1]) / (2 * np.pi) % 1


def _maps(comparison: Comparison, name: str, rows: np.ndarray) -> dict:
    """One space after each map to the reference: metric -> places, anchors, how far, in words."""
    reference, target = next(iter(comparison.spaces.items()))
    size = np.sqrt(total_variance(target)) or 1.0
    maps = dict(unaligned=lambda z: z) | comparison.maps[name]
    pairs, found = comparison.pairs, {}
    pairs = pairs[(pairs.source == name) & (pairs.target == reference)]
    told = {row.metric: row for row in pairs.itertuples()}
    for metric in (metric for metric in MAPS if metric in maps):
        moved = maps[metric](comparison.spaces[name])
        marks = maps[metric](comparison.anchor_spaces[name])
        same = moved.shape[1] == target.shape[1]
        window = latent_plane(target if same else moved)[0]
        far = np.linalg.norm(moved[rows] - target[rows], axis=1) / size if same else None
        found[metric] = dict(
            dots=_packed(window(moved[rows])),
            marks=_packed(window(marks)),
            far=None if far is None else _packed(far),
            told=distance_told(comparison, told[metric]),
        )
    return found


def _covering(comparison: Comparison, examples: Examples, rows: np.ndarray) -> dict:
    """How far each example is from its nearest anchor, by inputs where there are, else latents."""
    anchors = examples.anchors
    if anchors is None and examples.x is not None and comparison.anchors is not None:
        anchors = examples.x[comparison.anchors]
    if examples.x is not None and anchors is not None:
        far = distances_to_anchors(examples.x[rows], anchors)
        said = "its input lies {} from the nearest anchor's, in the data's units"
        return dict(far=_packed(far), said=said)
    reference, means = next(iter(comparison.spaces.items()))
    size = np.sqrt(total_variance(means)) or 1.0
    far = distances_to_anchors(means[rows], comparison.anchor_spaces[reference]) / size
    said = "it lies {} standard deviations from the nearest anchor in the map on the left"
    return dict(far=_packed(far), said=said)


def _counted(labels: np.ndarray) -> dict:
    """Labels from the commonest on, how often each is there, and which of them each one is."""
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    place = np.argsort(order)
    names = [str(name)[:LONGEST] for name in names[order]]
    return dict(names=names, counts=counts[order].tolist(), of=_packed(place[codes]))


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


def _stops(colours, count: int = 32) -> list[str]:
    """Some colours of a colour map, as #rrggbb."""
    shades = (255 * np.array(colours(np.linspace(0, 1, count)))[:, :3]).round().astype(int)
    return ["#{:02x}{:02x}{:02x}".format(*shade) for shade in shades]


def sheet(x: np.ndarray) -> dict | None:
    """All pictures of images (N, C, H, W) on one sheet, small enough for a page; else None.

    They are made smaller where all together have more than MOST_PIXELS, or take MOST_SHEET bytes.
    """
    if not _are_images(x):
        return None
    shades, pixels = _shades(x), MOST_PIXELS
    found = _sheet(shades, pixels)
    while len(found["source"]) > MOST_SHEET:
        pixels //= 2
        found = _sheet(shades, pixels)
    return found


def _sheet(shades: np.ndarray, pixels: int) -> dict:
    """Pictures (N, H, W, C) of uint8 on one sheet of so many pixels at most."""
    from PIL import Image

    count, height, width, channels = shades.shape
    shrink = min(1.0, WIDEST / max(height, width), (pixels / (count * height * width)) ** 0.5)
    size = max(1, int(shrink * width)), max(1, int(shrink * height))
    columns = max(1, int((count * size[1] / size[0]) ** 0.5))
    mode = "L" if channels == 1 else "RGB"
    whole = Image.new(mode, (columns * size[0], -(-count // columns) * size[1]))
    for number, picture in enumerate(shades):
        picture = Image.fromarray(picture[..., 0] if mode == "L" else picture)
        row, column = divmod(number, columns)
        if shrink < 1:
            picture = picture.resize(size, Image.Resampling.BOX)
        whole.paste(picture, (column * size[0], row * size[1]))
    file, small = io.BytesIO(), whole.width * whole.height * channels <= FEW_PIXELS
    whole.save(file, **(dict(format="png") if small else dict(format="webp", quality=70, method=2)))
    source = base64.b64encode(file.getvalue()).decode()
    source = f"data:image/{'png' if small else 'webp'};base64,{source}"
    return dict(source=source, columns=columns, width=size[0], height=size[1])


def _are_images(x: np.ndarray) -> bool:
    return x.ndim == 4 and x.shape[1] in COLOURS


def _shades(x: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W) as uint8, (N, H, W, C), from black to white."""
    if x.dtype != np.uint8:
        low, top = min(0.0, float(x.min())), max(1.0, float(x.max()))
        x = (255 * (x.astype(np.float32) - low) / (top - low)).round().astype(np.uint8)
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))
