"""Commands that are killed, interrupted, without disk or two at once lose nothing and halve nothing."""

import subprocess
import sys

import pytest
from loading import ROOT

COUNTS = dict(moves=10, kills=2, interrupts=2, full=4, pairs=1)


@pytest.mark.slow
def test_disturbed_commands_end_in_the_results_of_undisturbed_ones():
    options = [text for name, count in COUNTS.items() for text in (f"--{name}", str(count))]
    command = [sys.executable, "benchmarks/interruptions.py", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    rows = [line.split() for line in done.stdout.splitlines()[1:-1]]
    assert sum(int(row[2]) for row in rows) == sum(COUNTS.values()) + 2 * COUNTS["pairs"]
    assert {row[1] for row in rows} == {"distil", "train", "compare", "study", "songs"}
