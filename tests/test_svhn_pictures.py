"""The samples of SVHN that a chapter draws: what the tool makes, and what is committed."""

import numpy as np
import pytest
import torch
from loading import ROOT, load_file

from rvae_lite import VAE, fit
from rvae_lite.laws import LogUniform
from rvae_lite.multirate import make_multirate
from rvae_lite.studies.colour import SEVEN

tool = load_file("tools/svhn_pictures.py")
PLACE = ROOT / "results" / "svhn_pictures.npz"
BYTES = 200_000


@pytest.fixture(scope="module")
def made():
    """The arrays from small models of noise, and those models."""
    x = torch.rand(20, 3, 8, 8)
    plain = VAE.mlp((3, 8, 8), 2, hidden=(4,), value_range=(0.0, 1.0))
    short = dict(epochs=1, batch_size=10, compile=False)
    one = fit(make_multirate(plain), x, beta=LogUniform(0.01, 10.0), **short)
    two = fit(plain, x, beta=[0.1, 1.0], replicas=2, **short)
    fits = dict(zip(tool.METHODS, (one, two), strict=True))
    return tool.pictures(fits, np.array([0.1, 1.0]), "small"), one, two


def test_a_row_is_one_latent_at_every_beta(made):
    arrays, one, two = made
    assert arrays["samples"].shape == (2, 5, 2, 3, 8, 8)
    z = torch.randn((tool.MEASURED, 2), generator=torch.Generator().manual_seed(1))
    expected = one.decode(z, beta=0.1)[0][3].clamp(0, 1), two.decode(z)[1][3].clamp(0, 1)
    shown = arrays["samples"][0, 3, 0], arrays["samples"][1, 3, 1]
    for image, wanted in zip(shown, expected, strict=True):
        np.testing.assert_allclose(image / 255, wanted, atol=1 / 255)


def test_a_change_is_relative_to_the_variance_of_the_samples():
    images = np.random.default_rng(0).normal(size=(50, 3, 4))
    assert tool.change(images) == pytest.approx(2, rel=0.1)
    assert tool.change(np.stack([images[:, 0]] * 3, axis=1)) == 0


def test_the_committed_file_is_small_and_holds_what_the_chapter_draws():
    assert PLACE.stat().st_size < BYTES
    with np.load(PLACE, allow_pickle=False) as file:
        arrays = dict(file)
    assert tuple(arrays["methods"]) == tool.METHODS
    assert arrays["samples"].shape == (2, tool.SHOWN, 7, 3, 32, 32)
    assert arrays["samples"].dtype == np.uint8
    assert arrays["betas"] == pytest.approx(SEVEN) and (arrays["changes"] > 0).all()
    assert "16 epochs" in str(arrays["scale"])
