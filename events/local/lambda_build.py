"""What Lambda mounts, as folders here: the function, its layers, the runtime, and the emulator.

They are built by the same make targets as for a deployment, but for this machine's architecture,
and kept in ``.aws-sam/local/`` until what they are made of changes. The interpreter is Python 3.13,
the deployment's, if it is installed; otherwise it is the one that runs this program.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pack import find_python, install, requirements, settle

ROOT = Path(__file__).resolve().parents[2]
KEPT_IN = ROOT / ".aws-sam/local"
PACK = ROOT / "layers/deps/pack.py"
TOOLS = ROOT / "tests/e2e/requirements.txt"

DEPLOYED = "3.13"
"""The Python of the template."""

ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")

UNUSED_S = 24 * 3600

RUNTIME = (
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)
"""What lies in /var/runtime: the client of the runtime API, and boto3, with what they need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """The folders, and the two programs that run in them."""

    task: Path
    """``/var/task``: the function."""
    opt: Path
    """``/opt``: all layers."""
    runtime: Path
    """``/var/runtime``."""
    emulator: Path
    """The Runtime Interface Emulator."""
    python: Path
    python_version: str
    """Such as ``3.13``."""


def build_mounts(models: str = "erase-s", *, heic: bool = True) -> Mounts:
    """Build what is not there yet, in about half a minute; say so on standard error.

    :raises subprocess.CalledProcessError: a step failed, and has said why.
    """
    found = find_python(DEPLOYED)
    version = DEPLOYED if found else f"{sys.version_info.major}.{sys.version_info.minor}"
    if not found:
        print(f"No working python{DEPLOYED} was found: using Python {version}.", file=sys.stderr)
    layers = build_layers(models, architecture=ARCHITECTURE, python=version)
    if not heic:
        del layers["HeifLayer"]
    opt = list(layers.values())
    return Mounts(
        task=build_task(version),
        opt=_kept("opt", opt, lambda root: _merge(opt, root)),
        runtime=_kept("runtime", [PACK, TOOLS], lambda r: _install_runtime(r, version), version),
        emulator=_kept("emulator", [TOOLS], _unpack_emulator) / "aws-lambda-rie",
        python=Path(found or find_python(version) or sys.executable),
        python_version=version,
    )


def build_layers(models: str, *, architecture: str, python: str) -> dict[str, Path]:
    """Return each layer's folder by its name in the template; the models have commas between."""
    packages = [PACK, ROOT / "layers/deps/Makefile", *PACK.parent.glob("requirements*.txt")]
    weights = [PACK, ROOT / "models/Makefile"]
    for model in models.split(","):
        weights += (ROOT / "models" / model).glob("*")
    target = {"ARCHITECTURE": architecture, "PYTHON_VERSION": python}
    # The models come first: a name that is wrong is said before any package is installed.
    made = {
        "ModelLayer": ("models", weights, {"MODEL_NAME": models}),
        "DepsLayer": ("layers/deps", packages, target),
        "HeifLayer": ("layers/deps", packages, target),
    }
    return {
        name: _kept(name, inputs, partial(make, folder, name, variables), *variables.values())
        for name, (folder, inputs, variables) in made.items()
    }


def build_task(python: str) -> Path:
    """Return the function's folder."""
    code = [path for path in (ROOT / "function").rglob("*") if "__pycache__" not in path.parts]
    build = partial(make, "function", "ApiFunction", {"PYTHON_VERSION": python})
    return _kept("ApiFunction", [PACK, *code], build, python)


def make(folder: str, name: str, variables: Mapping[str, str], root: Path) -> None:
    """Build one resource of the template into ``root``, by the target that SAM calls."""
    given = {"ARTIFACTS_DIR": str(root), "PYTHON": sys.executable, **variables}
    subprocess.run(  # noqa: S603 # our own targets
        [
            *("make", "--silent", "-C", str(ROOT / folder), f"build-{name}"),
            *(f"{variable}={value}" for variable, value in given.items()),
        ],
        stdout=sys.stderr,
        # `make serve` is a make too: its flags and variables are not meant for this one.
        env={n: v for n, v in os.environ.items() if not n.startswith(("MAKE", "MFLAGS"))},
        check=True,
    )


def _kept(name: str, inputs: Iterable[Path], build: Callable[[Path], None], *more: str) -> Path:
    """Return the folder that ``build`` makes of the inputs, made anew only when they change."""
    compiled = find_python(DEPLOYED) is not None
    digest = hashlib.sha256(repr((ARCHITECTURE, compiled, more)).encode())
    for path in sorted(inputs):
        # A folder is one of ours: its name says what is in it.
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
    kept = KEPT_IN / f"{name}-{digest.hexdigest()[:16]}"
    if not kept.is_dir():
        KEPT_IN.mkdir(parents=True, exist_ok=True)
        _remove_unused(name)
        print(f"building {kept.relative_to(ROOT)}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=KEPT_IN, prefix=f"{name}.") as scratch:
            made = Path(scratch) / name
            made.mkdir()
            build(made)
            for path in made.rglob("*"):
                if path.is_file():  # folders stay writable, or nothing could remove them again
                    path.chmod(path.stat().st_mode & 0o555)
            with contextlib.suppress(OSError):  # somebody else was faster
                made.rename(kept)
    os.utime(kept)
    return kept


def _remove_unused(name: str) -> None:
    """Remove the folders of earlier inputs, but those that something may be running in."""
    for old in KEPT_IN.glob(f"{name}-*"):
        if old.stat().st_mtime < time.time() - UNUSED_S:
            shutil.rmtree(old, ignore_errors=True)


def _merge(layers: Iterable[Path], root: Path) -> None:
    """Lay the layers over each other, as Lambda does, without copying what they hold."""
    for layer in layers:
        for path in sorted(layer.rglob("*")):
            target = root / path.relative_to(layer)
            if path.is_dir():
                target.mkdir(exist_ok=True)
            else:
                os.link(path, target)


def _install_runtime(root: Path, version: str) -> None:
    entries = requirements(TOOLS)
    install([entries[n] for n in RUNTIME], root, architecture=ARCHITECTURE, python=version)
    settle(root)


def _unpack_emulator(root: Path) -> None:
    """Take the one file out of SAM's wheel."""
    wanted = root / "requirements.txt"
    wanted.write_text(requirements(TOOLS)["aws-sam-cli"], encoding="utf-8")
    subprocess.run(  # noqa: S603 # this very interpreter
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--require-hashes"),
            *("--dest", str(root), "--requirement", str(wanted)),
        ],
        check=True,
    )
    wanted.unlink()
    (wheel,) = root.glob("*.whl")
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}") as source,
        (root / "aws-lambda-rie").open("wb") as target,
    ):
        shutil.copyfileobj(source, target)
    (root / "aws-lambda-rie").chmod(0o755)
    wheel.unlink()
