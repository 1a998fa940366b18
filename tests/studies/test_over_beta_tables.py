"""Curves over beta beside the paper's numbers."""

import pandas as pd

from rvae_lite.studies import over_beta_tables


def negative_elbos(values):
    """A study's table, method -> -ELBO at the betas 0.1 and 1, for the multi-rate one between too."""
    rows = [
        dict(
            data="D",
            network="cnn",
            method=method,
            seed=0,
            metric="negative_elbo",
            beta=beta,
            value=value,
        )
        for method, by_beta in values.items()
        for beta, value in by_beta.items()
    ]
    return pd.DataFrame(rows)


def test_curves_are_compared_at_the_baselines_betas():
    table = negative_elbos(
        {"MR-VAE": {0.1: 9.0, 0.3: 1.0, 1.0: 8.0}, "beta-VAE": {0.1: 10.0, 1.0: 12.0}}
    )
    best = over_beta_tables.best_negative_elbos(table).set_index("method").value
    assert best.to_dict() == {"MR-VAE": 8.0, "beta-VAE": 10.0}


def test_the_verdict_on_curves_is_about_their_difference_to_the_baseline():
    table = negative_elbos({"MR-VAE": {0.1: 20.0}, "beta-VAE": {0.1: 10.0}, "other": {0.1: 9.1}})
    published = dict(data="D", part="cnn", metric="negative_elbo")
    methods = pd.DataFrame(
        [
            published | dict(method="MR-VAE", median=9.0),
            published | dict(method="beta-VAE", median=9.9),
        ]
    )
    compared = over_beta_tables.curves_against_paper(table, methods).set_index("method")
    verdicts = compared[["direction", "size"]].T.to_dict("list")
    assert verdicts["MR-VAE"] == ["opposite", "larger"]
    assert verdicts["beta-VAE"] == ["reference", "—"] and verdicts["other"] == ["—", "—"]
    assert compared.paper["other"] == "—" and compared.here["MR-VAE"] == "20.00 (0.00)"
    compared = over_beta_tables.curves_against_paper(
        table, methods, named={"other": "MR-VAE"}
    ).set_index("method")
    assert compared.paper["other"] == "9.00" and compared.direction["other"] == "same"
    assert compared["size"]["other"] == "agrees"  # both 0.9 below the baseline
    better = negative_elbos({"MR-VAE": {0.1: 19.5}, "beta-VAE": {0.1: 20.0}})
    compared = over_beta_tables.curves_against_paper(better, methods).set_index("method")
    assert list(compared.loc["MR-VAE", ["direction", "size"]]) == ["same", "smaller"]
