"""What the first ``make`` does before it runs anything: it makes ``.venv/`` and installs packages.

Each test has a small project: the Makefile, a list of one package, and a program that imports it.
"""

import hashlib
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT, make


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the small project's folder."""
    folder = tmp_path / "a project"
    for name in ("wheels", "tests", "elsewhere"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    wheel = folder / "wheels/tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        about = "tiny-1.dist-info"
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        file.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{about}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "tiny.txt").write_text(f"tiny==1 --hash=sha256:{digest}\n", encoding="utf-8")
    (folder / "tests/beside.py").touch()
    (folder / "tests/demo.py").write_text(
        "import beside, tiny\nprint(tiny.__file__)\n", encoding="utf-8"
    )
    return folder


def set_up(project: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Return the exit status, the output and the messages of ``make demo`` with the small list.

    The package lies in a folder, and pip looks nowhere else.
    """
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "wheels", "PIP_NO_INDEX": "1"}
    done = make(
        project,
        "demo",
        "REQUIREMENTS=tiny.txt",
        *(arguments or (f"PYTHON={sys.executable}",)),
        **pip | variables,
    )
    return done.returncode, done.stdout, done.stderr


def test_variables_of_another_python_or_pip_change_nothing(project: Path) -> None:
    """The packages go into ``.venv/``, and are imported from there."""
    elsewhere = project / "elsewhere"
    (elsewhere / "tiny.py").write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    (elsewhere / "pip.conf").write_text("[install]\nuser = true\n", encoding="utf-8")
    status, printed, said = set_up(
        project,
        PIP_CONFIG_FILE=str(elsewhere / "pip.conf"),
        PIP_USER="1",
        PIP_TARGET=str(elsewhere),
        PIP_PREFIX=str(elsewhere),
        PYTHONHOME=str(elsewhere),
        PYTHONPATH=str(elsewhere),
        PYTHONSAFEPATH="1",
        PYTHONWARNINGS="error",
    )
    assert status == 0, said
    assert printed.startswith(str(project / ".venv/lib/"))
    assert {path.name for path in elsewhere.iterdir()} == {"tiny.py", "pip.conf"}
