"""Rosetta points: files that are right or refused, checks against one's own data."""

import json
import os
import zipfile

import numpy as np
import pytest
import torch

from rvae_lite import VAE, RosettaPoints, fit, rosetta, rosetta_files


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def example_points():
    return RosettaPoints(
        draw(6, 1, 2, 2), draw(6, 3, seed=1), ids=list("abcdef"), header=dict(licence="CC0")
    )


def saved(tmp_path):
    path = tmp_path / "points.npz"
    example_points().save(path)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_points_are_saved_and_loaded_to_the_last_bit(tmp_path, dtype):
    x = (100 * draw(6, 1, 2, 2) ** 2).clip(0, 255).astype(dtype)
    points = RosettaPoints(x, draw(6, 3), ids=["ä", "b", "", "d", "e", "longer"])
    points.save(tmp_path / "points.npz")
    loaded = RosettaPoints.load(tmp_path / "points.npz")
    assert loaded.x.dtype == dtype
    assert loaded.x.tobytes() == points.x.tobytes()
    assert loaded.z.tobytes() == points.z.tobytes()
    assert loaded.ids.tolist() == points.ids.tolist()
    assert loaded.header == points.header


def test_loaded_points_saved_again_are_the_same_file_content(tmp_path):
    RosettaPoints.load(saved(tmp_path)).save(tmp_path / "again.npz")
    again = RosettaPoints.load(tmp_path / "again.npz")
    assert again.header == RosettaPoints.load(tmp_path / "points.npz").header


def refusal(path):
    with pytest.raises(ValueError) as caught:
        RosettaPoints.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, compression=zipfile.ZIP_STORED, **changed):
    """Write the members again, some of them changed (arrays) or left out (None), under the stale hash."""
    contents = members(path)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            array = changed.get(name.removesuffix(".npy"), content)
            if isinstance(array, bytes):
                archive.writestr(name, array)
            elif array is not None:
                with archive.open(name, "w") as file:
                    np.lib.format.write_array(file, array)


def test_truncated_points_are_refused(tmp_path):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "is not a readable rosetta file" in refusal(path)


def test_points_with_a_flipped_byte_are_refused(tmp_path):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(example_points().z.tobytes()) + 5] ^= 4
    path.write_bytes(content)
    assert "Bad CRC-32" in refusal(path)


def test_points_altered_under_a_stale_hash_are_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, z=example_points().z + 1)
    assert "was altered after it was written (its SHA-256 differs)" in refusal(path)


def test_a_missing_array_is_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, z=None)
    assert "was altered after it was written" in refusal(path)
    rosetta.save_arrays(path, kind="rosetta", version=1, header={}, arrays=dict(x=np.zeros((2, 2))))
    assert "holds ['x'] instead of ids, x and z" in refusal(path)


def test_points_that_hold_pickled_objects_are_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, ids=np.array([{}] * 6))
    assert "it holds pickled objects, which are never loaded" in refusal(path)


def test_compressed_points_are_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, zipfile.ZIP_DEFLATED)
    assert "it holds a compressed member" in refusal(path)


def test_points_of_a_future_version_ask_to_upgrade(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(rosetta, "BARE_VERSION", rosetta.SCHEMA_VERSION + 1)
        path = saved(tmp_path)
    assert "has schema version 4, this rvae_lite reads up to 3: upgrade rvae_lite" in refusal(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    space = fit(VAE.mlp(2, 2, (4,)), draw(8, 2), epochs=1, batch_size=8)
    space.save(tmp_path / "fit.npz")
    assert "is a 'fit' file, not a rosetta file" in refusal(tmp_path / "fit.npz")


def test_text_in_place_of_points_is_refused(tmp_path):
    (tmp_path / "points.npz").write_text("x,z\n1,2\n")
    assert "is not a readable rosetta file" in refusal(tmp_path / "points.npz")


def test_a_missing_points_file_is_reported_with_its_path(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="there is no rosetta file at .*points.npz: check the path"
    ):
        RosettaPoints.load(tmp_path / "points.npz")


def test_a_valid_hash_over_invalid_points_is_still_refused(tmp_path):
    arrays = dict(
        x=np.full((2, 2), np.nan, np.float32),
        z=np.zeros((2, 2), np.float32),
        ids=np.array(["", ""]),
    )
    rosetta.save_arrays(
        tmp_path / "points.npz", kind="rosetta", version=1, header={}, arrays=arrays
    )
    with pytest.raises(ValueError, match="points hold NaN or infinite values"):
        RosettaPoints.load(tmp_path / "points.npz")


def test_300_random_damages_are_refused_or_harmless(tmp_path):
    path, random = saved(tmp_path), np.random.default_rng(1)
    content, expected = path.read_bytes(), RosettaPoints.load(path)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        start = random.integers(len(content))
        stop = min(start + random.choice([1, 1, 1, 8, 200]), len(content))
        damaged[start:stop] = random.choice([random.bytes(stop - start), b"", random.bytes(7)])
        path.write_bytes(damaged)
        try:
            loaded = RosettaPoints.load(path)
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        assert loaded.x.tobytes() == expected.x.tobytes()
        assert loaded.z.tobytes() == expected.z.tobytes()
        assert loaded.ids.tolist() == expected.ids.tolist()
        assert json.dumps(loaded.header, sort_keys=True) == json.dumps(
            expected.header, sort_keys=True
        )
    assert refused > 200


@pytest.mark.parametrize("failing", ["os.fsync", "numpy.savez"])
def test_points_that_cannot_be_written_leave_the_old_file(tmp_path, monkeypatch, failing):
    path = saved(tmp_path)
    before = path.read_bytes()

    def full_disk(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(failing, full_disk)
        with pytest.raises(
            OSError, match="cannot write .*points.npz .No space left on device.: free some space"
        ):
            RosettaPoints(draw(9, 4), draw(9, 2)).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["points.npz"]


def test_book_points_are_loaded_by_name_and_an_unknown_name_names_the_known_ones(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(rosetta_files.resources, "files", lambda package: tmp_path)
    folder = tmp_path / "data" / "rosetta"
    folder.mkdir(parents=True)
    example_points().save(folder / "toy.npz")
    assert np.array_equal(RosettaPoints.load("book:toy").z, example_points().z)
    with pytest.raises(
        ValueError, match="there are no points 'book:cats'; the book ships book:toy"
    ):
        RosettaPoints.load("book:cats")


@pytest.mark.parametrize(
    ("x", "z", "options", "message"),
    [
        (draw(3, 2), draw(4, 2), {}, r"and z \(R, K\) of one length, not \(3, 2\) and \(4, 2\)"),
        (draw(3), draw(3, 2), {}, r"points need x \(R, \*data\)"),
        (draw(3, 2), draw(3), {}, r"points need x \(R, \*data\)"),
        (draw(0, 2), draw(0, 2), {}, "there are no points, or empty ones: select at least one"),
        (np.full((3, 2), np.inf), draw(3, 2), {}, "points hold NaN or infinite values"),
        (draw(3, 2), np.full((3, 2), np.nan), {}, "points hold NaN or infinite values"),
        (
            draw(3, 2),
            draw(3, 2),
            dict(ids=["a", "b"]),
            r"ids must be one per point \(3\), not of shape \(2,\)",
        ),
    ],
)
def test_impossible_points_are_refused(x, z, options, message):
    with pytest.raises(ValueError, match=message):
        RosettaPoints(x, z, **options)


def images(num_images=40, *, size=4, seed=0):
    return (
        np.random.default_rng(seed).integers(0, 256, (num_images, 1, size, size)).astype(np.uint8)
    )


def points_of(x):
    return RosettaPoints(x[:8], draw(8, 2))


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_data_like_the_points_are_accepted(shift):
    report = points_of(images() / 255).check(images(seed=1) / 255 * (1 - shift) + shift)
    assert report[:2] == ([], [])
    assert str(report) == f"the points fit the data\n{report.covering}"


def test_bytes_and_floats_of_the_same_images_are_accepted_both_ways():
    assert points_of(images()).check(images(seed=1) / 255)[:2] == ([], [])
    assert points_of(images() / 255).check(torch.from_numpy(images(seed=1)))[:2] == ([], [])


SCALED = {
    "0-255 points, 0-1 data": (images() * 1.0, images(seed=1) / 255),
    "0-1 points, 0-255 data": (images() / 255, images(seed=1) * 1.0),
    "points scaled twice": (images() / 255 / 255, images(seed=1)),
    "data scaled twice": (images(), images(seed=1) / 255 / 255),
    "0-255 points, bytes": (images() * 1.0, images(seed=1)),
}


@pytest.mark.parametrize("case", SCALED)
def test_another_scale_is_an_error(case):
    x, other = SCALED[case]
    (error,) = points_of(x).check(other).errors
    assert "are on different scales: prepare both alike (0-255 or 0-1?)" in error


def test_a_somewhat_other_scale_is_a_warning():
    report = points_of(images() / 255).check(images(seed=1) / 255 * 4)
    assert report.errors == []
    warning = report.warnings[0]
    assert warning.endswith("in the data (mean ± SD): same units, order and orientation?")
    assert str(report).startswith(f"warning: {warning}\nwarning: ")


def test_another_resolution_is_an_error():
    (error,) = points_of(images()).check(images(size=5)).errors
    assert "shape (1, 4, 4), the data's (1, 5, 5): bring both to one resolution" in error
    assert str(points_of(images()).check(images(size=5))) == f"error: {error}"


def test_more_points_than_data_is_an_error():
    (error,) = points_of(images()).check(images(7)).errors
    assert error == "there are 8 points for 7 examples: select fewer points"


def test_no_data_and_nan_are_errors():
    assert points_of(images()).check(images(0)).errors == [
        "the data are empty: pass at least one example"
    ]
    (error,) = points_of(images()).check(np.full((9, 1, 4, 4), np.nan)).errors
    assert error == "the data hold NaN or infinite values: drop those examples"


def test_too_few_points_for_the_latent_dimensions_are_a_warning():
    (warning,) = RosettaPoints(images(3), draw(3, 3)).check(images()).warnings
    assert warning == "3 points cannot pin down 3 latent dimensions: select at least 4"


def test_fit_refuses_points_of_another_latent_dimension():
    points = RosettaPoints(draw(4, 5), draw(4, 3))
    with pytest.raises(
        ValueError, match="points have K = 3 latent dimensions, the model has 2: .* latent_dim=3"
    ):
        fit(VAE.mlp(5, 2, (4,)), draw(20, 5), epochs=1, batch_size=10, rho=1.0, points=points)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (
            RosettaPoints(draw(4, 6), draw(4, 2)),
            "points do not fit the data: .*bring both to one resolution",
        ),
        (
            RosettaPoints(255 * draw(4, 5), draw(4, 2)),
            "points do not fit the data: .*different scales",
        ),
        (
            RosettaPoints(draw(30, 5), draw(30, 2)),
            "points do not fit the data: there are 30 points for 20 examples",
        ),
    ],
)
def test_fit_refuses_points_whose_check_has_errors(points, message):
    with pytest.raises(ValueError, match=message):
        fit(VAE.mlp(5, 2, (4,)), draw(20, 5), epochs=1, batch_size=10, rho=1.0, points=points)


def test_images_in_another_scale_or_resolution_are_refused():
    stored = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8)).astype(np.float32)
    points = RosettaPoints(stored[:8], np.zeros((8, 2)))
    assert "different scales" in points.check(stored / 255).errors[0]
    assert "one resolution" in points.check(stored[:, :, ::2, ::2]).errors[0]
    whole = RosettaPoints(
        stored[:8].astype(np.uint8), np.zeros((8, 2))
    )  # uint8 is divided by 255 on both sides
    assert whole.check(stored / 255).errors == []


COVERINGS = [
    [0.1, 0.2, 0.3],
    dict(median=0.1, q95=0.2),
    dict(median=0.1, q95=0.2, radius="0.3"),
    dict(median=0.1, q95=0.2, radius=True),
    dict(median=0.1, q95=0.2, radius=float("nan")),
    dict(median=0.1, q95=0.2, radius=float("inf")),
    dict(median=0.1, q95=0.2, radius=10**400),
    dict(median=0.3, q95=0.2, radius=0.4),
    dict(median=-0.1, q95=0.2, radius=0.4),
]


@pytest.mark.parametrize("covering", COVERINGS)
def test_a_covering_that_is_none_is_refused(covering):
    expected = "covering must be median <= q95 <= radius, finite distances from 0 upwards: correct"
    with pytest.raises(ValueError, match=f"the header's {expected}"):
        RosettaPoints(draw(4, 2), draw(4, 2), header=dict(covering=covering))


def test_a_covering_travels_with_the_file(tmp_path):
    covering = dict(median=0, q95=0.2, radius=0.3)
    points = RosettaPoints(draw(4, 2), draw(4, 2), header=dict(covering=covering))
    points.save(tmp_path / "p.npz")
    assert RosettaPoints.load(tmp_path / "p.npz").header["covering"] == covering


# ---------------------------------------------------------------- for a loop of one's own


def test_points_become_tensors_in_the_units_of_a_model():
    x = np.array([[0, 51], [255, 102]], np.uint8)
    anchors = RosettaPoints(x, draw(2, 3)).to("cpu", torch.float64)
    assert anchors.x.dtype == anchors.z.dtype == torch.float64 and anchors.target is None
    assert torch.allclose(anchors.x, torch.tensor([[0, 0.2], [1, 0.4]], dtype=torch.float64))


def test_tensors_of_points_are_copies():
    points = example_points()
    points.x.setflags(write=False)  # as of a memory map; PyTorch would warn
    anchors = points.to()
    anchors.z.zero_()
    assert np.array_equal(anchors.x, points.x) and points.z.any()


def test_curves_are_no_tensors_until_a_beta_is_chosen():
    curves = RosettaPoints(draw(6, 5), draw(2, 6, 3), betas=[0.1, 10.0])
    with pytest.raises(ValueError, match=r"curves over beta: choose .* points.at_beta\(1.0\).to"):
        curves.to()
    assert np.array_equal(curves.at_beta(0.1).to().z, curves.z[0])
