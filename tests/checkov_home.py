"""Where checkov is, which few of the tests need: the first of them installs it."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def checkov_home() -> Path:
    """Return its environment, a folder; skip a test that another environment than make's runs.

    :raises AssertionError: it was not installed; the words of ``make`` are the message.
    """
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("checkov is part of the environment that make test makes")
    done = subprocess.run(
        ["make", "-s", "checkov"],  # noqa: S607 # as a user does
        cwd=ROOT,
        # Nothing of a make around the tests.
        env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / ".venv/checkov"
