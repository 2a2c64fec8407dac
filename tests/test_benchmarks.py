"""The benchmark of the intake still runs, so that its figures can be measured again."""

import subprocess
import sys

import pytest

from tests.benchmarks.__main__ import ROOT


@pytest.mark.slow
def test_a_short_run_measures_our_contenders():
    only = [argument for name in ("make run", "naive") for argument in ("--only", name)]
    short = ["--rounds=1", "--seconds=5", "--connections=8", "--fewest=2"]
    command = [sys.executable, "-m", "tests.benchmarks", *only, *short]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "naive DRF + ORM |" in run.stdout
