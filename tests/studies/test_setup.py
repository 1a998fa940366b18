"""What the studies are run on."""

import numpy as np
import pytest

from rvae_lite.data import load
from rvae_lite.models.vae import VAE
from rvae_lite.studies.setup import BIRDSONG, COMPLEX, SIMPLE, image_setup


@pytest.mark.parametrize("network", ["residual", "patch", "mlp"])
def test_images_take_any_of_three_networks(network):
    setup = image_setup("digits", 16, network=network, num_examples=40, epochs=3)
    assert setup.model.data_shape == setup.dataset.x.shape[1:] == (1, 8, 8)
    assert (setup.model.latent_dim, setup.num_points, setup.epochs) == (8, 16, 3)


def test_chairs_are_averaged_down_and_inverted():
    setup = image_setup("procedural_chairs", 16, network="patch", num_examples=20, side=32)
    whole = load("procedural_chairs", num_examples=20)
    assert setup.dataset.x.shape == (20, 1, 32, 32) and setup.dataset.x.dtype == np.uint8
    corner = whole.x[:, 0, 30:32, 30:32].astype(float).mean((1, 2))
    assert np.abs(setup.dataset.x[:, 0, 15, 15] - (255 - corner)).max() <= 0.5
    assert (setup.dataset.x[:, 0, 0] == 0).all()  # the background
    assert setup.dataset.info["preprocessing"] == dict(inverted=True, averaged_to=32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(name="cats"), "name must be one of .*'digits'.*, not 'cats'"),
        (
            dict(network="transformer"),
            r"network must be one of \['mlp', 'patch', 'residual'\], not 'transformer'",
        ),
        (dict(side=3), "side must divide 8, the images' own, not be 3"),
    ],
)
def test_impossible_setups_of_images_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        image_setup(**dict(name="digits") | options)


def test_the_networks_for_birdsong_are_the_papers():
    def blocks(options):
        model = VAE.residual((1, 128, 128), 32, **options)
        names = [type(layer).__name__ for layer in model.encoder]
        return model, names.count("ResidualBlock"), names.index("Linear")

    model, count, _ = blocks(BIRDSONG)
    assert (
        count == 4
        and model.encoder[-2].in_features == 6144
        and model.encoder[-2].out_features == 1568
    )
    assert model.head.hidden.in_features == 1568
    assert blocks(SIMPLE)[1] == 2 and blocks(COMPLEX)[1] == 5
    names = [type(layer).__name__ for layer in blocks(COMPLEX)[0].encoder]
    third, fourth = [i for i, name in enumerate(names) if name == "Conv2d"][2:]
    assert names[third:fourth].count("ResidualBlock") == 1
