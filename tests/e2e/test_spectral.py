"""Spectral, from npm, has nothing to say about the OpenAPI document."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from client import Client

import app

NPM = shutil.which("npm")


@pytest.mark.skipif(NPM is None, reason="there is no npm on this machine")
def test_spectral_finds_nothing(tmp_path: Path) -> None:
    """By its set of rules for OpenAPI; a hint counts as a finding."""
    command = [str(NPM), "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(
        [*command, "@stoplight/spectral-cli@6.16.3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install Spectral here: {installed.stderr.strip()[:200]}")
    document = Client(app.http_handler).send("GET", "/openapi.json", key=None).json()
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / ".spectral.yaml").write_text('extends: ["spectral:oas"]')
    linted = subprocess.run(
        [tmp_path / "node_modules/.bin/spectral", "lint", "--fail-severity=hint", "openapi.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
