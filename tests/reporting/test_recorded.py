"""nbval takes a claim's value as the recorded one to a tenth, and every other text as it is.

With another arithmetic than the recorded one it compares words alone.
"""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch

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


def test_with_another_arithmetic_a_bound_may_be_zero():
    found, recorded = "✓ changes: 2.1 to 4, above 0\n", "✓ changes: 1 to 3, above 0\n"
    assert nbval.as_recorded(found, recorded, **ELSEWHERE) == recorded


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


def test_the_width_of_a_column_may_change_with_another_arithmetic_alone():
    recorded, found = "VAE    9.50\n", "VAE   10.25\n"
    assert nbval.as_recorded(found, recorded, **ELSEWHERE) == recorded
    assert nbval.as_recorded(found, recorded) == found


def output(text, html):
    data = {"text/plain": text, "text/html": html, "image/svg+xml": "1"}
    return dict(output_type="execute_result", data=data)


@pytest.mark.parametrize("same", [True, False])
def test_all_texts_of_an_output_are_compared(same):
    seen = []
    compare = nbval.forgiving(lambda test, ref, skip: seen.extend(test), same_arithmetic=same)
    found, recorded = output("a 2\n", "<p>2</p>"), output("a 1\n", "<p>1</p>")
    compare([found], [recorded])
    expected = found if same else recorded
    assert seen[0]["data"]["text/plain"] == expected["data"]["text/plain"]
    assert seen[0]["data"]["text/html"] == expected["data"]["text/html"]
    assert seen[0]["data"]["image/svg+xml"] == "1"


class Item:
    """What the hook needs of nbval's items."""

    def __init__(self, arithmetic):
        notebook = nbformat.v4.new_notebook(metadata=dict(arithmetic=arithmetic))
        self.parent = SimpleNamespace(nb=notebook, skip_compare=())
        self.compare_outputs = lambda test, ref, skip: test[0]["text"] == ref[0]["text"]


def stream(text):
    return [dict(output_type="stream", text=text)]


def test_numbers_are_compared_where_the_notebook_was_executed_with_this_arithmetic():
    here, elsewhere = Item(nbval.arithmetic()), Item("0123456789ab")
    nbval.pytest_collection_modifyitems([here, elsewhere])
    assert not here.compare_outputs(stream("loss 1.01\n"), stream("loss 1.00\n"))
    assert elsewhere.compare_outputs(stream("loss 1.01\n"), stream("loss 1.00\n"))
    assert not elsewhere.compare_outputs(stream("lost 1.01\n"), stream("loss 1.00\n"))


def test_the_digest_is_the_same_each_time_and_another_with_another_last_bit(monkeypatch):
    here = nbval.arithmetic()
    digest = sys.modules["arithmetic"].digest
    assert digest() == here
    exact = torch.baddbmm
    monkeypatch.setattr(torch, "baddbmm", lambda *a: exact(*a).nextafter(torch.tensor(9e9)))
    assert digest() != here
