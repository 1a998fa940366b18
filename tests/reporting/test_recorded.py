"""nbval takes a claim's value as the recorded one to a tenth, and every other text as it is."""

import importlib.util
from pathlib import Path

import pytest

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
