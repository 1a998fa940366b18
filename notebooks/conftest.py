"""What nbval compares of a cell's outputs.

Whether a claim holds is asserted when its cell runs, on whatever machine.
Pictures are not compared.
A claim's value is compared to a tenth, every other text as it is, where this machine computes as
the one that executed the notebook: its metadata keep a digest of the arithmetic, that of
`tools/arithmetic.py`.
With another digest the words of each output are compared and its numbers are not.
"""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat

# Committed notebooks are executed with one thread; kernels inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).parent
ARITHMETIC = HERE.parent / "tools" / "arithmetic.py"
TOLERANCE = 0.1  # of a claim's value, a share
RANGE = re.compile(r"^(\S+),(?= )")  # a range whose ends round alike is printed as one number
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
ANY_NUMBER = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")
TEXTS = ("text", "text/html", "text/plain")


@cache
def arithmetic() -> str:
    """The digest of this machine's arithmetic."""
    return subprocess.check_output([sys.executable, str(ARITHMETIC)], text=True).strip()


def executed_here(notebook: nbformat.NotebookNode) -> bool:
    """Whether a notebook was executed with this machine's arithmetic."""
    return notebook.metadata.get("arithmetic") == arithmetic()


def alike(line: str, recorded: str, *, tolerance: float | None = TOLERANCE) -> bool:
    """Whether two lines are one claim with nearly the same numbers after its colon.

    tolerance: a share of the larger number; with None any numbers will do.
    """
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
    """A line with # for each number and its sign, and one blank for each gap."""
    return " ".join(ANY_NUMBER.sub("#", line).replace("[", "[ ").split())


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
    for name in ("text",) if same_arithmetic else TEXTS:
        if isinstance(found.get(name), str) and isinstance(recorded.get(name), str):
            texts = (found[name], recorded[name])
            found[name] = as_recorded(*texts, same_arithmetic=same_arithmetic)


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
            same = executed_here(item.parent.nb)
            item.compare_outputs = forgiving(item.compare_outputs, same_arithmetic=same)


def pytest_terminal_summary(terminalreporter, config):
    """Say in how many of the executed notebooks numbers were not compared."""
    if not config.getoption("nbval", False):
        return
    reports = [*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])]
    names = {Path(report.nodeid.partition("::")[0]).name for report in reports}
    paths = [HERE / name for name in names if (HERE / name).suffix == ".ipynb"]
    notebooks = [nbformat.read(path, as_version=4) for path in paths if path.is_file()]
    others = sum(not executed_here(notebook) for notebook in notebooks)
    if others:
        terminalreporter.write_line(
            f"Numbers were not compared in {others} of {len(notebooks)} notebooks: they were "
            "executed with another arithmetic (see tools/arithmetic.py)"
        )
