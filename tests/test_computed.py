"""The front page's numbers are read off results/, and the build stops where its words are false."""

import math
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from loading import ROOT, load_file
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from rvae_lite.studies import over_beta_tables, study
from rvae_lite.studies.study import load_results, results_folder

computed = load_file("book/_ext/computed.py")
PAGE = ROOT / "book" / "index.md"
FOUND = {
    "kept": computed.Statement("fair_rivals", lambda own: own.value.sum(), "{:.1f} nats", above=1),
    "lost": computed.Statement("fair_rivals", lambda own: own.loc["nowhere"], below=1),
    "empty": computed.Statement("fair_rivals", lambda own: own[own.value > 9].value.median()),
    "high": computed.Statement("fair_rivals", lambda own: own.value.max(), below=2),
    "low": computed.Statement("fair_rivals", lambda own: own.value.min(), above="high"),
}


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A folder of results with one table of two rows, and statements about it."""
    monkeypatch.setattr(study, "results_folder", lambda: tmp_path)
    monkeypatch.setattr(computed, "statements", lambda: FOUND)
    pd.DataFrame(dict(data=["a", "b"], value=[1.25, 2.0])).to_csv(tmp_path / "fair_rivals.csv")
    computed.number.cache_clear()
    yield tmp_path
    computed.number.cache_clear()


def page_of(text, docname="book/index"):
    """A page as the build fills it, and the files that it rests on."""
    files = []
    env = SimpleNamespace(note_dependency=files.append)
    source = [text]
    computed.fill(SimpleNamespace(env=env), docname, source)
    return source[0], files


def refused(text, sentence):
    with pytest.raises(ExtensionError) as stop:
        page_of(text)
    told = str(stop.value)
    assert "\n" not in told and re.fullmatch(sentence, told), told


def test_a_mark_becomes_its_number_and_its_table_a_dependency(small):
    text, files = page_of("About {computed}`kept` in all.")
    assert text == "About 3.2 nats in all."
    assert str(small / "fair_rivals.csv") in files


def test_pages_without_marks_and_notebooks_are_left_alone(small):
    assert page_of("No mark.") == ("No mark.", [])
    assert page_of("{computed}`kept`", "notebooks/00") == ("{computed}`kept`", [])


def test_an_absent_table_is_named_with_the_number_that_needs_it(small):
    (small / "fair_rivals.csv").unlink()
    refused("{computed}`kept`", "book/index: results/fair_rivals.csv is absent, which 'kept' needs")


def test_a_table_without_the_rows_or_with_none_left_is_named(small):
    needs = "book/index: results/fair_rivals.csv does not hold what 'lost' needs .KeyError: .*"
    refused("{computed}`lost`", needs)
    needs = "book/index: results/fair_rivals.csv does not hold what 'empty' needs: it is nan"
    refused("{computed}`empty`", needs)


def test_a_number_that_makes_the_words_false_stops_the_build(small):
    said = "book/index: 'high' is 2, and the page says that it is below 2: rewrite the page, .*"
    refused("{computed}`high`", said)
    said = "book/index: 'low' is 1.25, and the page says that it is above 'high', 2: rewrite .*"
    refused("{computed}`low`", said)


def test_a_number_of_no_name_lists_the_known_ones(small):
    refused("{computed}`hihg`", "book/index: no number is called 'hihg': there are kept, lost.*")


def test_every_statement_stands_on_the_front_page_and_no_other():
    marks = computed.MARK.findall(PAGE.read_text(encoding="utf-8"))
    assert set(marks) == set(computed.statements())


def test_every_statement_is_bounded_by_a_number_or_bounds_another():
    known = computed.statements()
    bounds = {bound for each in known.values() for bound in (each.above, each.below)}
    unbounded = {key for key, each in known.items() if (each.above, each.below) == (None, None)}
    assert unbounded <= bounds
    assert {bound for bound in bounds if isinstance(bound, str)} <= set(known)


@pytest.mark.parametrize("key", computed.statements())
def test_a_statement_holds_and_needs_its_own_rows(key, monkeypatch, tmp_path):
    assert re.search(r"\d", computed.written(key))
    table = computed.statements()[key].table
    pd.read_csv(results_folder() / f"{table}.csv", nrows=0).to_csv(tmp_path / f"{table}.csv")
    monkeypatch.setattr(study, "results_folder", lambda: tmp_path)
    computed.number.cache_clear()
    told = f"{table}.csv does not hold what {key!r} needs|{key!r} is 0, and the page says"
    with pytest.raises(ExtensionError, match=told):
        computed.written(key)
    computed.number.cache_clear()


def test_numbers_are_those_of_the_tables_rows():
    own = load_results("fair_rivals")
    rows = own[(own["data"] == "MNIST") & (own.metric == "distance") & (own.part == "D1")]
    anchored = rows[rows.method == "R-VAE, decoded targets"]
    free = rows[rows.method == "VAE"].groupby("mapping").value.median()
    as_it_is = anchored[anchored.mapping == "as it is"].value.median()
    assert computed.number("distance-mnist") == pytest.approx(as_it_is)
    assert computed.number("distance-vae") == pytest.approx(free["as it is"])
    maps = ["rotation", "rotation and scale", "affine", "ridge affine", "smooth"]
    assert computed.number("distance-mapped") == pytest.approx(free[maps].min())
    rates = load_results("multi_rate")
    rows = rates[(rates["data"] == "static binary MNIST") & (rates.network == "cnn")]
    rows = rows[(rows.metric == "negative_elbo") & (rows.method == "beta-VAE, annealed")]
    assert computed.number("elbo-ten") == pytest.approx(rows.groupby("seed").value.min().median())


def test_no_number_of_a_result_is_typed_into_the_front_page():
    text = PAGE.read_text(encoding="utf-8")
    shown = re.sub(r"(?ms)^```.*?^```|\{[\w:]+\}`[^`]*`", "", text)
    lines = re.findall(r"(?m)^.*\d.*$", re.sub(r"(?m)^:.*$", "", shown))
    known = (
        "Python 3.11",
        "100 % away",
        "0 is the same map",
        "of Theorem 1",
        "Theorem 1 of",
        "00_quickstart",
    )
    typed = [line for line in lines if not any(part in line for part in known)]
    assert [line for line in typed if "grid" not in line] == []


def test_the_readme_says_what_the_tables_say():
    text, told = (ROOT / "README.md").read_text(encoding="utf-8"), computed.number
    words = {4: "four", 5: "five", 6: "six"}
    own = load_results("multi_rate")
    found = over_beta_tables.excesses(own, ["MR-VAE"])
    behind = found.elbo - found.theirs
    sentences = [
        f"on {words[told('maps-win')]} of {words[told('sets')]} data sets",
        f"on {words[told('both-win')]} of {words[told('sets')]}.",
        f"it costs {100 * (told('error-most') - 1):.0f} % of squared error at most",
        f"within {math.ceil(told('linear-gap'))} % of the exact optimum",
        f"in {['no', 'one', 'two', 'three', 'four'][(behind < 1).sum()]} cases of four",
    ]
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert told("lsd-shown") < min(told("lsd-anchored"), told("lsd-vae"))


def test_a_build_stops_with_one_sentence(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    monkeypatch.setattr(study, "results_folder", lambda: tmp_path / "nowhere")
    source = tmp_path / "source" / "book"
    source.mkdir(parents=True)
    (source / "index.md").write_text("# Front\n\nIt is {computed}`distance-mnist` away.\n")
    options = dict(extensions=["myst_parser", "computed"], root_doc="book/index")
    folders = (source.parent, None, tmp_path / "out", tmp_path / "trees")
    app = Sphinx(*folders, "dummy", confoverrides=options, status=None, warning=None)
    told = "^book/index: results/fair_rivals.csv is absent, which 'distance-mnist' needs$"
    with pytest.raises(ExtensionError, match=told):
        app.build()
