"""A fresh checkout of this working tree in another folder, as somebody who has just cloned it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A second makefile on standard input, since --eval is newer than the make of macOS.
_STAMPS = "print-stamps: ; @echo $(STAMP) $(CHECKOV)\n"

_CACHES = {".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_MADE = _CACHES | {".venv", ".aws-sam", "demo", "samconfig.toml"}
"""What commands make in the project's folder."""


def check_out(folder: Path) -> None:
    """Copy every file of the project, and link the packages of this environment.

    Only the environment differs from a clone: its packages are those that run these tests, so that
    nothing is downloaded, and nothing that a command does there changes them.
    """
    if sys.prefix == sys.base_prefix:
        pytest.skip("the tests do not run in a virtual environment that a checkout could use")
    for name in project_files():
        if (ROOT / name).is_file():  # a deleted file is still listed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    environment = folder / ".venv"
    environment.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name in {"bin", "include", "lib", "lib64", "share", "pyvenv.cfg"}:
            (environment / part.name).symlink_to(part)
    # mypy checks only what has changed since it ran here, as it would in a checkout that is in use.
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    stamps = _run("make", "-sf", "Makefile", "-f", "-", "print-stamps", cwd=folder, text=_STAMPS)
    for stamp in stamps.split():
        (folder / stamp).parent.mkdir(exist_ok=True)
        (folder / stamp).touch()


def project_files() -> Iterator[str]:
    """Yield what git tracks, or would track.

    What was downloaded as a ZIP has no ``.git``, and a repository around it knows nothing of it.
    There all is the project's but what commands have made.
    """
    if (ROOT / ".git").exists():
        command = ("git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard")
        yield from filter(None, _run(*command, cwd=ROOT).split("\0"))
        return
    for place, folders, names in os.walk(ROOT):
        made = {"__pycache__"} | (_MADE if Path(place) == ROOT else set())
        folders[:] = set(folders) - made
        for name in set(names) - made:
            yield Path(place, name).relative_to(ROOT).as_posix()


def environment() -> Mapping[str, str]:
    """Return the environment of a new terminal: nothing of a ``make`` around the tests, or AWS."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "MFLAGS", "AWS_", "PYTEST", "PYTHON"))
        and name not in {"KEYS_CHECKED_BY", "API_KEY_HASHES", "ARGS", "VIRTUAL_ENV"}
        and not name.lower().endswith("_proxy")
    }
    return {**kept, "no_proxy": "127.0.0.1"}


def make(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run ``make`` there."""
    return subprocess.run(
        ["make", *arguments],  # noqa: S607 # as a user does
        cwd=folder,
        env={**environment(), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,  # for a busy machine
        check=False,
    )


def _run(*command: str, cwd: Path, text: str = "") -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment(), input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{' '.join(command[:2])} does not work here: {done.stderr.strip()}")
    return done.stdout
