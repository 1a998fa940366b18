"""Procedural chairs: parametric designs drawn at random, a stand-in for the 3D Chairs set.

Martinez & Pearson (2021), Appendix A, train on Aubry et al. (2014), Seeing 3D Chairs: 1,393 models
from 31 azimuths and 2 elevations.  The views here are the same 62.  Letters: N images.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from rvae_lite.data.dataset import Dataset, select_partition
from rvae_lite.data.folders import info_of
from rvae_lite.data.renderer import AZIMUTHS, ELEVATIONS, NUM_VIEWS, Part, render


def load_procedural_chairs(
    *,
    seed: int = 0,
    num_designs: int = 200,
    views_per_design: int = 16,
    partition: str = "random",
) -> Dataset:
    """Chairs drawn at random, 64x64 uint8, each from some of its 62 views: 3,200 by default.

    Args:
        seed: of designs, views and partition; a design does not depend on how many there are.
        num_designs: number of chairs, at least 1; the labels count them.
        views_per_design: views of each, drawn without replacement, 1 to 62 (all).
        partition: D1 holds half of the images ("random", as in the paper) or chairs ("model").
    """
    split_in_two = select_partition(partition)
    if num_designs < 1:
        raise ValueError(f"num_designs must be at least 1, not {num_designs}")
    if not 1 <= views_per_design <= NUM_VIEWS:
        limits = f"between 1 and {NUM_VIEWS}"
        raise ValueError(f"views_per_design must be {limits}, not {views_per_design}")
    images, ids = [], []
    for design in range(num_designs):
        parts = chair_parts(np.random.default_rng([seed, design]))
        views = np.random.default_rng([seed, design, 1]).permutation(NUM_VIEWS)
        elevation, azimuth = np.divmod(np.sort(views[:views_per_design]), len(AZIMUTHS))
        images.append(render(parts, elevation, azimuth))
        degrees = np.stack([ELEVATIONS[elevation], AZIMUTHS[azimuth]], axis=1).astype(int)
        ids += [f"chair{design:03d}-p{up:03d}-t{turn:03d}" for up, turn in degrees.tolist()]
    labels = np.repeat(np.arange(num_designs), views_per_design)
    info = info_of("procedural_chairs", value_range=(0.0, 1.0))
    part = split_in_two(labels, seed)
    return Dataset(np.concatenate(images), labels, np.array(ids), part, info)


class Seat(NamedTuple):
    """Where other parts attach: half width and depth, lower and upper height, three grey levels."""

    x: float
    y: float
    low: float
    top: float
    grey: float
    back_grey: float
    frame_grey: float


def chair_parts(random: np.random.Generator) -> list[Part]:
    """One chair drawn at random: a seat, a base below, a back above, and arms on some."""
    low = random.uniform(0.36, 0.46)
    thickness = random.choice([0.025, 0.04, 0.06, 0.1], p=[0.3, 0.3, 0.25, 0.15])
    width, depth = random.uniform(0.19, 0.28), random.uniform(0.19, 0.26)
    grey, frame_grey = random.uniform(0.3, 1.0), random.uniform(0.2, 0.95)
    frame_grey = random.choice([grey, frame_grey], p=[0.4, 0.6])
    greys = grey, random.choice([grey, frame_grey]), frame_grey
    if random.random() < 0.07:
        return _armchair(Seat(width + 0.03, depth + 0.03, low - 0.15, low, *greys), random)
    seat = Seat(width, depth, low, low + thickness, *greys)
    base = random.choice(list(BASES), p=[0.69, 0.11, 0.13, 0.07])
    back = random.choice(list(BACKS), p=[0.26, 0.2, 0.18, 0.14, 0.22])
    point = _back_surface(seat, random.uniform(0.34, 0.58), random)
    arms = _arms(seat, point, random) if random.random() < 0.35 else []
    parts = [_seat(seat, random)]
    parts += BASES[base](seat, random)
    parts += BACKS[back](seat, point, random)
    return parts + arms


def _seat(seat: Seat, random) -> Part:
    """A slab with four corners or a superellipse around them, its rear narrower on some."""
    power = random.choice([2.5, 4.0, 8.0, np.inf], p=[0.15, 0.15, 0.2, 0.5])
    ring = _ring(4) if np.isinf(power) else np.sign(_ring(16)) * np.abs(_ring(16)) ** (2 / power)
    ring = ring * {2.5: 1.18, 4.0: 1.08}.get(power, 1.0) * [seat.x, seat.y]
    ring[ring[:, 1] > 0, 0] *= random.uniform(0.88, 1.0)
    return _slab(ring, seat.low, seat.top, seat.grey)


def _armchair(seat: Seat, random) -> list[Part]:
    """A block between two sides that reach from the floor to the arm rests."""
    thick, height = random.uniform(0.05, 0.1), seat.top + random.uniform(0.08, 0.18)
    deep = (-seat.y, seat.y)
    side = _box((seat.x, seat.x + thick), deep, (0.0, height), seat.back_grey)
    block = _box((-seat.x, seat.x), deep, (seat.low, seat.top), seat.grey)
    plinth = _box((-seat.x, seat.x), (-0.9 * seat.y, seat.y), (0.0, seat.low), seat.frame_grey)
    rear = seat.y + random.uniform(0.06, 0.12)
    ring = _ring(4) * [seat.x + thick, (rear - seat.y) / 2]
    back = _slab(ring, 0.0, seat.top + random.uniform(0.25, 0.42), seat.back_grey)
    back.rings[..., 1] += (seat.y + rear) / 2
    back.rings[1, :, 1] += random.uniform(0.0, 0.08)
    return [*_mirrored(side), block, plinth, back]


def _ring(sides: int) -> np.ndarray:
    """A regular polygon in the unit circle, (sides, 2); with four sides the square from -1 to 1."""
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * (math.sqrt(2) if sides == 4 else 1)


def _slab(ring, low, top, grey) -> Part:
    levels = [np.column_stack([ring, np.full(len(ring), height)]) for height in (low, top)]
    return Part(np.stack(levels), grey)


def _box(x, y, z, grey) -> Part:
    """A box between two limits along each axis."""
    size = [(x[1] - x[0]) / 2, (y[1] - y[0]) / 2]
    middle = [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2]
    return _slab(_ring(4) * size + middle, *z, grey)


def _rod(start, end, radius, grey, *, sides=4, taper=1.0, inset=0.0) -> Part:
    """A bar, shortened by `inset` at its ends: cut horizontally if it is steep, else upright."""
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    along = (end - start) / np.linalg.norm(end - start)
    start, end = start + inset * along, end - inset * along
    first, second = np.eye(3)[:2]
    if abs(along[2]) < 0.7:
        first, second = np.array([-along[1], along[0], 0]) / np.hypot(*along[:2]), np.eye(3)[2]
    cut = radius * _ring(sides) @ np.stack([first, second])  # (sides, 3)
    return Part(np.stack([start + cut, end + taper * cut]), grey)


def _mirrored(*parts: Part) -> list[Part]:
    """Each part and its mirror image on the other side of the chair."""
    both = []
    for part in parts:
        both += [part, Part(part.rings * [-1, 1, 1], part.grey)]
    return both


def _four_legs(seat: Seat, random) -> list[Part]:
    radius, sides = random.uniform(0.012, 0.032), int(random.choice([4, 8]))
    splay, taper = random.choice([0.0, 0.04, 0.09]), random.uniform(0.55, 1.0)
    x, y = seat.x * random.uniform(0.78, 0.85) - radius / 2, seat.y * 0.9 - radius
    top = np.array([[x, -y, seat.low], [x, y, seat.low]])  # front, rear
    foot = np.array([[x + 0.6 * splay, -y - 0.6 * splay, 0], [x + 0.6 * splay, y + splay, 0]])
    look = dict(radius=radius * taper, grey=seat.frame_grey, sides=sides, taper=1 / taper)
    legs = _mirrored(*(_rod(low, high, **look) for low, high in zip(foot, top, strict=True)))
    return legs + _stretchers(seat, top, foot, radius, random)


def _stretchers(seat: Seat, top, foot, radius, random) -> list[Part]:
    """Bars between the legs: none, at the sides, as an H, or all around."""
    kind = random.choice(["none", "sides", "h", "around"], p=[0.45, 0.15, 0.2, 0.2])
    if kind == "none":
        return []
    front, rear = foot + random.uniform(0.2, 0.5) * (top - foot)
    across = dict(sides=[], h=[(front + rear) / 2], around=[front, rear])[str(kind)]
    look = dict(radius=0.5 * radius, grey=seat.frame_grey, inset=0.8 * radius)
    bars = [_rod(end, end * [-1, 1, 1], **look) for end in across]
    return bars + _mirrored(_rod(front, rear, **look))


def _sled(seat: Seat, random) -> list[Part]:
    """A frame at each side: one or two uprights and a runner on the floor."""
    radius, x, y = random.uniform(0.01, 0.02), seat.x * 0.85, seat.y * 0.85
    grey = seat.frame_grey
    front = _rod([x, -y, 0], [x, -y, seat.low], radius, grey)
    rear = _rod([x, y, 0], [x, y, seat.low], radius, grey)
    runner = _box((x - radius, x + radius), (-y - radius, y + radius), (-2 * radius, 0), grey)
    cantilever = random.random() < 0.5
    return _mirrored(front, runner) if cantilever else _mirrored(front, rear, runner)


def _star(seat: Seat, random) -> list[Part]:
    """A column on five feet with casters, as below a desk chair."""
    reach, turn = random.uniform(0.2, 0.27), 2 * np.pi * (np.arange(5) + 0.75) / 5
    radius, grey = random.uniform(0.018, 0.03), seat.frame_grey
    column = _rod([0, 0, 0.07], [0, 0, seat.low], radius, grey, sides=8)
    tips = np.stack([reach * np.cos(turn), reach * np.sin(turn), np.full(5, 0.065)], axis=1)
    feet = [_rod(tip * [0, 0, 1.35], tip, 0.018, grey, taper=0.7, inset=0.025) for tip in tips]
    casters = [_rod(tip * [1, 1, 0], tip * [1, 1, 0.8], 0.022, 0.2, sides=6) for tip in tips]
    return [column, *feet, *casters]


def _pedestal(seat: Seat, random) -> list[Part]:
    """A column on a round plate."""
    disc, radius = _ring(16) * random.uniform(0.17, 0.23), random.uniform(0.018, 0.04)
    column = _rod([0, 0, 0.025], [0, 0, seat.low], radius, seat.frame_grey, sides=8)
    return [_slab(disc, 0.0, 0.025, seat.frame_grey), column]


BASES = dict(legs=_four_legs, sled=_sled, star=_star, pedestal=_pedestal)


def _back_surface(seat: Seat, height: float, random):
    """The function (across in -1..1, up in 0..1, depth) -> point of a tilted, flared, bent back."""
    tilt, flare = np.deg2rad(random.uniform(2, 17)), random.uniform(-0.15, 0.12)
    bend = random.choice([0.0, 0.07])
    half, rear = seat.x * random.uniform(0.76, 0.88), seat.y * 0.92

    def point(across, up, depth):
        y = rear + up * height * math.sin(tilt) - bend * across**2 + depth * math.cos(tilt)
        z = seat.top + up * height * math.cos(tilt) - depth * math.sin(tilt)
        return [across * half * (1 + flare * up), y, z]

    return point


def _plate(point, across, up, thickness: float, grey: float, *, pieces: int = 1) -> list[Part]:
    """A plate on the back between two positions across and two up, in `pieces` that may bend."""
    front, rear = -thickness / 2, thickness / 2
    parts = []
    for left, right in pairwise(np.linspace(*across, pieces + 1)):
        corners = [(left, front), (right, front), (right, rear), (left, rear)]
        rings = [[point(a, height, depth) for a, depth in corners] for height in up]
        parts.append(Part(np.array(rings), grey))
    return parts


def _solid_back(seat: Seat, point, random) -> list[Part]:
    thickness = random.choice([0.02, 0.035, 0.07])
    return _plate(point, (-1, 1), (0, 1), thickness, seat.back_grey, pieces=4)


def _posts(seat: Seat, point, thickness: float) -> list[Part]:
    left = _plate(point, (-1, -0.86), (0, 1), thickness, seat.frame_grey)
    return left + _plate(point, (0.86, 1), (0, 1), thickness, seat.frame_grey)


def _panel_back(seat: Seat, point, random) -> list[Part]:
    """A plate between two posts, above a gap."""
    thickness, low = random.uniform(0.018, 0.035), random.uniform(0.25, 0.6)
    panel = _plate(point, INNER, (low, 0.97), 0.7 * thickness, seat.back_grey, pieces=3)
    return _posts(seat, point, thickness) + panel


def _slats_back(seat: Seat, point, random) -> list[Part]:
    """Upright slats below a top rail."""
    count, thickness = int(random.integers(2, 5)), random.uniform(0.018, 0.03)
    half = 0.86 / (2 * count + 2) * random.uniform(0.9, 1.2)
    parts = _posts(seat, point, thickness)
    for centre in np.linspace(*INNER, 2 * count + 3)[2:-2:2]:
        across = (centre - half, centre + half)
        parts += _plate(point, across, (0, 0.85), 0.5 * thickness, seat.back_grey)
    return parts + _plate(point, INNER, (0.85, 1), 0.8 * thickness, seat.frame_grey, pieces=3)


def _spindle_back(seat: Seat, point, random) -> list[Part]:
    """Thin rods that carry a broad top rail."""
    count, rail = int(random.integers(4, 8)), random.uniform(0.72, 0.9)
    places = np.linspace(-0.9, 0.9, count)
    look = 0.008, seat.frame_grey
    rods = [_rod(point(place, 0, 0), point(place, rail, 0), *look) for place in places]
    return rods + _plate(point, (-1, 1), (rail, 1), 0.025, seat.back_grey, pieces=4)


def _ladder_back(seat: Seat, point, random) -> list[Part]:
    """Horizontal rungs between two posts."""
    count, thickness = int(random.integers(2, 6)), random.uniform(0.02, 0.035)
    parts, pitch = _posts(seat, point, thickness), 0.82 / count
    for low in 0.16 + pitch * np.arange(count):
        up = (low, low + random.uniform(0.5, 0.65) * pitch)
        parts += _plate(point, INNER, up, 0.6 * thickness, seat.back_grey, pieces=3)
    return parts


INNER = (-0.86, 0.86)  # across the back, between the posts
BACKS = dict(solid=_solid_back, panel=_panel_back, slats=_slats_back)
BACKS |= dict(spindles=_spindle_back, ladder=_ladder_back)


def _arms(seat: Seat, point, random) -> list[Part]:
    """An arm rest at each side, from the back to a post at the front."""
    height, half = random.uniform(0.16, 0.23), random.choice([0.013, 0.022, 0.03])
    x, front = seat.x - half, -seat.y * random.uniform(0.5, 0.85)
    rear, top = point(1.0, 0.45, -0.02)[1], seat.top + height
    rest = _box((x - half, x + half), (front - 0.02, rear), (top, top + 0.025), seat.frame_grey)
    thin = (x - 0.6 * half, x + 0.6 * half)
    post = _box(thin, (front, front + 0.028), (seat.top, top), seat.frame_grey)
    return _mirrored(rest) + _mirrored(post)
