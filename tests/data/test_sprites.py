"""Sprites: every combination of factors, geometry in closed form, dSprites' file format."""

import hashlib
import io
import json
import math
import os
import zipfile

import numpy as np
import pytest

from rvae_lite import data
from rvae_lite.data import sprites
from rvae_lite.data.folders import DATA_VARIABLE, sources

DSPRITES_PAGE = "https://github.com/google-deepmind/dsprites-dataset"
GRID = 3, 3, 8, 8, 8  # shapes, scales, orientations, x, y


@pytest.fixture(scope="module")
def drawn():
    return data.load("procedural_sprites")


@pytest.fixture(scope="module")
def grid(drawn):
    """The images by their factors: (shape, scale, orientation, x, y, H, H) booleans."""
    return (drawn.x > 0).reshape(*GRID, 32, 32)


def centres(images):
    """Centre of mass along x and y, in pixels from left and top: (2, ...) of images (..., H, H)."""
    middle, area = np.arange(images.shape[-1]) + 0.5, images.sum((-2, -1))
    return np.stack(
        [(images.sum(-2) * middle).sum(-1) / area, (images.sum(-1) * middle).sum(-1) / area]
    )


# ---------------------------------------------------------------- procedural sprites


def test_there_is_one_image_for_every_combination_of_factors_the_last_fastest(drawn):
    assert drawn.x.shape == (4608, 1, 32, 32) and drawn.x.dtype == np.uint8
    assert set(np.unique(drawn.x)) == {0, 255}
    assert drawn.factors.shape == (4608, 5) and drawn.factors.dtype == np.int64
    np.testing.assert_array_equal(
        np.ravel_multi_index(tuple(drawn.factors.T), GRID), np.arange(4608)
    )
    assert drawn.info["factor_names"] == ["shape", "scale", "orientation", "x", "y"]
    assert drawn.info["factor_sizes"] == list(GRID)
    np.testing.assert_array_equal(drawn.labels, drawn.factors[:, 0])
    assert drawn.info["label_names"] == ["square", "ellipse", "heart"]
    assert drawn.info["stands_for"] == "dSprites"
    assert json.loads(json.dumps(drawn.info))["factor_sizes"] == list(GRID)


def test_the_numbers_of_values_are_options():
    options = dict(num_scales=2, num_orientations=5, num_positions=4)
    dataset = data.load("procedural_sprites", size=16, **options)
    assert dataset.x.shape == (3 * 2 * 5 * 4 * 4, 1, 16, 16)
    assert dataset.info["factor_sizes"] == [3, 2, 5, 4, 4]
    large = data.load(
        "procedural_sprites", size=64, num_scales=1, num_orientations=2, num_positions=32
    )
    assert large.x.shape == (3 * 2 * 32 * 32, 1, 64, 64)
    assert large.info["factor_names"] == [
        "shape",
        "orientation",
        "x",
        "y",
    ]  # one scale is no factor
    assert large.factors.shape[1] == 4
    alone = data.load(
        "procedural_sprites", size=64, num_scales=6, num_orientations=2, num_positions=32
    )
    np.testing.assert_array_equal(
        large.x[:2048], alone.x[5 * 2048 : 6 * 2048]
    )  # one scale alone is the largest


def test_sprites_do_not_depend_on_the_seed_but_their_split_does(drawn):
    other = data.load("procedural_sprites", seed=1)
    np.testing.assert_array_equal(other.x, drawn.x)
    assert (
        np.bincount(other.part).tolist() == np.bincount(drawn.part).tolist() == [0, 3317, 369, 922]
    )
    assert not np.array_equal(other.part, drawn.part)
    assert drawn.info["parts"] == ["training", "validation", "test"]


def test_a_subset_keeps_the_factors_beside_the_images(drawn):
    subset = data.load("procedural_sprites", num_examples=50, seed=3)
    rows = np.ravel_multi_index(tuple(subset.factors.T), GRID)
    np.testing.assert_array_equal(subset.x, drawn.x[rows])
    assert subset.ids.tolist() == [f"sprite{row}" for row in rows]
    hearts = drawn.take(drawn.labels == 2)
    assert len(hearts.factors) == len(hearts.x) == 4608 // 3 and (hearts.factors[:, 0] == 2).all()
    assert data.load("eight_gaussians").take([1, 2]).factors is None


def test_a_sprite_at_another_position_is_the_same_pixels_moved(grid):
    corner, step = grid[:, :, :, 0, 0], 2
    for x in range(8):
        for y in range(8):
            moved = np.roll(corner, (y * step, x * step), axis=(-2, -1))
            np.testing.assert_array_equal(grid[:, :, :, x, y], moved)
    assert (
        not grid[..., 0, :].any() and not grid[..., :, -1].any()
    )  # so nothing was rolled over an edge


def test_the_centre_of_mass_is_where_x_and_y_say(grid):
    expected = 8 + 16 * (np.arange(8) + 0.5) / 8  # the middle half of 32 pixels
    x, y = centres(grid)
    tolerance = 0.35  # of a pixel: the heart's edge is rounded to whole pixels
    assert np.abs(x - expected[:, None]).max() < tolerance
    assert np.abs(y - expected).max() < tolerance
    assert (
        np.abs(centres(grid[:2])[1] - expected).max() < 1e-9
    )  # squares and ellipses are symmetric


def test_areas_are_those_of_the_formulas_and_grow_with_the_square_of_the_scale():
    heart = 3.6619727 * sprites.HEART**2  # area of the sextic by quadrature
    areas = dict(square=0.09, ellipse=math.pi * math.prod(sprites.ELLIPSE), heart=heart)
    for shape, area in areas.items():
        for scale in (200, 400):
            ink = sprites.draw_sprite(shape, 256, scale=scale, turn=0.07).sum()
            assert ink == pytest.approx(area * scale**2, rel=3e-3)


def test_areas_in_small_images_grow_with_the_square_of_the_scale_within_rounding(grid):
    area = grid[:, :, :, 0, 0].sum((-2, -1)).mean(-1)  # (shape, scale)
    np.testing.assert_allclose(
        area / area[:, -1:], [[0.25, 0.5625, 1]] * 3, rtol=0.2
    )  # 4.8 and 9.6 pixels are 4 and 10


def test_the_heart_turns_about_its_centre_of_mass():
    for turn in (0, 0.3):
        x, y = centres(sprites.draw_sprite("heart", 256, scale=400, turn=turn))
        assert max(abs(x - 128), abs(y - 128)) < 0.1


def test_a_quarter_turn_turns_the_pixels_counter_clockwise(grid):
    window = grid[:, :, :, 0, 0, :18, :18]  # about the centre at 9, 9
    for orientation in range(8):
        turned = np.rot90(window[:, :, orientation], axes=(-2, -1))
        np.testing.assert_array_equal(window[:, :, (orientation + 2) % 8], turned)


def test_a_shape_turned_onto_itself_gives_the_same_image_and_no_other_turn_does(drawn, grid):
    assert drawn.info["symmetry"] == dict(square=4, ellipse=2, heart=1)
    for shape, order in enumerate(drawn.info["symmetry"].values()):
        images = grid[shape, :, :, 0, 0]
        for orientation in range(8):
            same = (images[:, orientation] == images[:, 0]).all((-2, -1))
            assert same.tolist() == [orientation * order % 8 == 0] * 3
    assert len(np.unique(drawn.x.reshape(4608, -1), axis=0)) == (2 + 4 + 8) * 3 * 64 == 2688


def test_the_shapes_are_distinct_and_none_is_black(grid):
    assert grid.any((-2, -1)).all()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        different = (grid[one] != grid[other]).sum((-2, -1))
        assert different.min() >= 1


def test_the_ellipse_lies_and_the_heart_stands_on_its_tip():
    ellipse, heart = (sprites.draw_sprite(shape, 64, scale=100) for shape in ("ellipse", "heart"))
    assert np.ptp(np.flatnonzero(ellipse.any(0))) > 1.5 * np.ptp(np.flatnonzero(ellipse.any(1)))
    np.testing.assert_array_equal(heart, heart[:, ::-1])
    widths = heart.sum(1)[heart.any(1)]
    assert widths[:8].mean() > 1.5 * widths[-8:].mean()


def test_numbers_that_make_no_grid_are_refused():
    with pytest.raises(ValueError, match="num_scales must be at least 1, not 0"):
        data.load("procedural_sprites", num_scales=0)
    with pytest.raises(
        ValueError,
        match=r"size must be at least 16 and a multiple of 2 \* num_positions \(14\), not 32",
    ):
        data.load("procedural_sprites", num_positions=7)
    with pytest.raises(
        ValueError, match="size must be at least 16 .*, not 8: positions lie whole pixels apart"
    ):
        data.load("procedural_sprites", size=8, num_positions=4)


def test_an_unknown_shape_names_the_known_ones():
    with pytest.raises(
        ValueError, match=r"shape must be one of \['square', 'ellipse', 'heart'\], not 'star'"
    ):
        sprites.draw_sprite("star", 16, scale=32)


# ---------------------------------------------------------------- the format of dSprites


def small_grid(*, sizes=(1, 3, 2, 1, 2, 2), gap=1):
    """A grid in the published form: images say their number, every `gap`-th class occurs."""
    classes = np.indices(sizes).reshape(len(sizes), -1).T
    images = np.zeros((len(classes), 64, 64), dtype=np.uint8)
    images.reshape(len(images), -1)[np.arange(len(images)), np.arange(len(images))] = 1
    shape = classes.shape[1] - 5
    return dict(
        imgs=images, latents_classes=classes * np.where(np.arange(len(sizes)) == shape, 1, gap)
    )


def write(root, arrays, *, name="part.npz"):
    """The arrays as an .npz whose metadata would run code if it was ever unpickled."""
    folder = root / "dsprites"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / name, metadata=np.array([Trap()], dtype=object), **arrays)
    return folder / name


class Trap:
    """Raises where it is unpickled."""

    def __reduce__(self):
        return exec, ("raise AssertionError('unpickled')",)


def test_the_published_file_is_verified_and_the_constant_colour_dropped(tmp_path, monkeypatch):
    arrays = small_grid()
    path = write(tmp_path, arrays, name=sprites.DSPRITES_FILE)
    with pytest.raises(
        ValueError, match=r"64x64.npz is damaged or another file \(its MD5 differs\): delete it"
    ):
        data.load("dsprites", root=tmp_path)
    known = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(sources()["dsprites"]["files"], sprites.DSPRITES_FILE, f"md5:{known}")
    monkeypatch.setattr(sprites, "DSPRITES_COUNT", 24)
    dataset = data.load("dsprites", root=tmp_path)
    np.testing.assert_array_equal(dataset.x[:, 0], 255 * arrays["imgs"])
    assert dataset.x.dtype == np.uint8 and dataset.x.shape == (24, 1, 64, 64)
    assert dataset.info["factor_names"] == [
        "shape",
        "scale",
        "x",
        "y",
    ]  # one orientation is no factor
    assert dataset.info["factor_sizes"] == [3, 2, 2, 2]
    np.testing.assert_array_equal(dataset.factors, arrays["latents_classes"][:, [1, 2, 4, 5]])
    np.testing.assert_array_equal(dataset.labels, arrays["latents_classes"][:, 1])
    assert dataset.ids[-1] == "dsprites23" and dataset.info["title"] == "dSprites"
    assert np.bincount(dataset.part).tolist() == [0, 17, 2, 5]


def test_a_part_of_the_grid_says_so_and_keeps_the_names_of_its_images(tmp_path):
    arrays = small_grid(sizes=(3, 2, 2, 2, 2), gap=4)
    write(tmp_path, arrays | dict(original_dataset_indices=np.arange(48) * 7))
    dataset = data.load("dsprites", root=tmp_path)
    assert dataset.info["title"] == "dSprites (48 of 737,280 images)"
    assert dataset.info["factor_sizes"] == [3, 2, 2, 2, 2]
    np.testing.assert_array_equal(
        dataset.factors, np.indices((3, 2, 2, 2, 2)).reshape(5, -1).T
    )  # without gaps
    assert dataset.ids[:3].tolist() == ["dsprites0", "dsprites7", "dsprites14"]


def test_a_file_with_one_image_has_no_factors_that_vary(tmp_path):
    write(tmp_path, small_grid(sizes=(1, 1, 1, 1, 1)))
    dataset = data.load("dsprites", root=tmp_path)
    assert dataset.factors.shape == (1, 0) and dataset.info["factor_names"] == []


def test_of_several_parts_one_is_chosen_by_name(tmp_path):
    for name, sizes in (("a.npz", (3, 2, 1, 1, 1)), ("b.npz", (3, 1, 1, 1, 1))):
        write(tmp_path, small_grid(sizes=sizes), name=name)
    with pytest.raises(
        ValueError, match="holds several parts of dSprites: choose one of a.npz, b.npz by file="
    ):
        data.load("dsprites", root=tmp_path)
    assert len(data.load("dsprites", root=tmp_path, file="b.npz").x) == 3
    with pytest.raises(
        FileNotFoundError,
        match=r"there is no c.npz in .*dsprites \(found: a.npz, b.npz\): correct file=",
    ):
        data.load("dsprites", root=tmp_path, file="c.npz")


@pytest.mark.parametrize("options", [{}, dict(file=sprites.DSPRITES_FILE)])
def test_without_a_file_the_remedy_is_one_sentence(options, tmp_path):
    remedy = r"call load\('dsprites', download=True\) with a network, or put dsprites_.*64x64.npz"
    with pytest.raises(FileNotFoundError, match=f"dSprites is not in .*: {remedy}") as caught:
        data.load("dsprites", root=tmp_path, **options)
    message = str(caught.value)
    assert f"from {DSPRITES_PAGE} into {tmp_path / 'dsprites'}" in message
    assert DATA_VARIABLE in message and "\n" not in message


def test_a_download_fetches_the_published_file_beside_a_part(tmp_path, monkeypatch):
    import pooch

    write(tmp_path, small_grid(sizes=(3, 2, 1, 1, 1)))
    content = write(tmp_path, small_grid(), name="elsewhere").with_suffix(".npz").read_bytes()
    asked = []

    def retrieve(url, known_hash, *, fname, path, progressbar):
        asked.append((url, known_hash))
        (path / fname).write_bytes(content)

    known = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setitem(sources()["dsprites"]["files"], sprites.DSPRITES_FILE, f"md5:{known}")
    assert len(data.load("dsprites", root=tmp_path, download=True).x) == 24
    assert asked == [(f"{DSPRITES_PAGE}/raw/master/{sprites.DSPRITES_FILE}", f"md5:{known}")]
    assert len(data.load("dsprites", root=tmp_path).x) == 24  # the published file comes first


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(latents_classes=np.zeros((23, 6), int)), "latents_classes has 23 rows for 24 imgs"),
        (
            dict(latents_classes=np.zeros((24, 4), int)),
            r"must be integers \(N, 5\) or \(N, 6\), not int64 \(24, 4\)",
        ),
        (
            dict(latents_classes=np.zeros((24, 6))),
            r"must be integers \(N, 5\) or \(N, 6\), not float64 \(24, 6\)",
        ),
        (dict(latents_classes=np.full((24, 6), 3)), "shapes must be 0 to 2, not 3 to 3"),
        (
            dict(imgs=np.zeros((24, 3, 64, 64), np.uint8)),
            r"imgs has 295,040 bytes, more than the 98,304 it may have",
        ),
        (
            dict(imgs=np.zeros((24, 64, 64))),
            r"imgs has 786,560 bytes, more than the 98,304 it may have",
        ),
        (
            dict(imgs=np.zeros((0, 64, 64), np.uint8)),
            r"imgs must be uint8 \(N, 64, 64\), not uint8 \(0, 64, 64\)",
        ),
        (dict(imgs=np.full((24, 64, 64), 255, np.uint8)), "imgs must hold zeros and ones, not 255"),
        (
            dict(original_dataset_indices=np.arange(3)),
            r"original_dataset_indices must be 24 integers, not int64 \(3,\)",
        ),
        (
            dict(imgs=np.array([Trap()], object)),
            "imgs holds pickled objects, which are never loaded",
        ),
        (
            dict(latents_classes=np.array([Trap()], object)),
            "latents_classes holds pickled objects, which are never",
        ),
        (
            dict(original_dataset_indices=np.array([Trap()], object)),
            "original_dataset_indices holds pickled objects",
        ),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_reason(change, reason, tmp_path):
    write(tmp_path, small_grid() | change)
    with pytest.raises(
        ValueError,
        match=rf"part.npz is damaged or another file \(.*{reason}.*\): get it again from",
    ) as e:
        data.load("dsprites", root=tmp_path)
    assert "\n" not in str(e.value)


def test_a_file_without_images_is_refused(tmp_path):
    write(tmp_path, dict(latents_classes=np.zeros((2, 5), int)))
    with pytest.raises(
        ValueError,
        match=r"part.npz is damaged or another file \(it holds no imgs\): get it again from",
    ):
        data.load("dsprites", root=tmp_path)


def resaved(content, change):
    """The same .npz, its member imgs.npy changed and stored with a checksum that agrees."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(file, "w") as other:
        for name in archive.namelist():
            other.writestr(
                name, change(archive.read(name)) if name == "imgs.npy" else archive.read(name)
            )
    return file.getvalue()


DAMAGE = dict(
    truncated=lambda content: content[:-40],
    flipped=lambda content: content[:-2000] + bytes([content[-2000] ^ 255]) + content[-1999:],
    empty=lambda content: b"",
    another_file=lambda content: b"version https://large-files.example\n",
    one_array=lambda content: np.lib.format.magic(1, 0) + bytes(100),
    short_member=lambda content: resaved(content, lambda member: member[:-100]),
    future_format=lambda content: resaved(
        content, lambda member: np.lib.format.magic(9, 0) + member[8:]
    ),
    no_header=lambda content: resaved(content, lambda member: member[:4]),
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_by_name(damage, tmp_path):
    path = write(tmp_path, small_grid())
    stored = io.BytesIO()
    np.savez(stored, **small_grid())
    path.write_bytes(DAMAGE[damage](stored.getvalue()))
    with pytest.raises(
        ValueError, match=r"part.npz is damaged or another file \(.+\): get it again from http"
    ) as caught:
        data.load("dsprites", root=tmp_path)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- the real files


@pytest.mark.skipif(DATA_VARIABLE not in os.environ, reason=f"{DATA_VARIABLE} is not set")
def test_drawn_sprites_are_like_those_of_dsprites():
    try:
        real = data.load("dsprites")
    except FileNotFoundError:
        pytest.skip(f"dSprites is not in the folder that {DATA_VARIABLE} names")
    if real.info["factor_sizes"] != [3, 6, 10, 16, 16]:
        pytest.skip("another part of dSprites than the one compared with")
    drawn = data.load(
        "procedural_sprites", size=64, num_scales=6, num_orientations=10, num_positions=16
    )
    np.testing.assert_array_equal(drawn.factors, real.factors)
    some = slice(None, None, 7)
    real, drawn = real.take(some), drawn.take(some)
    for shape in range(3):
        chosen = real.labels == shape
        one, other = (dataset.x[chosen, 0] > 0 for dataset in (real, drawn))
        assert other.mean() == pytest.approx(one.mean(), rel=0.03)
        apart = np.abs(centres(one) - centres(other)).max()
        assert (
            apart < (1.5, 1.5, 3.5)[shape]
        )  # pixels: half a step at the ends; their hearts turn about another point
        early = real.factors[chosen, 2] < 3  # their turns are 40/39 of ours: that adds up
        overlap = (one & other)[early].sum() / (one | other)[early].sum()
        assert overlap > (0.8, 0.8, 0.6)[shape]
