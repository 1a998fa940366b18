"""One multi-rate training against separate ones on colour images: units, table, figures."""

import matplotlib

matplotlib.use("agg")

import math

import numpy as np
import pandas as pd
import pytest
import torch

from rvae_lite import fit
from rvae_lite.laws import LogUniform
from rvae_lite.losses import gaussian_nll
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import make_multirate
from rvae_lite.studies import colour
from rvae_lite.studies.over_beta import COLOUR, curve_of, rate_setup
from rvae_lite.studies.running import run_study


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colour")
    return run_study("colour", "quick", out=folder, progress=False)


def test_there_is_a_unit_per_set_method_and_seed(monkeypatch):
    cells = colour.study.cells("cpu")
    assert len(cells) == 3 * 3 * 2 and "svhn_part-MR-VAE-seed1" in cells
    assert {cell[0] for cell in colour.study.cells("paper").values()} == {"cifar10", "svhn"}
    seen = []
    monkeypatch.setattr(colour, "setup_of", lambda name, **options: (name, options))
    monkeypatch.setattr(colour, "over_beta", lambda setup, seeds: seen.append((*setup, seeds)))
    colour.study.run("cpu", cells["cifar10_part-beta-VAE-annealed-seed1"])
    ((name, options, seeds),) = seen
    assert (
        name == "cifar10_part"
        and seeds == [1]
        and list(options["methods"]) == ["beta-VAE, annealed"]
    )
    assert (options["latent_dim"], options["epochs"], len(options["betas"])) == (64, 16, 7)


def test_the_distortion_is_the_sum_of_squared_errors_and_a_constant():
    x, mean = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    squared = (x - mean).square().flatten(1).sum(1)
    found = gaussian_nll(x, mean, noise_variance=COLOUR["noise_variance"])
    torch.testing.assert_close(found, squared + 1536 * math.log(math.pi))


def test_every_unit_has_curves_and_frechet_distances(own):
    assert set(own.method) == set(colour.METHODS)
    wanted = {"rate", "distortion", "loss", "frechet_samples", "frechet_reconstructions"}
    assert wanted <= set(own.metric) and own.value.notna().all()
    drawn = own[own.metric == "frechet_samples"]
    assert drawn.encoder.str.startswith("small classifier of").all()
    betas = colour.SEVEN[::2]
    assert curve_of(own, "beta-VAE, annealed").beta.to_numpy() == pytest.approx(betas)
    assert len(curve_of(own, "MR-VAE")) == 2 * len(betas) - 1


def test_the_table_says_how_the_curves_compare(own):
    shown = colour.study.table(own)
    assert shown.index.get_level_values("method").tolist() == [*colour.MULTI_RATE]
    losses = own[own.metric == "loss"].set_index(["method", "beta"]).value
    lowest = own.beta.min()
    expected = losses["MR-VAE", lowest] - losses["beta-VAE, annealed", lowest]
    assert float(shown["at the lowest β"].iloc[0]) == pytest.approx(expected, abs=0.051)
    rival = own[own.method == "beta-VAE, annealed"]
    for shift, verdict in ((-5.0, "agrees"), (5.0, "differs")):
        moved = rival.value + shift * (rival.metric == "distortion")
        ours = [rival.assign(method=name, value=moved) for name in colour.MULTI_RATE]
        judged = colour.study.table(pd.concat([rival, *ours])).verdict
        assert set(judged) == {verdict}


def test_the_ends_of_the_range_are_compared_for_each_set_and_seed(own):
    held = colour.ends(own)
    assert held.index.names == ["data", "seed"] and len(held) == 1
    drawn = own[(own.metric == "frechet_samples") & (own.beta == own.beta.min())]
    drawn = drawn.set_index("method").value
    better = drawn["MR-VAE, paper's gates"] < drawn["beta-VAE, annealed"]
    assert held["better samples at low β"].item() == better


def test_the_figure_has_curves_above_and_differences_below(own):
    axes = colour.study.figure(own)
    assert [len(ax.lines) for ax in axes] == [3, 3]  # the last is the line at 0
    drawn = np.asarray(axes[0].lines[0].get_ydata())
    assert sorted(drawn) == pytest.approx(sorted(curve_of(own, "MR-VAE").distortion))


def test_the_same_latents_are_decoded_at_every_beta_by_both_kinds():
    x = torch.rand(20, 3, 16, 16)
    plain = VAE.cnn((3, 16, 16), 2, width=1 / 64, **COLOUR)
    options = dict(epochs=1, batch_size=10, compile=False)
    apart = fit(plain, x, beta=[0.1, 1.0], replicas=2, **options)
    one = fit(make_multirate(plain), x, beta=LogUniform(0.01, 10), **options)
    figure = colour.plot_samples({"MR-VAE": one, "beta-VAE": apart}, [0.1, 1.0], num=3)
    assert len(figure.axes) == 6 * 2
    shown = [np.asarray(ax.images[0].get_array()) for ax in figure.axes]
    z = torch.randn((3, 2), generator=torch.Generator().manual_seed(1))
    for place, expected in ((1, one.decode(z, beta=1.0)[0]), (7, apart.select([1]).decode(z)[0])):
        expected = expected[0].clamp(0, 1).permute(1, 2, 0)
        np.testing.assert_allclose(shown[place], expected, atol=1e-5)


def test_sets_of_neither_binary_nor_colour_images_are_refused():
    with pytest.raises(
        ValueError, match="set of binary or colour images.*, not 'grammar_sentences'"
    ):
        rate_setup("grammar_sentences")
    with pytest.raises(ValueError, match="name must be a set of binary images with a test part"):
        rate_setup("procedural_colour", network="ladder", loading=dict(num_images=9))
