"""Experiments in resumable units, the committed tables, and the command line."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from rvae_lite import cli
from rvae_lite.studies import experiments
from rvae_lite.studies.protocols import Study


def fake_units(calls):
    def unit(name):
        def run():
            calls.append(name)
            return Study(pd.DataFrame([dict(unit=name, value=1 / 3)]), None, None, None, None)

        return run

    return lambda profile, folder: [(name, unit(name)) for name in ("first", "second")]


@pytest.fixture
def calls(monkeypatch):
    calls = []
    monkeypatch.setitem(experiments.EXPERIMENTS, "fake", fake_units(calls))
    return calls


def test_finished_units_are_not_run_again(calls, tmp_path):
    experiments.run_experiment("fake", "quick", out=tmp_path, only="first", progress=False)
    assert calls == ["first"] and not (tmp_path / "fake.csv").exists()
    table = experiments.run_experiment("fake", "quick", out=tmp_path, progress=False)
    assert calls == ["first", "second"]
    assert list(table.unit) == ["first", "second"]
    assert pd.read_csv(tmp_path / "fake.csv").equals(table)


def test_an_interrupted_unit_leaves_nothing_half_written(monkeypatch, tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setitem(
        experiments.EXPERIMENTS, "fake", lambda profile, folder: [("only", interrupted)]
    )
    with pytest.raises(KeyboardInterrupt):
        experiments.run_experiment("fake", "quick", out=tmp_path, progress=False)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="name must be one of .*eight_gaussians.*, not 'nine'"):
        experiments.run_experiment("nine", "quick")
    with pytest.raises(
        ValueError, match=r"profile must be one of \('quick', 'cpu', 'paper'\), not 'slow'"
    ):
        experiments.run_experiment("digits", "slow")
    with pytest.raises(ValueError, match="no table 'nothing' in results/"):
        experiments.load_results("nothing")


@pytest.mark.parametrize("name", sorted(experiments.EXPERIMENTS))
def test_both_profiles_list_units_of_distinct_names(name):
    for profile in experiments.PROFILES:
        names = [unit for unit, _ in experiments.EXPERIMENTS[name](profile)]
        assert names and len(set(names)) == len(names)


def test_the_committed_toy_table_shows_what_the_paper_claims():
    from rvae_lite.reporting.tables import over_templates
    from rvae_lite.studies.relative import relative_lsd, relative_rv

    table = experiments.load_results("eight_gaussians")
    assert (
        table.template.nunique() >= 3 and set(table.replicas) == {10} and set(table.epochs) == {200}
    )
    rv = over_templates(relative_rv(table[table.num_points == 8])).set_index(["method", "part"])[
        "median"
    ]
    assert rv["R-VAE", "R1"] <= -14 and rv["R-VAE", "rest"] <= -14
    assert -2.5 <= rv["beta-VAE", "R1"] <= 0 and -2.5 <= rv["beta-VAE", "rest"] <= 0
    lsd = over_templates(relative_lsd(table[table.num_points == 8])).set_index(["method", "part"])[
        "median"
    ]
    assert np.isfinite(lsd).all()


def test_the_papers_numbers_are_there():
    published = experiments.load_results("published")
    rows = published[
        (published.table == 1) & (published["data"] == "8 Gaussians") & (published.part == "R1")
    ]
    assert rows.set_index("method").loc["R-VAE", "median"] == -17.247


def test_the_recipe_command_runs_and_says_where_the_table_is(calls, tmp_path):
    result = CliRunner().invoke(cli.app, ["recipe", "fake", "--out", str(tmp_path)])
    assert result.exit_code == 0 and "2 rows in" in result.output


def test_the_help_names_every_experiment():
    assert set(cli.RECIPES) == set(experiments.EXPERIMENTS)


def test_errors_of_use_are_one_sentence_and_exit_code_1(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["rvae-lite", "recipe", "nothing"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert str(stop.value).startswith("rvae-lite: name must be one of")


def test_running_an_unknown_notebook_names_the_known_ones(tmp_path):
    (tmp_path / "00_known.ipynb").write_text("{}")
    result = CliRunner().invoke(cli.app, ["run", "99_unknown", "--folder", str(tmp_path)])
    assert isinstance(result.exception, ValueError)
    assert "no notebook 99_unknown" in str(result.exception) and "00_known" in str(result.exception)


def test_chairs_run_on_the_procedural_ones_where_the_real_are_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("RVAE_LITE_DATA", str(tmp_path))
    seen = []
    monkeypatch.setattr(
        experiments, "sequential", lambda setting: seen.append(setting.dataset.info["name"])
    )
    experiments.chairs("quick")[0][1]()
    assert seen == ["procedural_chairs"]


def test_only_the_quick_profile_of_the_digits_is_small(monkeypatch):
    seen = []
    monkeypatch.setattr(
        experiments, "reproducibility", lambda setting, template: seen.append(setting.replicas)
    )
    for profile in experiments.PROFILES:
        experiments.digits(profile)[0][1]()
    assert seen == [5, 10, 10]
