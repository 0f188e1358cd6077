"""Spectral, from npm, has nothing to say about the OpenAPI document."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from client import Client

import app


def test_spectral_finds_nothing(from_npm: Callable[[str], Path], tmp_path: Path) -> None:
    """By its set of rules for OpenAPI; a hint counts as a finding."""
    modules = from_npm("@stoplight/spectral-cli@6.16.3")
    document = Client(app.http_handler).send("GET", "/openapi.json", key=None).json()
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / ".spectral.yaml").write_text('extends: ["spectral:oas"]')
    linted = subprocess.run(
        [modules / ".bin/spectral", "lint", "--fail-severity=hint", "openapi.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
