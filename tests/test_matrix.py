"""The matrix of what is reproduced has a row for everything, and reads its numbers off results/."""

import re

import pandas as pd
import pytest
from loading import ROOT, load_file

from rvae_lite.studies.study import find_study, read_rows, results_folder, study_files

matrix = load_file("book/_ext/matrix.py")
evidence = matrix.evidence
PAPERS = matrix.papers()
TABLES, DRAWINGS = range(1, 11), range(1, 8)
CLAIMING = {
    "rosetta": [f"Table {i}" for i in TABLES]
    + [f"Figure {i}" for i in DRAWINGS]
    + [f"Appendix {letter}" for letter in "ABCDEFGHIJ"]
    + ["Section 1", "Section 3", "Section 3.1", "Section 3.2", "Section 4"],
    "multirate": [f"Figure {i}" for i in range(1, 9)]
    + [f"Appendix {letter}" for letter in "ABCD"]
    + [f"Section 2.{i}" for i in (1, 2, 3)]
    + [f"Section 3.{i}" for i in (1, 2, 3, 4)]
    + ["Section 4", *(f"Section 5.{i}" for i in (1, 2, 3, 4)), "Theorem 1"],
}
KEYS = {"study", "notebook", "absent", "of", "table", "says", "with", "where"}
KEYS |= {"data", "theirs", "note"}
ROWS = [
    pytest.param(row, paper, id=f"{name} {where} {number}")
    for name, paper in PAPERS.items()
    for where, item in paper["items"].items()
    for number, row in enumerate(item.get("rows", []))
]
every_row = pytest.mark.parametrize("row, paper", ROWS)


@pytest.mark.parametrize("name", PAPERS)
def test_every_item_of_a_paper_has_a_row(name):
    items = PAPERS[name]["items"]
    assert sorted(items) == sorted(CLAIMING[name])
    for item in items.values():
        assert item["claim"].endswith(".")
        assert len({"rows", "see", "absent"} & set(item)) == 1
        assert item.get("see", "") in {"", *items} and "see" not in items.get(item.get("see"), {})


@every_row
def test_a_row_names_a_study_a_chapter_or_what_is_absent(row, paper):
    assert set(row) <= KEYS and len({"study", "notebook", "absent"} & set(row)) == 1
    assert row.get("study", "digits") in study_files()
    assert (ROOT / "notebooks" / f"{row.get('notebook', '10_eight_gaussians')}.ipynb").exists()
    assert all(isinstance(row.get(key, ""), str) for key in ("absent", "note", "data"))
    assert "theirs" not in row or row["theirs"] in paper["scales"]


@every_row
def test_a_row_has_a_chapter_a_scale_and_words(row, paper):
    chapter, scale, direction, size, minutes = matrix.cells(row, paper)
    if "absent" in row:
        assert scale == [f"**absent:** {row['absent']}"]
        return
    assert chapter[0].startswith("{ref}`") and chapter[1].count("`") == 2
    assert scale[0].startswith("ours: ") and direction != [""] and minutes != [""]
    if "table" in row or "says" in row:
        assert direction != ["—"]
    else:
        assert direction in (["—"], ["in the chapter"]) and size == ["—"]


def test_every_committed_table_is_in_the_matrix():
    page = "".join(matrix.matrix(name) for name in (*PAPERS, "new"))
    shown = set(re.findall(r"rvae-lite study (\w+) --profile \w+`", page))
    committed = {path.stem for path in results_folder().glob("*.csv")}
    assert shown == committed - {"published", "sizes"}  # no study's: the papers', a benchmark's
    assert "results/published.csv" in (ROOT / "book" / "reproduced.md").read_text()


def test_every_published_number_belongs_to_a_row():
    published = pd.read_csv(results_folder() / "published.csv")
    numbers = published.table.dropna().unique()
    assert {f"Table {number:g}" for number in numbers} <= set(PAPERS["rosetta"]["items"])


def test_the_page_has_a_mark_for_each_matrix_and_the_front_page_leads_to_it():
    page = (ROOT / "book" / "reproduced.md").read_text()
    assert matrix.MARK.findall(page) == [*PAPERS, "new", "scales", "missing"]
    assert "{ref}`" in page and "(reproduced)=" in page
    assert "<reproduced>" in (ROOT / "book" / "index.md").read_text()


def test_the_papers_scales_are_those_of_the_studies_paper_profiles():
    for study, paper, scale in (
        ("mnist", "rosetta", "mnist"),
        ("multi_rate", "multirate", "images"),
    ):
        epochs = find_study(study).profiles["paper"]["setup"]["epochs"]
        assert PAPERS[paper]["scales"][scale]["epochs"] == epochs


def test_scales_are_read_off_the_rows():
    own = pd.DataFrame(dict(data="toy", num_data=1000, epochs=[10, 20], width=1 / 8, replicas=1))
    own = own.assign(template=[0, 1], seed=0)
    expected = "1,000 examples, 10 or 20 epochs, 1 run, 2 templates, width 1/8"
    assert evidence.scales_of(own) == {"toy": expected}
    own = own.drop(columns=["replicas", "template"]).assign(seed=[4, 7])
    assert evidence.scales_of(own)["toy"] == "1,000 examples, 10 or 20 epochs, 2 runs, width 1/8"
    assert evidence.scales_of(own.drop(columns="seed"))["toy"].endswith("20 epochs, width 1/8")


def test_no_scale_counts_zero_of_anything():
    page = "".join(matrix.matrix(name) for name in (*PAPERS, "new", "scales"))
    assert not re.search(r"(?<![\d,/])0 (runs|epochs|examples|templates)", page)


@pytest.mark.parametrize(
    "study, ends",
    [
        ("zebra_finch", "64×64, patch network"),
        ("bengalese_finch", "64×64, patch network"),
        ("how_many_points", "32×32, patch network"),
        ("which_points", "32×32, patch network"),
        ("any_architecture", "32×32, residual network"),
        ("chairs", "10 runs, 32×32"),
        ("disentanglement", "3 runs, 32×32"),
        ("mnist", "10 runs"),
    ],
)
def test_side_and_network_are_those_of_the_profile_that_made_the_rows(study, ends):
    assert matrix.cells(dict(study=study), {})[1][0].endswith(ends)


def test_a_chapter_without_a_table_names_its_network():
    scale = matrix.cells(dict(notebook="14_birdsong"), {})[1][0]
    assert scale.endswith("3 runs, patch network")
    scale = matrix.cells(dict(notebook="23_multi_rate"), {})[1][0]
    assert scale.endswith("fully connected network")


def test_what_is_missing_has_our_scale_and_a_command_of_the_papers_scale():
    listed = [row for paper in PAPERS.values() for row in paper["missing"]]
    lines = matrix.matrix("missing").splitlines()
    for row, line in zip(listed, lines, strict=True):
        assert set(row) <= {"study", "of", "lacks"}
        assert line.startswith("* {ref}`") and f": {row['lacks']}. Ours: " in line
        assert line.endswith(f"`rvae-lite study {row['study']} --profile paper`")
        assert "paper" in find_study(row["study"]).profiles
        assert set(evidence.results(row).profile) == {"cpu"}
    assert "Ours: MNIST: 10,000 examples, 30 epochs, 10 runs." in lines[0]


def test_the_commands_of_what_is_missing_take_whole_sets_at_full_width():
    setups = [find_study(name).profiles["paper"]["setup"] for name in ("mnist", "multi_rate")]
    assert not {"num_examples", "num_train", "num_test", "width", "network"} & set().union(*setups)


def test_verdicts_are_counted_by_one_rule():
    words = evidence.Counter(same=3, opposite=1)
    assert evidence.counted(words, evidence.WORDS) == "same 3 of 4, opposite 1"
    assert evidence.counted(evidence.Counter(same=3), evidence.WORDS) == "same 3"
    assert evidence.counted(evidence.Counter(), evidence.WORDS) == "—"
    row = dict(study="chairs", table={})
    directions, sizes = evidence.verdicts(row)
    table = find_study("chairs").table(evidence.results(row))
    judged = table[table.method != "VAE"]
    assert directions == judged.direction.value_counts().to_dict()
    assert sizes == judged["size"].value_counts().to_dict()


def test_a_paper_is_summed_up_in_a_sentence_for_each_kind():
    text = matrix.summary(dict(items={"Table 2": dict(rows=[dict(study="chairs", table={})])}))
    directions, sizes = evidence.verdicts(dict(study="chairs", table={}))
    first, second = text.splitlines()
    total = f"Of {sum(directions.values())} differences from a baseline"
    assert first.startswith(f"* {total}: {directions['same']} on the paper's side")
    assert f"{sizes['agrees']} agree" in second


# ---------------------------------------------------------------- both scales


def test_items_of_two_scales_show_both_and_how_many_verdicts_changed():
    told, *lines = matrix.matrix("scales").splitlines()
    told = re.fullmatch(r"Of (\d+) .*, (\d+) changed; of (\d+) sizes, (\d+)\.", told)
    changed = [re.match(r" +changed: (\d+) of (\d+)$", line) for line in lines]
    pairs = [tuple(map(int, found.groups())) for found in changed if found]
    assert all(some <= all_ for some, all_ in pairs)
    turned, total = (sum(numbers) for numbers in zip(*pairs, strict=True))
    numbers = [int(number) for number in told.groups()]
    assert numbers[0] + numbers[2] == total and numbers[1] + numbers[3] == turned
    assert sum(line.startswith("  - before: zebra finches") for line in lines) >= 3


def test_a_smaller_scale_is_an_earlier_table_or_the_first_template():
    earlier = evidence.smaller_results(dict(study="zebra_finch"))
    assert set(earlier.epochs) == {150} and set(evidence.committed("zebra_finch").epochs) == {300}
    first = evidence.smaller_results(dict(study="eight_gaussians", of=dict(num_points=8)))
    assert set(first.template) == {0} and set(first.num_points) == {8}
    assert evidence.smaller_results(dict(study="sensitivity")) is None


def test_a_size_that_changes_is_counted_and_none_that_does_not_compare():
    then, now = pd.Series(["agrees", "agrees", "not comparable"]), pd.Series(["smaller", "agrees"])
    texts, changed = matrix.compared(then, now, evidence.SIZES)
    assert texts == ["before: agrees 2", "now: agrees 1 of 2, smaller 1", "changed: 1 of 2"]
    assert changed == [True, False] and matrix.compared(then[2:], now, evidence.SIZES) == (
        ["—"],
        [],
    )


def test_a_verdict_is_compared_with_that_beside_the_same_rival():
    cells = dict(rival=["VAE", "beta-VAE"], direction=["same", "not comparable"])
    then = pd.DataFrame(cells, index=["flatness"] * 2)
    now = then.assign(direction=["opposite", "same"])
    _, changed = matrix.compared(*map(evidence.said_of, (then, now)), evidence.WORDS)
    assert changed == [True]


def test_a_verdict_is_compared_with_that_of_the_same_method():
    cells = dict(method=["VAE", "R-VAE"], direction=["reference", "same"])
    table = pd.DataFrame(cells, index=pd.Index(["D1", "D1"], name="part"))
    assert evidence.said_of(table).to_dict() == {("D1", "R-VAE"): "same"}
    held = pd.DataFrame({"a claim": [True, False]}, index=["cnn", "resnet"])
    assert list(evidence.said_of(held)) == ["agrees", "differs"]


def test_earlier_tables_name_their_commits_and_a_study():
    for path in (results_folder() / "smaller").glob("*.csv"):
        assert path.stem in study_files()
        assert read_rows(path).commit.str.fullmatch("[0-9a-f]{7,40}").all()
