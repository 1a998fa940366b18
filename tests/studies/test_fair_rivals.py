"""Anchoring beside what else one can do with the same file: a quick pair of laboratories, and the committed table."""

import numpy as np
import pytest

from rvae_lite import VAE, data, rivals
from rvae_lite.studies import decoder_targets, fair_rivals
from rvae_lite.studies.fair_rivals import SENT, WITH_WEIGHTS
from rvae_lite.studies.rival_rows import AS_IT_IS, REGRESSION, RELATIVE
from rvae_lite.studies.rivals_setup import OURS
from rvae_lite.studies.setup import Setup, methods_of
from rvae_lite.studies.study import load_results

pytestmark = pytest.mark.filterwarnings("ignore::rvae_lite.anchors.PointsNotReached")


@pytest.fixture(scope="module")
def small():
    dataset = data.load("eight_gaussians", num_per_class=40)
    scale = dict(epochs=8, batch_size=32, methods=methods_of(), replicas=3)
    return Setup(dataset, VAE.mlp(5, 2, (16,)), num_points=6, compile=False, **scale)


@pytest.fixture(scope="module")
def result(small):
    return fair_rivals.two_laboratories(small)


def values(table, **keys):
    for column, key in keys.items():
        table = table[table[column] == key]
    return table.value.to_numpy()


def test_the_senders_own_model_is_no_distance_away_and_decodes_as_itself(result):
    for method in (SENT, "Alice's encoder, frozen"):
        assert (values(result.table, method=method, metric="distance") == 0).all()
        assert values(result.table, method=method, metric="stitched") == pytest.approx(1.0)
        assert (values(result.table, method=method, metric="labels", part="D1") > 0.9).all()


def test_those_who_received_weights_started_from_them(result):
    fits = result.fits
    x = result.validation.x
    assert np.array_equal(fits["Alice's encoder, frozen"].encode(x)[1], result.first.encode(x)[0])
    assert not np.array_equal(fits["from Alice's weights"].encode(x)[1], result.first.encode(x)[0])
    assert set(WITH_WEIGHTS) <= set(fits)


def test_every_map_is_measured_behind_every_training_that_needs_one(result):
    table = result.table
    found = set(table[table.metric == "distance"].groupby(["method", "mapping"]).groups)
    maps = {AS_IT_IS, *rivals.MAPS, *RELATIVE}
    expected = {(method, name) for method in ("VAE", "R-VAE", OURS) for name in maps}
    expected |= {(method, AS_IT_IS) for method in (SENT, REGRESSION, *WITH_WEIGHTS)}
    assert found == expected


def test_a_map_is_measured_as_by_hand(result):
    source = result.fits["VAE"].encode(result.points.x)[1].numpy()
    mapping = rivals.fit_map("affine", source, result.points.z)
    d1 = result.validation.take(result.validation.part == 1)
    hers = result.first.encode(d1.x)[0].numpy().astype(float)
    moved = mapping(result.fits["VAE"].encode(d1.x)[1].numpy())
    expected = np.square(moved - hers).sum(1).mean() / hers.var(0).sum()
    keys = dict(method="VAE", mapping="affine", part="D1", metric="distance")
    assert values(result.table, **keys)[1] == pytest.approx(expected)


def test_no_datum_is_farther_than_its_points_promise(result):
    for metric in ("bound_held", "affine_bound_held"):
        held = values(result.table, metric=metric)
        assert len(held) == 9 and (held == 1).all()


def test_maps_that_need_more_points_are_left_out(small):
    few = fair_rivals.two_laboratories(small._replace(num_points=2)).table
    assert "affine" not in set(few.mapping) and "rotation" in set(few.mapping)


def test_the_comparison_has_a_row_per_rival(result):
    shown = fair_rivals.study.table(result.table)
    assert {"R-VAE", "VAE, rotation", OURS + ", ridge affine", SENT} <= set(shown.index)
    assert shown.loc[SENT].item() == "0.000 (0.000)"


def test_the_committed_table_has_all_six_data_sets_and_keeps_to_its_bounds():
    own = load_results("fair_rivals")
    assert own["data"].nunique() == 6
    for metric in ("bound_held", "affine_bound_held"):
        assert (own[own.metric == metric].value == 1).all()
    assert (own[own.seed.notna()].replicas == 10).all()


def test_decoder_targets_compare_the_plain_training_with_both_anchored_ones():
    own = load_results("decoder_targets")
    table = decoder_targets.study.table(own)
    assert list(table.index.unique("method")) == ["VAE", "R-VAE", OURS]
    near = table.distance.unstack()
    assert (near[["R-VAE", OURS]].max(axis=1) < 0.5 * near["VAE"]).all()
