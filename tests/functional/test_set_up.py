"""What the first ``make`` does before it runs anything: it makes ``.venv/`` and installs packages.

Most tests have a small project: the Makefile, a list of one package, and a program that imports it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT, check_out, environment, make

RANGE = "Python 3.11, 3.12, 3.13 or 3.14 is needed, and "
NOT_INSTALLED = "The packages were not installed; pip says why above. "

# Any Python that runs, as one of another version, which cannot make an environment.
OTHER_PYTHON = """#!/bin/sh
[ "$1" = -c ] || { echo "asked for $*" >&2; exit 1; }
exec "$REAL" -c "import sys; sys.version_info = ($VERSION, 0); $2"
"""

AGAIN = """
import sys
from pathlib import Path
from checkout import check_out
check_out(Path(sys.argv[1]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the small project's folder."""
    folder = tmp_path / "a project"
    for name in ("wheels", "tests/template", "tests/e2e", "models", "elsewhere"):
        (folder / name).mkdir(parents=True)
    for name in ("tests/template/", "tests/e2e/", "models/quantize-"):
        (folder / f"{name}requirements.txt").touch()
    shutil.copy(ROOT / "Makefile", folder)
    require(folder, "tiny")
    (folder / "tests/beside.py").touch()
    (folder / "tests/demo.py").write_text(
        "import beside, tiny\nprint(tiny.__file__)\n", encoding="utf-8"
    )
    return folder


def require(folder: Path, name: str, **files: str) -> None:
    """Make a package with one module, and files about it, and add it to the small list."""
    wheel = folder / f"wheels/{name}-1-py3-none-any.whl"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(f"{name}.py", "")
        for file_name, text in {**about, **files}.items():
            file.writestr(f"{name}-1.dist-info/{file_name}", text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with (folder / "tiny.txt").open("a", encoding="utf-8") as requirements:
        requirements.write(f"{name}==1 --hash=sha256:{digest}\n")


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


def test_a_set_up_says_only_what_it_does(project: Path) -> None:
    """However long pip's list of the packages is, which ends in a line longer than a pipe holds."""
    url = {"url": f"https://example.com/{'x' * 1_000_000}", "dir_info": {}}
    require(project, "very_tiny", **{"direct_url.json": json.dumps(url)})
    status, printed, said = set_up(project)
    assert status == 0, said
    assert printed == f"{next(project.glob('.venv/lib/*/site-packages/tiny.py'))}\n"
    assert said == "Installing the packages into .venv/: a minute, once.\n"


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
        PIP_ROOT=str(elsewhere),
        PYTHONHOME=str(elsewhere),
        PYTHONPATH=str(elsewhere),
        PYTHONSAFEPATH="1",
        PYTHONWARNINGS="error",
    )
    assert status == 0, said
    assert printed.startswith(str(project / ".venv/lib/"))
    assert {path.name for path in elsewhere.iterdir()} == {"tiny.py", "pip.conf"}


@pytest.mark.parametrize("setting", ["target", "prefix", "root"])
def test_packages_that_pip_puts_elsewhere_are_missed(project: Path, setting: str) -> None:
    """No make believes then that all is set up, and the next one begins anew."""
    elsewhere = project / "elsewhere"
    conf = elsewhere / "pip.conf"
    conf.write_text(f"[install]\n{setting} = {elsewhere}\n", encoding="utf-8")
    status, printed, said = set_up(project, PIP_CONFIG_FILE=str(conf))
    assert status != 0
    assert printed == ""
    assert "pip put the packages elsewhere: a pip.conf sets target, prefix or root." in said
    assert set_up(project)[0] == 0


def test_packages_that_are_not_found_are_explained(project: Path) -> None:
    """The next ``make`` begins anew."""
    status, printed, said = set_up(project, PIP_FIND_LINKS="elsewhere")
    assert status != 0
    assert printed == ""
    assert "No matching distribution found for tiny==1" in said
    assert NOT_INSTALLED in said
    assert set_up(project)[0] == 0


def test_a_package_that_would_have_to_be_built_is_not(project: Path) -> None:
    """To build all of them needs compilers, and takes longer than anybody waits."""
    sources = project / "elsewhere/tiny-1.zip"
    with zipfile.ZipFile(sources, "w") as file:
        file.writestr("tiny-1/setup.py", "raise SystemExit('built')")
    digest = hashlib.sha256(sources.read_bytes()).hexdigest()
    (project / "tiny.txt").write_text(f"tiny==1 --hash=sha256:{digest}\n", encoding="utf-8")
    status, _, said = set_up(project, PIP_FIND_LINKS="elsewhere", PIP_NO_BINARY=":all:")
    assert status != 0
    assert "built" not in said.partition(NOT_INSTALLED)[0]
    assert NOT_INSTALLED in said


@pytest.mark.parametrize(
    ("version", "fits"),
    [("3, 10", False), ("3, 11", True), ("3, 14", True), ("3, 15", False), ("4, 0", False)],
)
def test_the_packages_are_for_some_versions_of_python(
    project: Path, version: str, *, fits: bool
) -> None:
    """Another one is refused at once, in one sentence that says what to do."""
    python = project / "python"
    python.write_text(OTHER_PYTHON, encoding="utf-8")
    python.chmod(0o755)
    status, _, said = set_up(project, f"PYTHON={python}", REAL=sys.executable, VERSION=version)
    assert status != 0
    assert ("asked for -m venv " in said) is fits
    name = "Name another one: make PYTHON=python3.13 ..."
    assert (f'{RANGE}"{python}" is not that or does not run. {name}\n' in said) is not fits
    assert not (project / ".venv").exists()


def test_a_python_that_is_not_there_is_said(project: Path) -> None:
    """As on a machine without one."""
    status, _, said = set_up(project, "PYTHON=python3.0")
    assert status != 0
    assert f'{RANGE}"python3.0" is not that or does not run.' in said


def test_a_project_that_is_no_clone_can_be_tested(tmp_path: Path) -> None:
    """From a ZIP, inside another repository too, the tests take the same files."""
    first, second = tmp_path / "first", tmp_path / "second"
    check_out(first)
    files = {path.relative_to(first) for path in first.rglob("*") if ".venv" not in path.parts}
    for made in ("demo/result.png", "events/__pycache__/x.pyc", "samconfig.toml", ".coverage"):
        (first / made).parent.mkdir(exist_ok=True)
        (first / made).touch()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)  # noqa: S607 # found by the path
    (tmp_path / ".gitignore").write_text("*\n", encoding="utf-8")
    second.mkdir()
    subprocess.run(
        [first / ".venv/bin/python", "-c", AGAIN, second],
        env={**environment(), "PYTHONPATH": str(first / "tests/functional")},
        check=True,
    )
    again = {path.relative_to(second) for path in second.rglob("*") if ".venv" not in path.parts}
    assert again == files
