"""What the maps of a report are drawn from: places, distances, labels, pictures."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from workbench import circle, draw, explored, floats, four_spaces, images, turned

from rvae_lite import alignment, coverage
from rvae_lite.lab import comparing, exploring
from rvae_lite.lab.comparing import compare_spaces, value_of
from rvae_lite.lab.exploring import Examples, explorable, read_labels
from rvae_lite.lab.page import latent_plane
from rvae_lite.lab.reading import Arrays
from rvae_lite.lab.report import comparison_page


def test_each_map_has_its_places_and_its_distances(compared):
    data = explorable(compared, Examples())
    first, near = compared.spaces["first"], compared.spaces["near"]
    window, _ = latent_plane(first)
    assert np.allclose(floats(data["dots"]).reshape(-1, 2), window(first), atol=1e-5)
    maps = next(space["maps"] for space in data["spaces"] if space["name"] == "near")
    assert list(maps) == [name for name in exploring.MAPS if name != "known"]
    rest = np.setdiff1d(np.arange(150), compared.anchors)
    for metric, side in maps.items():
        shares = np.square(floats(side["far"])[rest]).mean()
        found = value_of(compared, "near", "first", metric)
        assert np.isclose(shares, found, rtol=1e-4), metric
    moved = alignment.orthogonal_map(near[compared.anchors], first[compared.anchors])
    places = floats(maps["procrustes"]["dots"]).reshape(-1, 2)
    assert np.allclose(places, window(moved(near)), atol=1e-5)
    marks = floats(maps["procrustes"]["marks"]).reshape(-1, 2)
    assert np.allclose(marks, places[compared.anchors], atol=1e-5)
    assert "over 135 examples that are no anchors" in maps["affine"]["told"]


def test_spaces_of_another_k_have_a_plane_of_their_own_and_no_distance():
    compared = compare_spaces(dict(a=draw(40, 2), b=draw(40, 3, seed=1)), num_anchors=6)
    maps = explorable(compared, Examples())["spaces"][0]["maps"]
    assert "procrustes" not in maps and maps["unaligned"]["far"] is None
    assert maps["unaligned"]["told"] == "K differs" and maps["affine"]["far"]


def test_covering_is_of_inputs_where_there_are_else_of_latents(compared):
    first, x = compared.spaces["first"], circle(150)
    of_latents = explorable(compared, Examples())["covering"]
    size = alignment.total_variance(first) ** 0.5
    expected = coverage.distances_to_anchors(first, first[compared.anchors]) / size
    assert np.allclose(floats(of_latents["far"]), expected, atol=1e-6)
    of_inputs = explorable(compared, Examples(x=x))["covering"]
    expected = coverage.distances_to_anchors(x, x[compared.anchors])
    assert np.allclose(floats(of_inputs["far"]), expected, atol=1e-6)
    told = explorable(compared, Examples(x=x, anchors=x[:2]))["covering"]
    assert np.isclose(floats(told["far"])[:2], 0).all() and "its input lies {}" in told["said"]


def test_anchors_are_named_where_they_are_data(compared):
    assert explorable(compared, Examples())["anchors"] == compared.anchors.tolist()
    x = four_spaces()
    outside = compare_spaces(x, anchor_spaces={name: means[:9] for name, means in x.items()})
    data = explorable(outside, Examples())
    assert data["anchors"] == [] and floats(data["marks"]).shape == (18,)


def test_more_examples_than_can_be_told_apart_are_drawn_by_lot_with_the_anchors(monkeypatch):
    monkeypatch.setattr(exploring, "MOST_DOTS", 60)
    compared = compare_spaces(four_spaces(), anchors=np.arange(0, 150, 10))
    rows = exploring.drawn_rows(compared)
    assert len(rows) == 60 and set(compared.anchors) <= set(rows) and (np.diff(rows) > 0).all()
    data = explored(comparison_page(compared))
    assert data["total"] == 150 and len(data["ids"]) == 60
    assert data["ids"] == [str(row) for row in rows]


def test_labels_come_by_how_often_they_are_there(compared):
    labels = np.array(["rare"] * 10 + ["often"] * 90 + ["less"] * 50)
    told = explorable(compared, Examples(labels=labels))["labels"]
    assert told["names"] == ["often", "less", "rare"] and told["counts"] == [90, 50, 10]
    assert np.array_equal(np.array(told["names"])[floats(told["of"]).astype(int)], labels)


def test_what_is_not_known_is_not_offered():
    spaces = dict(a=draw(40, 2), b=draw(40, 2, seed=1))
    bare = comparison_page(compare_spaces(spaces, num_anchors=5))
    told = dict(labels=np.array(["u", "v"] * 20), x=images(40))
    full = comparison_page(compare_spaces(spaces, num_anchors=5), examples=Examples(**told))
    for offered in ('value="labels"', 'id="turned"'):
        assert offered in full and offered not in bare
    assert 'value="spread"' not in full and 'id="space"' not in full


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_small_pictures_are_kept_to_the_last_bit(channels, dtype):
    x = np.random.default_rng(0).integers(0, 256, (10, channels, 6, 9)).astype(np.uint8)
    sheet = exploring.sheet(x if dtype == np.uint8 else x.astype(np.float32) / 255)
    whole = _opened(sheet).reshape(-1, sheet["columns"] * 9, channels)
    for number, picture in enumerate(x):
        row, column = divmod(number, sheet["columns"])
        cut = whole[6 * row : 6 * row + 6, 9 * column : 9 * column + 9]
        assert np.array_equal(cut, picture.transpose(1, 2, 0))


def _opened(sheet):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["source"].split(",")[1]))))


def test_pictures_of_2000_examples_fit_on_a_page():
    noise = np.random.default_rng(0).integers(0, 256, (2000, 3, 64, 64)).astype(np.uint8)
    sheet = exploring.sheet(noise)
    assert len(sheet["source"]) < exploring.MOST_SHEET
    assert sheet["source"].startswith("data:image/webp") and sheet["width"] == sheet["height"] == 32
    assert exploring.sheet(circle(20)) is None


@pytest.mark.slow
def test_a_page_of_2000_examples_in_ten_spaces_is_below_5_mb(monkeypatch):
    monkeypatch.setattr(comparing, "RESAMPLINGS", 2)
    noise = np.random.default_rng(0).integers(0, 256, (2000, 3, 32, 32)).astype(np.uint8)
    ids = np.array([f"a folder/with a longer name/recording {i:05d}.wav" for i in range(2000)])
    shown = Examples(ids, np.array(list("abcdefgh") * 250), noise)
    spaces = {f"space {seed}": draw(2000, 2, seed=seed) for seed in range(10)}
    page = comparison_page(compare_spaces(spaces, anchors=np.arange(64)), examples=shown)
    assert len(page.encode()) < 5_000_000


def test_pictures_and_names_can_stay_away():
    spaces = SimpleNamespace(rows=np.arange(20), num_data=20)
    read = Arrays(images(20), np.array([f"a/{i}.png" for i in range(20)]), [])
    shown = exploring.examples_of(read, spaces)
    assert shown.ids[3] == "a/3.png" and shown.notes() == [
        "names and pictures of examples are in the report: --no-pictures leaves them out"
    ]
    bare = exploring.examples_of(read, spaces, pictures=False)
    assert bare.notes() == [] and bare.ids is None and not bare.pictures
    compared = compare_spaces(dict(a=draw(20, 2), b=draw(20, 2, seed=1)), num_anchors=5)
    assert explorable(compared, bare)["sheet"] is None and explorable(compared, shown)["sheet"]


def test_folders_are_labels_where_they_look_like_some():
    spaces = SimpleNamespace(rows=np.arange(4), num_data=6)
    read = Arrays(circle(6), np.array([f"{i % 2}/{i}.npy" for i in range(6)]), [])
    assert exploring.examples_of(read, spaces).labels.tolist() == ["0", "1", "0", "1"]
    told = read._replace(labels=np.array(list("abcdef")))
    assert exploring.examples_of(told, spaces).labels.tolist() == list("abcd")
    given = exploring.examples_of(read, spaces, labels=np.array(list("uvwxyz")))
    assert given.labels.tolist() == ["u", "v", "w", "x"]
    assert exploring.examples_of(read, spaces, pictures=False).labels is None  # folders are names
    flat = Arrays(circle(6), np.arange(6).astype(str), [])
    assert exploring.examples_of(flat, spaces).labels is None
    with pytest.raises(ValueError, match="there are 3 labels for 6 examples: give one label an"):
        exploring.examples_of(flat, spaces, labels=np.array(list("uvw")))


def test_labels_are_read_from_arrays_and_texts(tmp_path):
    np.save(tmp_path / "numbers.npy", np.array([1, 0, 2]))
    np.save(tmp_path / "texts.npy", np.array(["one", "zero", "two"]))
    (tmp_path / "lines.txt").write_bytes("\ufeffone\r\nzero\r\ntw\u00f6\r\n".encode())
    assert read_labels(tmp_path / "numbers.npy").tolist() == ["1", "0", "2"]
    assert read_labels(tmp_path / "texts.npy").tolist() == ["one", "zero", "two"]
    assert read_labels(tmp_path / "lines.txt").tolist() == ["one", "zero", "twö"]


def test_labels_that_are_none_are_refused(tmp_path):
    np.save(tmp_path / "plane.npy", np.zeros((3, 2)))
    np.save(tmp_path / "objects.npy", np.array([None, 1]), allow_pickle=True)
    np.save(tmp_path / "missing.npy", np.array([1.0, np.nan]))
    (tmp_path / "latin.txt").write_bytes("tw\u00f6".encode("latin-1"))
    for name, error, message in (
        ("none.npy", FileNotFoundError, "there is no"),
        ("plane.npy", ValueError, r"holds an array of shape \(3, 2\): give one label an example"),
        ("objects.npy", ValueError, "pickled objects, which are never loaded"),
        ("missing.npy", ValueError, "has missing names"),
        ("latin.txt", ValueError, "is not UTF-8 text: save it again as UTF-8"),
    ):
        with pytest.raises(error, match=message):
            read_labels(tmp_path / name)


def test_a_collapsed_reference_and_one_dimension_have_a_page():
    flat = compare_spaces(dict(a=np.zeros((30, 2)), b=draw(30, 2)), anchors=[0, 1, 2])
    line = compare_spaces(dict(a=draw(30, 1), b=turned(draw(30, 2))[:, :1]), num_anchors=4)
    for compared in (flat, line):
        maps = explored(comparison_page(compared))["spaces"][0]["maps"]
        assert np.isfinite(floats(maps["unaligned"]["dots"])).all()
