"""3D Chairs on small fakes of its folder and archive: the cache, the partition, damaged files."""

import io
import os
import tarfile

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rvae_lite import data, storage
from rvae_lite.data import chairs

MODELS, VIEWS = ["b3", "a1", "c2"], [(20, 0), (20, 11), (30, 0), (30, 348)]


def png(grey, *, size=600):
    """A square of one grey level and a red bar on white, as bytes of a file."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((200, 100 + grey, 399, 299 + grey), fill=(grey, grey, grey))
    draw.rectangle((300, 320, 310, 500), fill=(255, 0, 0))
    file = io.BytesIO()
    image.save(file, "png", compress_level=1)
    return file.getvalue()


def image_path(folder, model, number):
    elevation, azimuth = VIEWS[number]
    return (
        folder / model / "renders" / f"image_{number:03d}_p{elevation:03d}_t{azimuth:03d}_r096.png"
    )


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with 3 models of 4 views, and what else lies in the real folder."""
    monkeypatch.setattr(chairs, "NUM_IMAGES", 12)
    folder = tmp_path / "root" / "rendered_chairs"
    for i, model in enumerate(MODELS):
        (folder / model / "renders").mkdir(parents=True)
        for number in range(4):
            image_path(folder, model, number).write_bytes(png(20 * i + number))
    (folder / "all_chair_names.mat").write_bytes(b"another file")
    (folder / "a1" / "renders" / "._image_000_p020_t000_r096.png").write_bytes(b"not an image")
    return tmp_path / "root"


@pytest.fixture
def packed(root, tmp_path):
    """The same as a root that holds the archive alone."""
    (tmp_path / "packed").mkdir()
    with tarfile.open(tmp_path / "packed" / "rendered_chairs.tar", "w") as archive:
        archive.add(root / "rendered_chairs", "rendered_chairs")
    return tmp_path / "packed"


def cache_of(root):
    return root / "chairs_cache" / "chairs_64.npz"


def count_reads(monkeypatch):
    """A list that grows by one with each image that is decoded."""
    reads, shrink = [], chairs.shrink

    def counted(content):
        reads.append(len(content))
        return shrink(content)

    monkeypatch.setattr(chairs, "shrink", counted)
    return reads


def test_the_folder_gives_images_models_and_ids_in_a_fixed_order(root):
    dataset = data.load("chairs", root=root)
    assert dataset.x.shape == (12, 1, 64, 64)
    assert dataset.x.dtype == np.uint8
    assert dataset.ids[:4].tolist() == [
        "a1-p020-t000",
        "a1-p020-t011",
        "a1-p030-t000",
        "a1-p030-t348",
    ]
    assert dataset.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert [int(x.min()) for x in dataset.x[:, 0]] == [20, 21, 22, 23, 0, 1, 2, 3, 40, 41, 42, 43]
    assert (dataset.info["name"], dataset.info["title"], dataset.info["skipped"]) == (
        "chairs",
        "3D Chairs",
        0,
    )


def test_an_image_is_its_central_square_averaged_in_grey():
    picture = np.full((600, 600, 3), 255.0)
    picture[110:310, 200:400] = 10
    picture[320:501, 300:311] = [255, 0, 0]
    grey = picture @ [0.299, 0.587, 0.114]
    expected = grey[76:-76, 76:-76].reshape(64, 7, 64, 7).mean((1, 3))
    assert np.abs(chairs.shrink(png(10)) - expected).max() < 1


def test_the_archive_gives_what_the_folder_gives(root, packed):
    unpacked, archived = data.load("chairs", root=root), data.load("chairs", root=packed)
    for name in ("x", "labels", "ids", "part"):
        assert np.array_equal(getattr(unpacked, name), getattr(archived, name))
    assert sorted(file.name for file in packed.iterdir()) == ["chairs_cache", "rendered_chairs.tar"]


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_the_second_load_comes_from_the_cache_and_is_the_same(kind, root, packed, monkeypatch):
    place = root if kind == "folder" else packed
    reads = count_reads(monkeypatch)
    first = data.load("chairs", root=place)
    assert len(reads) == 12
    second = data.load("chairs", root=place)
    assert len(reads) == 12
    assert np.array_equal(first.x, second.x) and np.array_equal(first.ids, second.ids)
    header, _ = storage.load_arrays(
        cache_of(place), kind=chairs.CACHE_KIND, version=chairs.CACHE_VERSION
    )
    assert header["num_files"] == 12
    assert header["preprocessing"] == "grey, central 448x448 of 600x600, averaged to 64x64"


def add(root, monkeypatch):
    path = image_path(root / "rendered_chairs", "a1", 0)
    path.with_name("image_031_p030_t011_r096.png").write_bytes(path.read_bytes())
    monkeypatch.setattr(chairs, "NUM_IMAGES", 13)


def remove(root, monkeypatch):
    image_path(root / "rendered_chairs", "a1", 0).unlink()
    monkeypatch.setattr(chairs, "NUM_IMAGES", 11)


def touch(root, monkeypatch):
    os.utime(image_path(root / "rendered_chairs", "a1", 0), (1, 1))


def preprocess(root, monkeypatch):
    monkeypatch.setattr(chairs, "PREPROCESSING", "another way")


@pytest.mark.parametrize("change", [add, remove, touch, preprocess])
def test_a_stale_cache_is_built_anew(change, root, monkeypatch):
    data.load("chairs", root=root)
    change(root, monkeypatch)
    reads = count_reads(monkeypatch)
    dataset = data.load("chairs", root=root)
    assert len(reads) == len(dataset.x) == chairs.NUM_IMAGES
    data.load("chairs", root=root)
    assert len(reads) == chairs.NUM_IMAGES


def cut(content):
    return content[: len(content) // 2]


def alter(content):
    return content[:20_000] + bytes([content[20_000] ^ 1]) + content[20_001:]


def empty(content):
    return b""


@pytest.mark.parametrize("damage", [cut, alter, empty])
def test_a_damaged_cache_is_not_trusted(damage, root, monkeypatch):
    first = data.load("chairs", root=root)
    cache_of(root).write_bytes(damage(cache_of(root).read_bytes()))
    reads = count_reads(monkeypatch)
    assert np.array_equal(data.load("chairs", root=root).x, first.x)
    assert len(reads) == 12


def test_a_build_that_is_killed_halfway_leaves_no_cache(root, monkeypatch):
    reads, shrink = [], chairs.shrink

    def killed(content):
        reads.append(1)
        if len(reads) == 6:
            raise KeyboardInterrupt
        return shrink(content)

    with monkeypatch.context() as patch:
        patch.setattr(chairs, "shrink", killed)
        with pytest.raises(KeyboardInterrupt):
            data.load("chairs", root=root)
    assert not cache_of(root).exists()
    assert len(data.load("chairs", root=root).x) == 12


def test_a_write_that_is_killed_halfway_leaves_no_cache(root, monkeypatch):
    def killed(file, **arrays):
        file.write(b"half of it")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", killed)
        with pytest.raises(KeyboardInterrupt):
            data.load("chairs", root=root)
    assert list(cache_of(root).parent.iterdir()) == []
    assert len(data.load("chairs", root=root).x) == 12


def corrupt_bytes(kind):
    whole = png(7)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    return dict(
        cut=whole[: len(whole) // 2],
        flipped=bytes(flipped),
        text=b"404 not found",
        empty=b"",
        size=png(7, size=64),
    )[kind]


@pytest.mark.parametrize("kind", ["cut", "flipped", "text", "empty", "size"])
def test_a_corrupt_image_is_named_and_refused(kind, root):
    image_path(root / "rendered_chairs", "b3", 2).write_bytes(corrupt_bytes(kind))
    for _ in range(2):
        with pytest.raises(
            ValueError, match="has an unreadable image, .*image_002_p030_t000_r096.png"
        ) as caught:
            data.load("chairs", root=root)
        assert "b3" in str(caught.value) and "on_corrupt='skip'" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not cache_of(root).exists()


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_corrupt_images_are_skipped_and_counted_by_option(kind, root, tmp_path):
    for number in (1, 2):
        image_path(root / "rendered_chairs", "b3", number).write_bytes(b"not an image")
    if kind == "archive":
        with tarfile.open(tmp_path / "rendered_chairs.tar", "w") as archive:
            archive.add(root / "rendered_chairs", "./rendered_chairs")
        root = tmp_path
        assert not (root / "rendered_chairs").exists()
    for _ in range(2):  # the second time from the cache
        with pytest.warns(
            UserWarning, match="2 of 12 images in .* skipped: .*b3.renders.image_001.*image_002"
        ):
            dataset = data.load("chairs", root=root, on_corrupt="skip")
        assert len(dataset.x) == len(dataset.ids) == 10
        assert dataset.info["skipped"] == 2
        assert dataset.info["title"] == "3D Chairs (10 of 12 images)"
        assert not {"b3-p020-t011", "b3-p030-t000"} & set(dataset.ids)
    with pytest.raises(
        ValueError, match="has an unreadable image, .*image_001"
    ):  # the cache does not hide them
        data.load("chairs", root=root)


def test_a_repaired_image_returns(root):
    path = image_path(root / "rendered_chairs", "a1", 0)
    whole = path.read_bytes()
    path.write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 12 images"):
        data.load("chairs", root=root, on_corrupt="skip")
    path.write_bytes(whole)
    assert len(data.load("chairs", root=root).x) == 12


def test_a_set_without_a_readable_image_is_refused(root):
    for path in root.rglob("image_*.png"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="has no readable image: get it again from https"):
        data.load("chairs", root=root, on_corrupt="skip")


def test_an_unknown_way_with_corrupt_images_is_refused(root):
    with pytest.raises(ValueError, match="on_corrupt must be 'refuse' or 'skip', not 'ignore'"):
        data.load("chairs", root=root, on_corrupt="ignore")


def ends_of(archive):
    """Where a half-downloaded archive may end: in an image, a header, a gap, the end mark."""
    with tarfile.open(archive) as file:
        member = file.getmembers()[8]
        last = file.getmembers()[-1]
    end = last.offset_data + -(-last.size // 512) * 512
    return [
        member.offset_data + member.size // 2,
        member.offset + 100,
        member.offset,
        end,
        end + 100,
        0,
    ]


@pytest.mark.parametrize("case", range(6))
def test_a_half_downloaded_archive_is_refused_and_leaves_no_cache(case, packed):
    archive = packed / "rendered_chairs.tar"
    archive.write_bytes(archive.read_bytes()[: ends_of(archive)[case]])
    with pytest.raises(
        ValueError, match="rendered_chairs.tar is cut off or not a tar archive .* download it again"
    ) as e:
        data.load("chairs", root=packed)
    assert "\n" not in str(e.value)
    assert [file.name for file in packed.iterdir()] == ["rendered_chairs.tar"]


def test_an_archive_whose_space_was_reserved_but_not_filled_is_refused(packed):
    archive = packed / "rendered_chairs.tar"
    archive.write_bytes(archive.read_bytes()[: ends_of(archive)[2]] + bytes(2**21))
    with pytest.raises(ValueError, match="is cut off or not a tar archive"):
        data.load("chairs", root=packed)


def test_another_file_in_place_of_the_archive_is_refused(packed):
    (packed / "rendered_chairs.tar").write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(ValueError, match="is cut off or not a tar archive"):
        data.load("chairs", root=packed)


def test_a_folder_that_was_not_unpacked_to_the_end_is_noticed(root, monkeypatch):
    monkeypatch.setattr(chairs, "NUM_IMAGES", 1393 * 62)
    with pytest.warns(
        UserWarning, match="holds 12 of the 86,366 images of 3D Chairs: .* not unpacked to the end"
    ):
        dataset = data.load("chairs", root=root)
    assert dataset.info["title"] == "3D Chairs (12 of 86,366 images)"


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "rendered_chairs").mkdir()
    with pytest.raises(ValueError, match="holds no <model>/renders/image_"):
        data.load("chairs", root=tmp_path)


@pytest.mark.parametrize("download", [True, False])
def test_missing_chairs_say_what_to_put_where(download, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        data.load("chairs", root=tmp_path, download=download)
    message = str(caught.value)
    for part in (
        "rendered_chairs.tar",
        "WILLOW/INRIA",
        chairs.PAGE,
        str(tmp_path),
        "root=",
        data.DATA_VARIABLE,
    ):
        assert part in message
    assert ("no checksum" in message) == download
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_warning(root):
    (root / "chairs_cache").write_text("a file where the folder should be")
    with pytest.warns(
        UserWarning, match="3D Chairs is loaded without a cache, .* cannot write"
    ) as caught:
        dataset = data.load("chairs", root=root)
    assert len(caught) == 1
    assert len(dataset.x) == 12


@pytest.mark.parametrize("partition", ["random", "model"])
def test_the_partition_halves_images_or_models(partition, root):
    dataset = data.load("chairs", root=root, partition=partition)
    assert np.unique(dataset.part).tolist() == [1, 2]
    both = [set(dataset.labels[dataset.part == part]) for part in (1, 2)]
    if partition == "model":
        assert not both[0] & both[1]
    else:
        assert (dataset.part == 1).sum() == 6
    parts = [
        data.load("chairs", root=root, partition=partition, seed=seed).part.tolist()
        for seed in range(8)
    ]
    assert len(set(map(tuple, parts))) > 1
    assert parts[0] == dataset.part.tolist()


def test_num_examples_draws_from_the_chairs(root):
    subset = data.load("chairs", root=root, num_examples=5, seed=1)
    everything = data.load("chairs", root=root, seed=1)
    rows = [everything.ids.tolist().index(name) for name in subset.ids]
    assert np.array_equal(subset.x, everything.x[rows])
    assert np.array_equal(subset.part, everything.part[rows])


def test_the_set_may_lie_in_a_folder_of_its_own(root):
    (root / "chairs").mkdir()
    (root / "rendered_chairs").rename(root / "chairs" / "rendered_chairs")
    assert len(data.load("chairs", root=root).x) == 12
