"""nbval takes a claim's value as the recorded one to a tenth, and every other text as it is.

With another arithmetic than the recorded one it compares words alone.
"""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from loading import load_file

PATH = Path(__file__).parents[2] / "notebooks" / "conftest.py"
spec = importlib.util.spec_from_file_location("nbval_conftest", PATH)
nbval = importlib.util.module_from_spec(spec)
spec.loader.exec_module(nbval)

RECORDED = "✓ 8 points: distance: 0.0100, below 0.02\n"


@pytest.mark.parametrize(
    "line, taken",
    [
        ("✓ 8 points: distance: 0.0105, below 0.02\n", True),
        ("✓ 8 points: distance: 0.0098 to 0.0102, below 0.02\n", True),
        ("✓ 8 points: distance: 0.0098 to 0.0120, below 0.02\n", False),
        ("✓ 8 points: distance: 0.0120, below 0.02\n", False),
        ("✓ 9 points: distance: 0.0100, below 0.02\n", False),
        ("✓ 8 points: distance: 0.0100, below 0.03\n", False),
        ("✓ 8 points: distance: 0.0100, above 0.02\n", False),
        ("✓ 8 points: distance: -0.0100, below 0.02\n", False),
        ("8 points: distance: 0.0101, below 0.02\n", False),
    ],
)
def test_values_of_claims_are_compared_to_a_tenth(line, taken):
    assert (nbval.as_recorded(line, RECORDED) == RECORDED) == taken


def test_other_lines_and_other_numbers_of_lines_are_compared_as_they_are():
    assert nbval.as_recorded("loss 1.01\n", "loss 1.00\n") == "loss 1.01\n"
    assert nbval.as_recorded(RECORDED, RECORDED + "more\n") == RECORDED
    both = "title\n" + RECORDED
    assert nbval.as_recorded("title\n" + RECORDED.replace("100", "103"), both) == both


ELSEWHERE = dict(same_arithmetic=False)


@pytest.mark.parametrize(
    "line, taken",
    [
        ("✓ 8 points: distance: 0.0150, below 0.02\n", True),
        ("✓ 8 points: distance: 0.0050 to 0.0190, below 0.02\n", True),
        ("✓ 9 points: distance: 0.0100, below 0.02\n", False),
        ("✓ 8 points: distance: 0.0100, above 0.02\n", False),
        ("✓ 8 points: distance: below 0.02\n", False),
    ],
)
def test_with_another_arithmetic_a_claim_keeps_its_words(line, taken):
    assert (nbval.as_recorded(line, RECORDED, **ELSEWHERE) == RECORDED) == taken


@pytest.mark.parametrize(
    "found, recorded",
    [
        ("✓ changes: 2.1 to 4, above 0.3\n", "✓ changes: 1 to 3, above 0\n"),
        ("gain +0.3 nats\n", "gain -0.3 nats\n"),
        ("gain −0.3 nats\n", "gain 0.3 nats\n"),
        ("999 syllables\n", "1,003 syllables\n"),
        ("[ 0.1 -0.2]\n", "[-0.1  0.2]\n"),
        ("[1. 2.]\n", "[1.5 2.]\n"),
        ("VAE    9.50\n", "VAE   10.25\n"),
    ],
)
def test_with_another_arithmetic_numbers_and_gaps_may_be_others(found, recorded):
    assert nbval.as_recorded(found, recorded, **ELSEWHERE) == recorded
    assert nbval.as_recorded(found, recorded) == found


@pytest.mark.parametrize(
    "text, taken",
    [
        ("<td>−2.45 (1.42)</td><td>better</td>\n", True),
        ("<td>2.45 (11.42)</td><td>better</td>\n", True),
        ("<td>−2.45 (1.42)</td><td>worse</td>\n", False),
        ("<td>−2.45</td><td>better</td>\n", False),
        ("<td>nan (1.42)</td><td>better</td>\n", False),
    ],
)
def test_with_another_arithmetic_a_table_keeps_its_words(text, taken):
    recorded = "<td>−2.41 (1.39)</td><td>better</td>\n"
    assert (nbval.as_recorded(text, recorded, **ELSEWHERE) == recorded) == taken
    assert nbval.as_recorded(text, recorded) == text


def output(number):
    texts = {"text/plain": f"a {number}\n", "text/html": f"<p>{number}</p>"}
    return dict(output_type="execute_result", data=texts | {"image/svg+xml": str(number)})


@pytest.mark.parametrize("same", [True, False])
def test_all_texts_of_an_output_are_compared_and_pictures_left_alone(same):
    seen = []
    compare = nbval.forgiving(lambda test, ref, skip: seen.extend(test), same_arithmetic=same)
    compare([output(2)], [output(1)])
    expected = output(2 if same else 1)["data"] | {"image/svg+xml": "2"}
    assert seen[0]["data"] == expected


class Item:
    """What the hook needs of nbval's items."""

    def __init__(self, **metadata):
        notebook = nbformat.v4.new_notebook(metadata=metadata)
        self.parent = SimpleNamespace(nb=notebook, skip_compare=())
        self.compare_outputs = lambda test, ref, skip: test[0]["text"] == ref[0]["text"]


def stream(text):
    return [dict(output_type="stream", text=text)]


def test_numbers_are_compared_where_the_notebook_was_executed_with_this_arithmetic():
    here, elsewhere = Item(arithmetic=nbval.arithmetic()), Item(arithmetic="0123456789ab")
    nbval.pytest_collection_modifyitems([here, elsewhere])
    assert not here.compare_outputs(stream("loss 1.01\n"), stream("loss 1.00\n"))
    assert elsewhere.compare_outputs(stream("loss 1.01\n"), stream("loss 1.00\n"))
    assert not elsewhere.compare_outputs(stream("lost 1.01\n"), stream("loss 1.00\n"))


@pytest.mark.parametrize("digest, told", [("0123456789ab", True), (None, True), ("", False)])
def test_the_summary_counts_executed_notebooks_whose_numbers_were_not_compared(
    digest, told, tmp_path, monkeypatch
):
    monkeypatch.setattr(nbval, "HERE", tmp_path)
    metadata = {} if digest is None else dict(arithmetic=digest or nbval.arithmetic())
    for name in ("a", "b"):
        nbformat.write(nbformat.v4.new_notebook(metadata=metadata), tmp_path / f"{name}.ipynb")
    report, lines = SimpleNamespace(nodeid="notebooks/a.ipynb::Cell 0"), []
    reporter = SimpleNamespace(stats=dict(passed=[report]), write_line=lines.append)
    config = SimpleNamespace(getoption=lambda name, default: name == "nbval")
    nbval.pytest_terminal_summary(reporter, config)
    assert ["in 1 of 1 notebooks" in line for line in lines] == [True] * told


def test_the_digest_is_the_same_each_time_and_another_with_another_last_bit(monkeypatch):
    tool = load_file("tools/arithmetic.py")
    here = tool.digest()
    assert tool.digest() == here == nbval.arithmetic()
    exact = torch.baddbmm
    monkeypatch.setattr(torch, "baddbmm", lambda *a: exact(*a).nextafter(torch.tensor(9e9)))
    assert tool.digest() != here
