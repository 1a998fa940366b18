"""Workers that are killed or interrupted, and machines that vanish, leave the undisturbed table."""

import subprocess
import sys

import pytest
from loading import ROOT

COUNTS = dict(kills=2, interrupts=1, pairs=1, machines=1)


@pytest.mark.slow
def test_a_disturbed_study_ends_in_the_table_of_an_undisturbed_one():
    options = [text for name, count in COUNTS.items() for text in (f"--{name}", str(count))]
    command = [sys.executable, "benchmarks/workers.py", *options, "--epochs", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert done.stdout == f"{sum(COUNTS.values())} disturbances, 0 failures\n"
