"""A small renderer: convex parts, flat shading, white ground, the 62 views of the 3D Chairs set.

The views are those of Aubry et al. (2014), Seeing 3D Chairs, on which Martinez & Pearson (2021)
train.  Parts are drawn from the rear to the front (painter's algorithm), faces have Lambert's
shading, and averaging a larger drawing smooths the edges.  Letters: V views, P parts, F faces.
"""

from typing import NamedTuple

import numpy as np

AZIMUTHS = np.arange(31) * 360 / 31  # degrees; at 0 the chair faces the camera
ELEVATIONS = np.array([20.0, 30.0])  # degrees above the horizon
NUM_VIEWS = len(AZIMUTHS) * len(ELEVATIONS)

IMAGE_SIZE = 64
MARGIN = 3.5  # pixels that stay white on the tightest side
SUPERSAMPLING = 4
CAMERA_DISTANCE = 3.2  # metres: mild perspective
AMBIENT = 0.4
TOLERANCE = 0.012  # metres by which parts may overlap where they join
LIGHT = np.array([-0.5, 0.7, 0.6])  # right, up and towards the camera, which the light follows


class Part(NamedTuple):
    """A convex solid between two polygons."""

    rings: np.ndarray  # bottom and top polygon, (2, n, 3): right, rear (minus is front), up; metres
    grey: float  # how much light it returns, 0 to 1


def render(parts: list[Part], elevation, azimuth) -> np.ndarray:
    """Images of one object, which fills the frame as well as all of its 62 views allow.

    Args:
        parts: convex solids that overlap by TOLERANCE at most.
        elevation: index into ELEVATIONS of each view, (V,).
        azimuth: index into AZIMUTHS of each view, (V,).

    Returns:
        Grey levels on white, (V, 1, 64, 64) uint8.
    """
    from PIL import Image, ImageDraw

    mesh = _mesh(parts)
    turn = _camera(ELEVATIONS[elevation], AZIMUTHS[azimuth])
    screen = _frame(mesh.vertices - mesh.centre, turn)
    eye = mesh.centre + CAMERA_DISTANCE * turn[:, 2]
    visible = eye @ mesh.normals.T > mesh.offsets  # (V, F)
    light = (turn.transpose(0, 2, 1) @ LIGHT) / np.linalg.norm(LIGHT)
    lambert = AMBIENT + (1 - AMBIENT) * np.maximum(light @ mesh.normals.T, 0)
    grey = np.rint(235 * lambert * np.array([part.grey for part in parts])[mesh.owner]).astype(int)
    order = _drawing_order(mesh, eye)
    size = IMAGE_SIZE * SUPERSAMPLING
    images = np.empty((len(turn), 1, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for v in range(len(turn)):
        image = Image.new("L", (size, size), 255)
        canvas = ImageDraw.Draw(image)
        points = [tuple(point) for point in screen[v].tolist()]
        shown, fill = visible[v].tolist(), grey[v].tolist()
        for part in order[v]:
            for face in mesh.faces_of[part]:
                if shown[face]:
                    canvas.polygon([points[i] for i in mesh.faces[face]], fill=fill[face])
        images[v, 0] = image.reduce(SUPERSAMPLING)
    return images


class _Mesh(NamedTuple):
    """The faces of a list of parts."""

    vertices: np.ndarray  # of all parts, (n, 3)
    centre: np.ndarray  # of the box around them, (3,)
    starts: np.ndarray  # the first vertex of each part, (P,)
    faces: list  # the vertices of each face
    faces_of: list  # the faces of each part
    owner: np.ndarray  # the part of each face, (F,)
    normals: np.ndarray  # outward, (F, 3)
    offsets: np.ndarray  # inner product of a face's normal and its points, (F,)


def _mesh(parts: list[Part]) -> _Mesh:
    sides = np.array([part.rings.shape[1] for part in parts])
    starts = np.cumsum(2 * sides) - 2 * sides
    faces, faces_of = [], []
    for start, n in zip(starts.tolist(), sides.tolist(), strict=True):
        first = len(faces)
        below, above = list(range(start, start + n)), list(range(start + n, start + 2 * n))
        faces += [below, above]
        faces += [[below[k - 1], below[k], above[k], above[k - 1]] for k in range(n)]
        faces_of.append(range(first, len(faces)))
    vertices = np.concatenate([part.rings.reshape(-1, 3) for part in parts])
    owner = np.repeat(np.arange(len(parts)), sides + 2)
    quarters = [[face[k * len(face) // 4] for k in range(4)] for face in faces]
    corners = vertices[quarters]  # (F, 4, 3)
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    inside = np.stack([part.rings.mean((0, 1)) for part in parts])[owner]
    normals *= np.sign((normals * (corners.mean(1) - inside)).sum(1, keepdims=True))
    offsets = (normals * corners.mean(1)).sum(1)
    centre = (vertices.min(0) + vertices.max(0)) / 2
    return _Mesh(vertices, centre, starts, faces, faces_of, owner, normals, offsets)


def _camera(elevation, azimuth) -> np.ndarray:
    """The directions right, up and towards the camera of each view (degrees, (V,)): (V, 3, 3)."""
    e, a = np.deg2rad(elevation), np.deg2rad(azimuth)
    right = np.stack([np.cos(a), np.sin(a), 0 * a], axis=1)
    towards = np.stack([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)], axis=1)
    return np.stack([right, np.cross(towards, right), towards], axis=1)


def _frame(points: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Points (n, 3) in pixels of the larger drawing, one scale for all 62 views: (V, n, 2)."""

    def project(directions):
        seen = points @ directions.transpose(0, 2, 1)  # (V, n, 3)
        return seen[..., :2] / (CAMERA_DISTANCE - seen[..., 2:])

    elevations, azimuths = np.repeat(ELEVATIONS, len(AZIMUTHS)), np.tile(AZIMUTHS, len(ELEVATIONS))
    every = project(_camera(elevations, azimuths))
    low, high = every.min((0, 1)), every.max((0, 1))
    scale = (IMAGE_SIZE - 2 * MARGIN) / (high - low).max()
    upright = np.array([1, -1])  # rows of an image count downwards
    pixels = IMAGE_SIZE / 2 + scale * upright * (project(turn) - (low + high) / 2)
    return SUPERSAMPLING * pixels - 0.5


def _drawing_order(mesh: _Mesh, eye: np.ndarray) -> np.ndarray:
    """The parts from the rear to the front, seen from each `eye` (V, 3): (V, P).

    Of two parts on the two sides of a face's plane, the far one cannot cover the other.
    """
    along, height = mesh.normals @ mesh.vertices.T, (mesh.normals @ eye.T).T  # (F, n), (V, F)
    low = np.minimum.reduceat(along, mesh.starts, axis=1).T  # (P, F)
    high = np.maximum.reduceat(along, mesh.starts, axis=1).T
    # The first part lies below the second along a normal; the eye lies above or below a part.
    apart = (low[None] - high[:, None] > -TOLERANCE).astype(np.float32)  # (P, P, F)
    above, below = height > high[:, None], height < low[:, None]  # (P, V, F)
    # The first part cannot cover the second.
    covers_not = above @ apart.transpose(0, 2, 1) + below @ apart.transpose(1, 2, 0) > 0
    covers_not = covers_not.transpose(1, 0, 2)  # (V, P, P)
    before = covers_not & ~covers_not.transpose(0, 2, 1)
    waiting = before.sum(1)
    order = np.empty((len(eye), len(low)), int)
    views = np.arange(len(eye))
    for k in range(len(low)):
        order[:, k] = chosen = waiting.argmin(1)
        waiting = waiting - before[views, chosen]
        waiting[views, chosen] = len(low) ** 2
    return order
