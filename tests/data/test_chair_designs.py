"""Procedural chairs: the picture equals a ray-cast one, chairs fill the frame, designs differ."""

import time

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from rvae_lite import data
from rvae_lite.data import chair_designs, renderer

CORNERS = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
EVERY_VIEW = np.divmod(np.arange(62), 31)  # elevation, azimuth


def chair(design, seed=0):
    return chair_designs.chair_parts(np.random.default_rng([seed, design]))


def views_of(dataset):
    """Index of elevation and azimuth of each image, by its id, (2, N)."""
    degrees = [[int(part[1:]) for part in name.split("-")[1:]] for name in dataset.ids]
    known = renderer.ELEVATIONS.astype(int).tolist(), renderer.AZIMUTHS.astype(int).tolist()
    indices = [(known[0].index(up), known[1].index(turn)) for up, turn in degrees]
    return np.array(indices).T


@pytest.fixture(scope="module")
def renders():
    return data.load("procedural_chairs", num_designs=60, views_per_design=5)


def cast(parts, elevation, azimuth, *, samples=2):
    """One image by casting rays at the parts' convex hulls: slow, without any order of drawing."""
    points = np.concatenate([part.rings.reshape(-1, 3) for part in parts])
    centre = (points.min(0) + points.max(0)) / 2

    def camera(e, a):
        towards = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
        right = np.array([np.cos(a), np.sin(a), 0])
        return np.stack([right, np.cross(towards, right), towards])

    projected = []
    for e in np.deg2rad([20, 30]):
        for k in range(31):
            seen = (points - centre) @ camera(e, 2 * np.pi * k / 31).T
            projected.append(seen[:, :2] / (renderer.CAMERA_DISTANCE - seen[:, 2:]))
    low, high = np.min(projected, axis=(0, 1)), np.max(projected, axis=(0, 1))
    scale = (64 - 2 * renderer.MARGIN) / (high - low).max()

    axes = camera(np.deg2rad([20, 30][elevation]), 2 * np.pi * azimuth / 31)
    eye = centre + renderer.CAMERA_DISTANCE * axes[2]
    pixel = (np.arange(64 * samples) + 0.5) / samples - 32
    x, y = pixel / scale + (low[0] + high[0]) / 2, -pixel / scale + (low[1] + high[1]) / 2
    rays = x[None, :, None] * axes[0] + y[:, None, None] * axes[1] - axes[2]  # (rows, columns, 3)
    light = axes.T @ renderer.LIGHT / np.linalg.norm(renderer.LIGHT)
    nearest, image = np.full(rays.shape[:2], np.inf), np.full(rays.shape[:2], 255.0)
    for part in parts:
        faces = ConvexHull(part.rings.reshape(-1, 3)).equations  # n.x + d <= 0 inside
        speed, height = rays @ faces[:, :3].T, faces[:, :3] @ eye + faces[:, 3]
        with np.errstate(divide="ignore"):
            distance = -height / speed
        enter = np.where(speed < 0, distance, -np.inf)
        leave = np.where(speed > 0, distance, np.inf).min(-1)
        hit = (enter.max(-1) < leave) & (enter.max(-1) < nearest)
        normal = faces[enter.argmax(-1), :3]
        shade = renderer.AMBIENT + (1 - renderer.AMBIENT) * np.maximum(normal @ light, 0)
        image = np.where(hit, 235 * part.grey * shade, image)
        nearest = np.where(hit, enter.max(-1), nearest)
    return image.reshape(64, samples, 64, samples).mean((1, 3))


@pytest.mark.parametrize("design", range(8))
def test_the_painted_picture_is_the_one_that_casting_rays_gives(design):
    elevation, azimuth = design % 2, (7 * design) % 31
    painted = renderer.render(chair(design), np.array([elevation]), np.array([azimuth]))[
        0, 0
    ].astype(float)
    truth = cast(chair(design), elevation, azimuth)
    # Painted edges lie a quarter of a pixel further out: compare with the neighbouring pixels.
    outside = np.maximum(minimum_filter(truth, 3) - painted, painted - maximum_filter(truth, 3))
    assert (outside > 25).mean() < 0.004
    assert np.abs(painted - truth).mean() < 5


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_chairs(renders):
    again = data.load("procedural_chairs", num_designs=60, views_per_design=5)
    other = data.load("procedural_chairs", num_designs=60, views_per_design=5, seed=1)
    for name in ("x", "labels", "ids", "part"):
        assert getattr(renders, name).tobytes() == getattr(again, name).tobytes()
    assert not np.array_equal(renders.x, other.x)


def test_a_design_does_not_depend_on_how_many_there_are(renders):
    few = data.load("procedural_chairs", num_designs=3, views_per_design=5)
    assert np.array_equal(few.x, renders.x[:15])


def test_images_are_grey_bytes_counted_by_design_and_view(renders):
    assert renders.x.shape == (300, 1, 64, 64)
    assert renders.x.dtype == np.uint8
    assert np.bincount(renders.labels).tolist() == [5] * 60
    elevation, azimuth = views_of(renders)
    views = np.stack([renders.labels, elevation, azimuth], axis=1)
    assert len(np.unique(views, axis=0)) == 300
    assert np.unique(azimuth).tolist() == list(range(31))
    assert np.unique(elevation).tolist() == [0, 1]


def test_all_62_views_are_those_of_the_3d_chairs_set():
    renders = data.load("procedural_chairs", num_designs=1, views_per_design=62)
    assert np.array_equal(views_of(renders), np.stack(EVERY_VIEW))
    assert renderer.ELEVATIONS.tolist() == [20, 30]
    assert np.allclose(np.diff(renderer.AZIMUTHS), 360 / 31)


def test_chairs_fill_the_frame_without_touching_its_border():
    images = np.concatenate([renderer.render(chair(design), *EVERY_VIEW) for design in range(20)])[
        :, 0
    ]
    frame = np.ones((64, 64), dtype=bool)
    frame[2:-2, 2:-2] = False
    assert (images[:, frame] == 255).all()
    ink = (images < 250).mean((1, 2))
    assert ink.min() > 0.05 and ink.max() < 0.7
    assert 0.12 < np.median(ink) < 0.4
    rows = (images < 250).any(2).reshape(20, 62, 64).any(1).sum(1)
    columns = (images < 250).any(1).reshape(20, 62, 64).any(1).sum(1)
    assert np.maximum(rows, columns).min() >= 56


def test_opposite_azimuths_show_mirrored_silhouettes():
    azimuth = np.array([4, 27])  # 46 degrees to either side
    for design in range(10):
        left, right = (
            renderer.render(chair(design), np.zeros(2, int), azimuth)[:, 0] < 250
        ).astype(int)
        assert np.abs(left - right[:, ::-1]).mean() < 0.03  # desk chairs stand on five feet
        assert np.abs(left - right).mean() > 0.03


def test_the_light_tells_the_left_side_from_the_right_one():
    box = [renderer.Part(np.array([[[x, y, z] for x, y in CORNERS] for z in (0, 1)]), 1.0)]
    left, right = renderer.render(box, np.zeros(2, int), np.array([4, 27]))[:, 0].astype(int)
    assert len(np.unique(left[left < 250])) > 2
    assert np.abs(left - right[:, ::-1]).max() > 40


def test_at_least_two_hundred_designs_are_distinct():
    images = np.concatenate(
        [renderer.render(chair(d), np.zeros(1, int), np.array([4])) for d in range(200)]
    )
    distance = pdist(images.reshape(200, -1).astype(float), "cityblock") / 64**2
    assert distance.min() > 1.0  # grey levels, averaged over the image


def test_three_thousand_images_take_seconds():
    start = time.perf_counter()
    renders = data.load("procedural_chairs", num_designs=50, views_per_design=15)
    assert len(renders.x) == 750
    assert time.perf_counter() - start < 6  # a quarter of them, on a busy machine


@pytest.mark.parametrize("count", [0, -1])
def test_no_designs_are_refused(count):
    with pytest.raises(ValueError, match=f"num_designs must be at least 1, not {count}"):
        data.load("procedural_chairs", num_designs=count)


@pytest.mark.parametrize("count", [0, 63])
def test_an_impossible_number_of_views_is_refused(count):
    with pytest.raises(ValueError, match=f"views_per_design must be between 1 and 62, not {count}"):
        data.load("procedural_chairs", num_designs=1, views_per_design=count)


# ---------------------------------------------------------------- by name


def test_procedural_chairs_are_images_with_designs_as_labels_and_views_in_the_ids():
    dataset = data.load("procedural_chairs", num_designs=4, views_per_design=62)
    assert dataset.x.shape == (248, 1, 64, 64)
    assert dataset.x.dtype == np.uint8
    assert dataset.labels.tolist() == np.repeat(np.arange(4), 62).tolist()
    assert dataset.ids[0] == "chair000-p020-t000" and dataset.ids[-1] == "chair003-p030-t348"
    assert dataset.ids[4] == "chair000-p020-t046"
    assert dataset.info["stands_for"] == "3D Chairs"


def test_procedural_chairs_are_a_few_thousand_by_default():
    dataset = data.load("procedural_chairs")
    assert len(dataset.x) == 3200
    assert len(set(dataset.labels)) == 200
    assert abs((dataset.part == 1).sum() - 1600) == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_random_partition_halves_the_images_and_a_partition_by_model_keeps_models_whole(seed):
    by_image = data.load("procedural_chairs", num_designs=20, views_per_design=6, seed=seed)
    by_model = data.load(
        "procedural_chairs", num_designs=20, views_per_design=6, seed=seed, partition="model"
    )
    assert np.array_equal(by_image.x, by_model.x)
    assert np.bincount(by_image.part).tolist() == np.bincount(by_model.part).tolist() == [0, 60, 60]
    assert len(set(by_image.labels[by_image.part == 1])) > 10
    first, second = (set(by_model.labels[by_model.part == part]) for part in (1, 2))
    assert len(first) == len(second) == 10 and not first & second
    again = data.load(
        "procedural_chairs", num_designs=20, views_per_design=6, seed=seed, partition="model"
    )
    assert np.array_equal(by_model.part, again.part)


def test_an_unknown_partition_names_the_known_ones():
    with pytest.raises(
        ValueError, match=r"partition must be one of \['model', 'random'\], not 'chair'"
    ):
        data.load("procedural_chairs", partition="chair")
