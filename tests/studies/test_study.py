"""Studies in resumable units, found by listing a folder; the committed tables; the command line."""

import ast
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from rvae_lite import cli
from rvae_lite.studies import running
from rvae_lite.studies import units as units_module
from rvae_lite.studies.running import run_study
from rvae_lite.studies.study import (
    FOLDER,
    Study,
    all_studies,
    find_study,
    load_results,
    read_rows,
    readme_table,
    results_folder,
    stamp,
    study_files,
)

ROOT = Path(__file__).resolve().parents[2]
NEW = '''
"""A study of one's own: does a wider network reconstruct the 8 Gaussians better?"""

from pathlib import Path

from rvae_lite import VAE
from rvae_lite.studies.protocols import halves
from rvae_lite.studies.setup import run_seeds, toy_setup, train
from rvae_lite.studies.study import Study, stamp

study = Study(
    "wider",
    reproduces="a question of ours",
    minutes=dict(quick=1),
    profiles=dict(quick=dict(widths=(4, 8), epochs=2)),
)


@study.grid
def grid(profile):
    return profile.widths


@study.unit
def unit(profile, width, keep):
    with Path("runs.txt").open("a") as log:
        log.write(f"{width} ")
    if width == 8 and Path("interrupt").exists():
        raise KeyboardInterrupt
    setup = toy_setup(model=VAE.mlp(5, 2, (width,)), epochs=profile.epochs)
    training, validation = halves(setup)
    seeds = run_seeds("wider", str(width), replicas=2)
    runs = train(setup, training.x, seed=seeds, replicas=2, label=f"width {width}")
    errors = runs.evaluate(validation.x).squared_error
    return stamp(dict(seed=runs.seeds, width=width, value=errors), trained=runs, metric="error")


@study.table
def table(own, published):
    return own.groupby("width").value.median()
'''
FAKE = """
from rvae_lite.studies.study import Study

study = Study("fake", reproduces="nothing", profiles=dict(quick=dict(names=["first", "second"])))


@study.grid
def grid(profile):
    return profile.names


@study.unit
def unit(profile, name, keep):
    with open("calls.txt", "a") as calls:
        calls.write(f"{name} ")
    return [dict(unit=name, value=1 / 3)]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of studies of one's own, which is the current folder too."""
    monkeypatch.setenv("RVAE_LITE_STUDIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def calls(folder):
    (folder / "fake.py").write_text(FAKE)
    return folder / "calls.txt"


def name_version(monkeypatch, version):
    """Let the package be of that commit, or release."""
    for module in (running, units_module):
        monkeypatch.setattr(module, "own_version", lambda: version)


def test_finished_units_are_not_run_again(calls, tmp_path):
    run_study("fake", "quick", out=tmp_path, only="first", progress=False)
    assert calls.read_text() == "first " and not (tmp_path / "fake.csv").exists()
    table = run_study("fake", "quick", out=tmp_path, progress=False)
    assert calls.read_text() == "first second "
    assert list(table.unit) == ["first", "second"]
    assert read_rows(tmp_path / "fake.csv").equals(table)


def test_an_interrupted_unit_leaves_nothing_half_written(folder):
    broken = FAKE.replace(
        'with open("calls.txt", "a")', 'raise KeyboardInterrupt\n    with open("")'
    )
    (folder / "fake.py").write_text(broken)
    with pytest.raises(KeyboardInterrupt):
        run_study("fake", "quick", out=folder / "out", progress=False)
    assert not [path for path in (folder / "out").rglob("*") if path.is_file()]


def test_a_new_study_is_one_short_file_that_resumes(folder):
    assert len(NEW.strip().splitlines()) <= 40
    (folder / "wider.py").write_text(NEW.strip())
    command = ["recipe", "wider", "--out", str(folder / "out")]
    (folder / "interrupt").touch()
    assert CliRunner().invoke(cli.app, command).exit_code != 0
    assert (folder / "runs.txt").read_text() == "4 8 " and not (folder / "out/wider.csv").exists()
    (folder / "interrupt").unlink()
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0 and "4 rows in" in result.output
    assert (folder / "runs.txt").read_text() == "4 8 8 "
    table = read_rows(folder / "out" / "wider.csv")
    assert {"device", "torch", "profile", "commit"} <= set(table)
    assert set(table.profile) == {"quick"} and set(table.device) == {"cpu"}
    assert list(find_study("wider").table(table).index) == [4, 8]
    assert "wider" in CliRunner().invoke(cli.app, ["study"]).output


def test_the_stamp_says_where_the_run_ran_and_leaves_columns_alone():
    class Trained:
        info = dict(device="cuda:1")

    rows = [dict(value=1.0, metric="a", epochs=3), dict(value=2.0, metric="b", seed=7)]
    table = stamp(rows, trained=Trained, epochs=7, data="d")
    assert list(table)[:4] == ["data", "seed", "metric", "value"]
    assert set(table.device) == {"cuda"} and set(table.torch) == {torch.__version__.split("+")[0]}
    assert table.seed[1] == 7 and pd.isna(table.seed[0])


# ---------------------------------------------------------------- refusals


def declared(**changes):
    options = dict(reproduces="nothing", profiles=dict(quick=dict(cells=[1])))
    return Study("mine", **options | changes)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="name must be one of .*eight_gaussians.*, not 'nine'"):
        run_study("nine", "quick")
    with pytest.raises(
        ValueError, match="study 'digits' has no profile 'slow': it has quick, cpu, paper"
    ):
        run_study("digits", "slow")
    with pytest.raises(ValueError, match="no table 'nothing' in results/"):
        load_results("nothing")


def test_a_study_that_declares_an_unknown_profile_is_refused():
    message = "study 'mine' declares the profile 'slow': profiles are called quick, cpu, paper"
    with pytest.raises(ValueError, match=message):
        declared(profiles=dict(slow={}))
    with pytest.raises(ValueError, match=message):
        declared(minutes=dict(slow=3))


def test_two_studies_of_one_name_are_refused(folder):
    (folder / "digits.py").write_text(FAKE)
    with pytest.raises(
        ValueError, match="two studies are called 'digits', .*studies/digits.py and .*: rename one"
    ):
        find_study("digits")


def test_a_study_must_have_the_name_of_its_file(folder):
    (folder / "other.py").write_text(FAKE)
    with pytest.raises(
        ValueError, match="the study in .*other.py is called 'fake': call it 'other'"
    ):
        find_study("other")


@pytest.mark.parametrize("missing", ["unit", "grid"])
def test_a_study_without_a_unit_or_a_grid_is_refused(missing):
    study = declared()
    if missing == "grid":
        study.unit(lambda profile, cell, keep: None)
    with pytest.raises(
        ValueError, match=f"study 'mine' has no {missing}: declare it with @study.{missing}"
    ):
        study.cells("quick")


def test_two_cells_of_one_name_are_refused():
    study = declared()
    study.unit(lambda profile, name, keep: None)
    study.grid(lambda profile: ["a b", ("a-b",)])
    with pytest.raises(
        ValueError,
        match=r"has two cells called 'a-b', \('a b',\) and \('a-b',\): let the grid give",
    ):
        study.cells("quick")


def test_a_study_without_a_table_says_so():
    with pytest.raises(ValueError, match="study 'mine' has no table: declare it with @study.table"):
        declared().table(pd.DataFrame())


# ---------------------------------------------------------------- the studies of the book


@pytest.mark.parametrize("name", sorted(study_files()))
def test_every_profile_lists_units_of_distinct_names(name):
    study = find_study(name)
    for profile in study.profiles:
        names = list(study.cells(profile))
        assert names and not [unit for unit in names if re.search(r"[^\w.-]", unit)]


def test_numbers_are_named_in_the_units_of_a_study():
    assert list(find_study("eight_gaussians").cells("quick")) == [
        "reproducibility-R8-template0",
        "sequential-R8-template0",
        "joint-points-R8-template0",
    ]
    assert "kmeans-template0" in find_study("which_points").cells("cpu")


@pytest.mark.parametrize("path", sorted(FOLDER.parent.rglob("*.py")))
def test_no_module_imports_a_study_so_that_it_can_be_deleted(path):
    leaves = {f"rvae_lite.studies.{name}" for name in study_files()}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    assert not leaves & modules


@pytest.mark.parametrize("name", sorted(study_files()))
def test_the_committed_table_goes_through_the_studys_table(name):
    study = find_study(name)
    if not (results_folder() / f"{name}.csv").is_file():
        pytest.skip(f"no committed table of {name}")
    assert len(study.table(load_results(name)))


def test_the_committed_toy_table_shows_what_the_paper_claims():
    from rvae_lite.studies.rosetta_tables import frame_of

    table = load_results("eight_gaussians")
    assert (
        table.template.nunique() >= 3 and set(table.replicas) == {10} and set(table.epochs) == {200}
    )
    rv = frame_of(table[table.num_points == 8], "RV").set_index(["method", "part"])["median"]
    assert rv["R-VAE", "R1"] <= -14 and rv["R-VAE", "rest"] <= -14
    assert -2.5 <= rv["beta-VAE", "R1"] <= 0 and -2.5 <= rv["beta-VAE", "rest"] <= 0
    lsd = frame_of(table[table.num_points == 8], "LSD").set_index(["method", "part"])["median"]
    assert lsd.notna().all()


def test_the_papers_numbers_are_there():
    published = load_results("published")
    rows = published[
        (published.table == 1) & (published["data"] == "8 Gaussians") & (published.part == "R1")
    ]
    assert rows.set_index("method").loc["R-VAE", "median"] == -17.247


# ---------------------------------------------------------------- the command line, the README


def test_the_recipe_command_runs_and_says_where_the_table_is(calls, tmp_path):
    result = CliRunner().invoke(cli.app, ["recipe", "fake", "--out", str(tmp_path)])
    assert result.exit_code == 0 and "2 rows in" in result.output


def test_the_study_command_lists_every_study():
    output = CliRunner().invoke(cli.app, ["study"]).output
    assert {line.split()[0] for line in output.splitlines()} == set(study_files())


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


def test_the_table_of_the_readme_is_the_studies_own():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- studies -->")[1].split("<!-- /studies -->")[0]
    assert shown.strip() == readme_table()


def test_every_chapter_of_a_study_is_a_notebook():
    chapters = {chapter for study in all_studies() for chapter in study.chapter.split()}
    assert chapters <= {path.stem for path in (ROOT / "notebooks").glob("*.py")}


def test_a_cell_of_another_length_and_a_part_of_no_name_are_refused(tmp_path):
    study = Study("odd", reproduces="nothing", profiles=dict(quick={}))
    study.grid(lambda profile: [(1, 2)])
    study.unit(lambda profile, width, keep: None)
    with pytest.raises(ValueError, match="'odd' has cells of 2 values, its unit takes 1: width"):
        study.cells("quick")
    with pytest.raises(ValueError, match="no unit's name contains 'nowhere': there are reprod"):
        run_study("digits", "quick", out=tmp_path, only="nowhere")


@pytest.mark.parametrize("damage", ["cut", "emptied", "altered", "of another unit", "unsigned"])
def test_a_damaged_unit_runs_again(calls, tmp_path, damage):
    whole = run_study("fake", "quick", out=tmp_path, progress=False)
    units = tmp_path / "units" / "fake-quick"
    first, content = units / "first.csv", (units / "first.csv").read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "emptied": b"",
        "altered": content.replace(b"first", b"fjrst", 1),
        "of another unit": (units / "second.csv").read_bytes(),
        "unsigned": content[: content.index(b"# sha256")],
    }
    first.write_bytes(damaged[damage])
    with pytest.warns(
        UserWarning, match=r"first\.csv is damaged, or of another cell or other options"
    ):
        again = run_study("fake", "quick", out=tmp_path, progress=False)
    assert again.equals(whole) and calls.read_text() == "first second first "
    assert (units / "first.older.csv").read_bytes() == damaged[damage]


def test_units_of_another_commit_are_told(calls, tmp_path, monkeypatch):
    name_version(monkeypatch, "0000001")
    run_study("fake", "quick", out=tmp_path, only="first", progress=False)
    name_version(monkeypatch, "0000002")
    message = "some units are of version 0*1, this is 0000002: delete them in .*fake-quick"
    with pytest.warns(UserWarning, match=message):
        run_study("fake", "quick", out=tmp_path, progress=False)


@pytest.mark.parametrize("around", [False, True])
def test_an_installed_package_tells_units_of_another_release(calls, tmp_path, monkeypatch, around):
    installed = tmp_path / "site-packages"
    monkeypatch.setattr(units_module, "FOLDER", installed / "rvae_lite" / "studies")
    if around:  # a repository that is not the package's
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.setattr(units_module, "__version__", "1.0.0")
    run_study("fake", "quick", out=tmp_path, only="first", progress=False)
    monkeypatch.setattr(units_module, "__version__", "1.1.0")
    with pytest.warns(UserWarning, match="some units are of version 1.0.0, this is 1.1.0: delete"):
        table = run_study("fake", "quick", out=tmp_path, progress=False)
    assert list(table.commit) == ["1.0.0", "1.1.0"]


def test_units_of_no_version_are_told(calls, tmp_path, monkeypatch):
    name_version(monkeypatch, "")
    run_study("fake", "quick", out=tmp_path, only="first", progress=False)
    name_version(monkeypatch, "1.1.0")
    with pytest.warns(UserWarning, match="some units are of version unknown, this is 1.1.0"):
        run_study("fake", "quick", out=tmp_path, progress=False)


def test_a_hash_that_reads_as_a_number_stays_a_hash(calls, tmp_path, monkeypatch):
    for number, commit in enumerate(["18e6000", "0086751", "1162168"]):
        name_version(monkeypatch, commit)
        out = tmp_path / str(number)
        table = run_study("fake", "quick", out=out, progress=False)
        again = run_study("fake", "quick", out=out, progress=False)
        assert set(table.commit) == {commit} and again.equals(table)
        assert read_rows(out / "fake.csv").equals(table)


def test_every_committed_row_of_ours_names_its_commit():
    for name in {path.stem for path in results_folder().glob("*.csv")} - {"published"}:
        assert load_results(name).commit.str.fullmatch("[0-9a-f]{7,40}").all(), name
