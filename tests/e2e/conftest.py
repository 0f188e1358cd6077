"""The built artefacts in the emulator, and what was measured of them."""

import hashlib
import importlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest
from client import Client, Handler

from emulator import Emulator
from gateway import LOCAL_KEY
from lambda_build import Mounts, build_mounts

VARIABLES = {
    "KEYS_CHECKED_BY": "gateway",
    "API_KEY_HASHES": hashlib.sha256(LOCAL_KEY.encode()).hexdigest(),
}

os.environ.update(VARIABLES)  # before the source is imported, which reads them then

_measured: list[str] = []


@pytest.fixture
def report() -> Callable[[str], None]:
    """Return what adds a line to the measurements, printed after the tests."""
    return _measured.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if _measured:
        terminalreporter.section("measured on this machine")
        for line in _measured:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def variables() -> Mapping[str, str]:
    """Return the environment of a deployment behind a REST API."""
    return VARIABLES


@pytest.fixture(scope="session")
def mounts(request: pytest.FixtureRequest) -> Mounts:
    """Build the function and its layers, for this machine, where that is not done yet."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # the first time takes half a minute: say so
        return build_mounts()


@pytest.fixture(scope="session")
def http_emulator(mounts: Mounts) -> Iterator[Emulator]:
    """Run the API's function."""
    with Emulator(mounts, "app.http_handler", variables=VARIABLES) as emulator:
        yield emulator


@pytest.fixture
def client(http_emulator: Emulator, request: pytest.FixtureRequest) -> Client:
    """Speak to the built function, behind the gateway that a test names."""
    return Client(http_emulator.handle, getattr(request, "param", "1.0"))


@pytest.fixture(scope="session")
def source() -> Handler:
    """Return the handler of this checkout, in this process, with the same settings."""
    return cast("Handler", importlib.import_module("app").http_handler)


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Run the stand-in for S3."""
    with importlib.import_module("cloud").moto() as url:
        yield url


@pytest.fixture
def from_npm(tmp_path: Path) -> Callable[[str], Path]:
    """Return what installs ``name@version`` from npm, and returns the folder of its modules.

    The test is skipped where that is not possible.
    """

    def install(package: str) -> Path:
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("there is no npm on this machine")
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", package],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm cannot install {package} here: {done.stderr.strip()[:200]}")
        return tmp_path / "node_modules"

    return install
