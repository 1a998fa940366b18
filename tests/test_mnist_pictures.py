"""The pictures of MNIST that a chapter draws: what the tool makes, and what is committed."""

import numpy as np
import pytest
from loading import ROOT, load_file

from rvae_lite import VAE, fit, select_points
from rvae_lite.data import Dataset
from rvae_lite.reporting import figures

tool = load_file("tools/mnist_pictures.py")
PLACE = ROOT / "results" / "mnist_pictures.npz"
NAMES = ["template", "VAE", "R-VAE", "VAE, mapped"]
ROWS = ["images", *NAMES[:3], *(f"{name} by the template" for name in ("VAE", "R-VAE"))]
ROWS += ["VAE, mapped by the template"]
BYTES = 150_000


@pytest.fixture(scope="module")
def made():
    """The arrays from small models of noise, and what they were made of."""
    x = np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28)).astype(np.uint8)
    model = VAE.mlp((1, 28, 28), 2, hidden=(4,), value_range=(0.0, 1.0))
    short = dict(epochs=1, batch_size=20)
    template, vae, rvae = (fit(model, x, seed=seed, **short) for seed in range(3))
    labels = np.arange(40) % 10
    held_out = Dataset(x, labels, np.arange(40), np.ones(40, int), {})
    points = select_points(x, template.encode(x)[0], 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "umap_of", figures.plane_of)
        arrays = tool.pictures(template, points, {"VAE": vae, "R-VAE": rvae}, held_out, "small")
    return arrays, template, rvae, x


def test_each_row_has_one_held_out_image_of_each_digit(made):
    arrays, *_, x = made
    assert list(arrays["rows"]) == ROWS
    assert arrays["images"].shape == (7, 10, 28, 28) and arrays["images"].dtype == np.uint8
    np.testing.assert_array_equal(arrays["images"][0], x[:10, 0])


def test_a_row_is_the_templates_decoder_on_the_other_models_latents(made):
    arrays, template, rvae, x = made
    drawn = template.decode(rvae.encode(x)[0])[0].numpy()[:, 0].clip(0, 1)
    row = ROWS.index("R-VAE by the template")
    np.testing.assert_array_equal(arrays["images"][row], np.rint(255 * drawn[:10]))
    error = np.square(drawn - x[:, 0] / 255).sum((1, 2)).mean()
    assert arrays["errors"][row] == pytest.approx(error, rel=1e-5)
    assert arrays["errors"][0] == 0


def test_every_space_goes_through_one_window(made):
    arrays, template, *_, x = made
    codes = template.encode(x)[0].numpy()
    np.testing.assert_allclose(arrays["planes"][0], figures.plane_of(codes)(codes), atol=0.01)
    assert list(arrays["spaces"]) == NAMES and arrays["planes"].shape == (4, 40, 2)


def test_the_committed_file_is_small_and_holds_what_the_chapter_draws():
    assert PLACE.stat().st_size < BYTES
    with np.load(PLACE, allow_pickle=False) as file:
        arrays = dict(file)
    assert list(arrays["rows"]) == ROWS and list(arrays["spaces"]) == NAMES
    assert arrays["images"].shape == (7, 10, 28, 28) and arrays["points"].shape == (64, 28, 28)
    assert {arrays["images"].dtype, arrays["points"].dtype} == {np.dtype(np.uint8)}
    assert arrays["planes"].shape == (4, 1000, 2) and np.isfinite(arrays["planes"]).all()
    assert set(arrays["labels"]) == set(range(10))
    assert "epochs" in str(arrays["scale"])
