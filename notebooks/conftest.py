"""What nbval compares: everything but pictures, and the values of claims to a tenth.

Whether a claim holds is asserted when its cell runs, on whatever machine.
Pictures differ in their last digits between processors, and so do the numbers of a training: a
notebook keeps the digest of the arithmetic that it was executed with (`tools/arithmetic.py`).
With another arithmetic the words of each output are compared, and its numbers are not.
"""

import json
import re
import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
TOLERANCE = 0.1  # of a claim's value, a share
RANGE = re.compile(r"^(\S+),(?= )")  # a range whose ends round alike is printed as one number
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
TEXTS = ("text", "text/html", "text/plain")


@cache
def arithmetic() -> str:
    """The digest of this machine's arithmetic."""
    sys.path.insert(0, str(HERE.parent / "tools"))
    from arithmetic import digest

    return digest()


def alike(line: str, recorded: str, tolerance: float | None = TOLERANCE) -> bool:
    """Whether two lines are one claim with nearly the same numbers after its colon, or with any."""
    (claim, _, told), (same, _, before) = line.rpartition(": "), recorded.rpartition(": ")
    if not line.startswith("✓") or claim != same:
        return False
    told, before = (RANGE.sub(r"\1 to \1,", text) for text in (told, before))
    if NUMBER.sub("#", told) != NUMBER.sub("#", before):
        return False
    if tolerance is None:
        return True
    pairs = zip(NUMBER.findall(told), NUMBER.findall(before), strict=True)
    numbers = [(float(one), float(other)) for one, other in pairs]
    return all(abs(a - b) <= tolerance * max(abs(a), abs(b)) for a, b in numbers)


def words(line: str) -> str:
    """A line with # for each number, whatever its sign, and without the width of its gaps."""
    return " ".join(re.sub("−?#", "#", NUMBER.sub("#", line)).split())


def as_recorded(text: str, recorded: str, *, same_arithmetic: bool = True) -> str:
    """The text, with the recorded line in place of each line that is alike."""
    lines, before = text.splitlines(keepends=True), recorded.splitlines(keepends=True)
    if len(lines) != len(before):
        return text

    def taken(line: str, other: str) -> bool:
        if same_arithmetic:
            return alike(line, other)
        if line.startswith("✓"):
            return alike(line, other, tolerance=None)
        return words(line) == words(other)

    pairs = zip(lines, before, strict=True)
    return "".join(other if taken(line, other) else line for line, other in pairs)


def take(found: dict, recorded: dict, *, same_arithmetic: bool) -> None:
    """Put the recorded texts of one output in place of those that are alike."""
    for name in TEXTS if not same_arithmetic else ("text",):
        if isinstance(found.get(name), str) and isinstance(recorded.get(name), str):
            found[name] = as_recorded(found[name], recorded[name], same_arithmetic=same_arithmetic)


def forgiving(compare, *, same_arithmetic: bool):
    """nbval's comparison of a cell's outputs, after `take`."""

    def compare_outputs(test, ref, skip_compare=None):
        if len(test) == len(ref):
            for found, recorded in zip(test, ref, strict=True):
                take(found, recorded, same_arithmetic=same_arithmetic)
                parts = (found.get("data", {}), recorded.get("data", {}))
                take(*parts, same_arithmetic=same_arithmetic)
        return compare(test, ref, skip_compare)

    return compare_outputs


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item.parent, "skip_compare"):
            item.parent.skip_compare = (*item.parent.skip_compare, "image/svg+xml")
        if hasattr(item, "compare_outputs"):
            same = item.parent.nb.metadata.get("arithmetic") == arithmetic()
            item.compare_outputs = forgiving(item.compare_outputs, same_arithmetic=same)


def pytest_terminal_summary(terminalreporter, config):
    """Say how many notebooks another arithmetic has executed."""
    if not config.getoption("nbval", False):
        return
    kept = [json.loads(path.read_text())["metadata"] for path in HERE.glob("*.ipynb")]
    others = sum(metadata.get("arithmetic") != arithmetic() for metadata in kept)
    if others:
        terminalreporter.write_line(
            f"{others} of {len(kept)} notebooks were executed with another arithmetic than this "
            "machine's: of their outputs the words were compared and the claims were asserted, "
            "the numbers were not compared"
        )
