"""A machine without the native kernel: everything works on NumPy and Pillow, and `jikimi doctor` says so.

The kernel is hidden by a package of its name that cannot be imported; the fork server does not find it either.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def without_kernel(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a machine that has no kernel."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "jikimi_kernel.py").write_text("raise ModuleNotFoundError('not installed here')\n")
    return {**os.environ, "PYTHONPATH": str(hidden), "JIKIMI_DATA": str(tmp_path / "data")}


def test_doctor_says_so(without_kernel: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "jikimi", "doctor", "--json"]
    said = subprocess.run(command, env=without_kernel, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    assert "numpy: slower; the native kernel is not installed" in said.stdout
    assert "PDQ numpy, JPEG by Pillow" in said.stdout


@pytest.mark.slow
def test_the_stories_are_the_same(without_kernel: Mapping[str, str]) -> None:
    stories = ["tests/flows/test_one_upload.py", "-k", "sqlite"]
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", *stories]
    told = subprocess.run(command, env=without_kernel, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert told.returncode == 0, told.stdout
