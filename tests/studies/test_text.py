"""Curves of texts: measured in groups, bounded by the grammar's entropy, and the committed table."""

import matplotlib

matplotlib.use("agg")

import math

import numpy as np
import pandas as pd
import pytest
import torch

from rvae_lite.studies import text
from rvae_lite.studies.over_beta import curve_of
from rvae_lite.studies.study import load_results
from rvae_lite.studies.text import (
    LONGER,
    METHODS,
    bounds,
    measure_texts,
    perplexity,
    share_of_words,
)
from rvae_lite.text import reading
from rvae_lite.text.grammar import everyday
from rvae_lite.text.vocabulary import Vocabulary, lengths

BETAS = (0.02, 0.2, 5.0)
BY_BETA = {
    "rate",
    "distortion",
    "loss",
    "negative_elbo",
    "negative_elbo_error",
    "perplexity",
    "active_units",
    "words",
}
EXACT = {"excess", "excess_error"}


@pytest.fixture(scope="module")
def setup():
    options = dict(
        latent_dim=4, hidden_dim=16, embedding_dim=8, epochs=6, batch_size=32, learning_rate=2e-2
    )
    methods = {name: METHODS[name] for name in ("MR-VAE", "beta-VAE")}
    loading = dict(num_train=320, num_valid=1, num_test=150)
    return text.text_setup(loading=loading, betas=BETAS, methods=methods, **options)


@pytest.fixture(scope="module")
def study(setup):
    return text.text_over_beta(setup, seed=3)


def test_measuring_in_groups_gives_the_terms_of_every_sentence(setup, study, monkeypatch):
    model, x = study.fits["beta-VAE"][0].replica(0), torch.as_tensor(setup.test)
    monkeypatch.setattr(text, "BUCKET", 40)
    found = bounds(model, setup.test, seed=5, num_samples=3)
    noise = torch.randn((4, len(x), 4), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        distortion, rate = model.distortion_and_rate(x, noise[0])
        importance = model.importance_bound(x, noise[1:])
    for actual, expected in zip(found, (distortion, rate, importance), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
    assert bounds(model, setup.test).importance is None


def test_importance_sampling_tightens_the_bound_and_stays_above_the_entropy(setup, study):
    model, entropy = study.fits["beta-VAE"][0].replica(0), everyday().entropy
    found = bounds(model, setup.test, num_samples=20)
    assert found.importance.mean() < (found.distortion + found.rate).mean()
    assert found.importance.mean() > entropy - 3 * found.importance.std() / math.sqrt(
        len(setup.test)
    )


def test_perplexity_is_the_exponential_of_nats_per_token():
    tokens = np.array([[4, 5, 2, 0], [4, 2, 0, 0]])
    assert perplexity([3.0, 2.0], tokens) == pytest.approx(math.e)
    uniform = [3 * math.log(7), 2 * math.log(7)]
    assert perplexity(uniform, tokens) == pytest.approx(7)


def test_words_are_counted_up_to_the_end_token():
    tokens = np.array([[4, 5, 2, 0], [4, 2, 0, 0]])
    written = np.array([[4, 6, 2, 0], [4, 4, 4, 4]])
    assert share_of_words(written, tokens) == pytest.approx(3 / 5)


def test_every_method_has_a_curve_with_all_metrics(study):
    table = study.table
    assert set(table[table.beta.notna()].metric) == BY_BETA | EXACT
    assert (
        sorted(curve_of(table, "beta-VAE").beta) == pytest.approx(BETAS)
        and len(curve_of(table, "MR-VAE")) == 5
    )
    whole = table[table.beta.isna()]
    assert set(whole.metric) == {"seconds", "trainings", "parameters", "area", "dominance"}
    assert set(table.seed) == {3} and set(table.entropy) == {everyday().entropy}


def test_a_row_is_what_the_model_says(setup, study):
    row = curve_of(study.table, "MR-VAE").set_index("beta").loc[0.2]
    model = study.fits["MR-VAE"][0].at_beta(0.2).replica(0)
    found = bounds(model, setup.test)
    assert row["rate"] == pytest.approx(found.rate.mean())
    assert row["distortion"] == pytest.approx(found.distortion.mean())
    assert row["loss"] == pytest.approx(row["distortion"] + 0.2 * row["rate"])
    assert row["perplexity"] == pytest.approx(
        math.exp(row["negative_elbo"] / lengths(setup.test).mean())
    )
    source, vocabulary = everyday(), Vocabulary(setup.dataset.info["vocabulary"])
    logs = [source.log_probability(sentence) for sentence in vocabulary.decode(setup.test)]
    assert row["excess"] == pytest.approx(row["negative_elbo"] + np.mean(logs))


def test_rate_and_distortion_do_not_fall_below_the_entropy(study):
    table = study.table
    for method in ("MR-VAE", "beta-VAE"):
        curve = curve_of(table, method)
        assert (curve.negative_elbo + 3 * curve.negative_elbo_error > table.entropy.iloc[0]).all()
        assert (curve.excess + 3 * curve.excess_error > 0).all()


def test_texts_of_ones_own_are_measured_without_a_grammar(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("a b\nb a a\nb\n" * 10)
    dataset = reading.dataset_of(
        [reading.read_texts(path)] * 3, info=dict(name="own", title="own texts")
    )
    setup = text.setup_of(
        dataset, latent_dim=2, hidden_dim=4, embedding_dim=3, epochs=1, batch_size=10
    )
    setup = setup._replace(methods={"beta-VAE": METHODS["beta-VAE"]}, betas=(0.1, 1.0))
    table = text.text_over_beta(setup).table
    assert set(table[table.beta.notna()].metric) == BY_BETA and table.entropy.isna().all()
    found = measure_texts(text.text_over_beta(setup).fits["beta-VAE"][0], setup.test)
    assert "excess" not in found


def test_a_part_of_yahoo_is_a_unit_of_its_own(monkeypatch):
    cells = text.study.cells("cpu")
    assert len(cells) == 6 and "grammar_sentences-seed2" in cells
    seen = []
    monkeypatch.setattr(text, "text_setup", lambda name, **options: (name, options))
    monkeypatch.setattr(text, "text_over_beta", lambda setup, seed: seen.append((*setup, seed)))
    text.study.run("cpu", cells["yahoo_part-seed0"])
    ((name, options, seed),) = seen
    assert name == "yahoo_part" and options["by_length"] and seed == 0


def test_a_set_is_shown_by_its_title_and_without_a_bound_that_nobody_knows():
    own = load_results("text")
    own = own[own["data"] == "grammar sentences"]
    other = own[own.method != "MR-VAE"].assign(data="answers", entropy=math.nan)
    both = pd.concat([own, other])
    assert text.points_of(both).equals(text.points_of(own))
    assert text.study.table(both).equals(text.study.table(own))
    assert len(text.study.table(other)) < len(text.study.table(own))
    left, _ = text.study.figure(other)
    assert len(left.lines) == 4  # four curves, no line of the entropy


def test_the_paper_profile_names_the_yahoo_files(tmp_path, monkeypatch):
    monkeypatch.setenv("RVAE_LITE_DATA", str(tmp_path))
    cell = text.study.cells("paper")["yahoo-seed0"]
    with pytest.raises(FileNotFoundError, match="Yahoo answers is not in .*: put yahoo.train.txt"):
        text.study.run("paper", cell)


def test_the_committed_curves_keep_to_the_entropy_and_show_the_collapse():
    table = load_results("text")
    table = table[table["data"] == "grammar sentences"]
    points = table[table.beta.notna()].pivot_table(
        index=["method", "seed", "beta"], columns="metric", values="value"
    )
    entropy = everyday().entropy
    assert np.allclose(table.entropy, entropy) and set(table.method) == {*METHODS, *LONGER}
    assert (points.negative_elbo + 3 * points.negative_elbo_error > entropy).all()
    assert (points.excess + 3 * points.excess_error > 0).all()
    highest = points.xs(points.index.levels[2].max(), level="beta")
    assert (highest.rate < text.COLLAPSED).all() and (highest.active_units == 0).all()
    assert (highest.distortion < 1.1 * entropy).all()  # the language is learnt without the latent


def test_the_committed_curves_beside_the_papers_statement():
    own = load_results("text")
    own = own[own["data"] == "grammar sentences"]
    table = text.study.table(own)
    assert list(table.columns) == ["paper, Figure 5", "area, nats²", "dominance", "verdict"]
    assert set(table.loc["MR-VAE"].verdict) == {"differs"}
    assert set(table.loc["MR-VAE, 4 times as long"].verdict) == {"mixed"}  # two seeds of three
    shares = own[(own.metric == "dominance") & (own.method == "MR-VAE")]
    median = shares[shares.against == "beta-VAE"].value.median()
    assert table.loc[("MR-VAE", "beta-VAE"), "dominance"].startswith(f"{median:.2f} (")
    left, right = text.study.figure(own)
    assert len(left.lines) == 6 and len(right.lines) == 5


def test_every_committed_point_is_one_row_of_all_metrics():
    points = text.points_of(load_results("text"))
    assert set(points) >= BY_BETA | EXACT and points.index.is_unique
    assert points.notna().all(axis=None)


def test_on_the_committed_answers_no_training_learns_to_use_its_latent():
    own = load_results("text")
    own = own[own["data"] != "grammar sentences"]
    points = text.points_of(own)
    assert set(own.method) == {*METHODS} and set(own.seed) == {0, 1, 2} and own.entropy.isna().all()
    assert points.index.is_unique and points.notna().all(axis=None)
    assert (points.words < 0.2).all()
    table = text.study.table(own)
    assert set(table.index.get_level_values("method")) == {*text.MULTI}
