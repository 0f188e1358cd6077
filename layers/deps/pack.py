"""Makes the parts of a deployment as Lambda unpacks them: packages and code, small and compiled.

``sam build`` calls it through the Makefiles. It needs pip and a Python from 3.11 on, of any
version: packages are installed as wheels for the target, never run. The same inputs give the same
tree, byte for byte, dates and modes included.
"""

import argparse
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 # `sam build` alone takes whatever python3 is
    sys.exit("Python 3.11 or newer is needed. Name one: PYTHON=python3.13 sam build")

from sbom import write_inventory

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "function"))
from cutout.errors import ModelUnavailable  # noqa: E402 - its path stands above
from cutout.image.card import read_card  # noqa: E402 - needs no package

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's name of an architecture → that of wheels."""

GLIBC_MINORS = range(34, 16, -1)
"""Wheels that run on glibc 2.34, Amazon Linux 2023's; pip takes a tag only where it is listed."""

UNUSED_PACKAGES = {"flatbuffers", "packaging", "protobuf"}
"""onnxruntime declares them and imports none of them to run a network: 2 MB."""

UNUSED_PATHS = (
    "bin",
    # 35 MB: a second copy of the library, for programs in C; Python's module has it built in.
    # (libonnxruntime_providers_shared.so stays: without it each import prints a warning.)
    "onnxruntime/capi/libonnxruntime.so*",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/_pyinstaller",
    "numpy/doc",
    "numpy/f2py",
    "numpy/random/lib",
    "numpy/_core/_simd*.so",  # 1.5 MB, for numpy's own tests
    # Text on images, and windows: 4 MB with the libraries that nothing else needs.
    "PIL/_imagingft*",
    "PIL/_imagingtk*",
    "pillow.libs/libbrotli*",
    "pillow.libs/libfreetype*",
    "pillow.libs/libharfbuzz*",
    "pillow.libs/libpng16*",  # freetype's; Pillow reads PNG by itself
    # 1.7 MB of Swagger's page, which needs pydantic.
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.js",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.css",
    # At any depth: type stubs, sources, static libraries, tests.
    "**/*.pyi",
    "**/*.pxd",
    "**/*.pyx",
    "**/*.[ach]",
    "**/tests",
    "**/_*_tests*.so",
    "**/__pycache__",
)

LICENCE = re.compile(r"(?i)(licen[cs]e|copying|notice|third.?party|authors)")

LONG_AGO_S = 315_532_800  # 1980-01-01, the first date that a zip file can hold


# ------------------------------------------------------------------------------ packages


def requirements(file: Path) -> dict[str, str]:
    """Return the entries of a hashed requirements file by package name."""
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", file.read_text(encoding="utf-8"))[1:]
    return {entry.partition("==")[0]: entry for entry in entries}


def install(entries: Iterable[str], target: Path, *, architecture: str, python: str) -> None:
    """Install exactly these entries, as wheels for the target, into a folder.

    :raises subprocess.CalledProcessError: pip failed, and has said why.
    """
    target.mkdir(parents=True, exist_ok=True)
    chosen = target.with_name(f"{target.name}.requirements.txt")
    chosen.write_text("".join(entries), encoding="utf-8")
    machine = MACHINES[architecture]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    subprocess.run(  # noqa: S603 # this very interpreter
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"),
            "--root-user-action=ignore",  # its warning does not matter in a folder of its own
            *("--implementation", "cp", "--python-version", python),
            *(f"--platform={tag}" for tag in [*tags, f"manylinux2014_{machine}"]),
            *("--target", str(target), "--upgrade", "--requirement", str(chosen)),
        ],
        check=True,
    )
    chosen.unlink()


def trim(packages: Path, licences: Path) -> None:
    """Remove what no request runs; a licence that goes with it moves to ``licences``.

    What stands in ``*.dist-info`` stays: it says what is installed, and under which terms.
    """
    for path in sorted(packages.iterdir()):
        if path.is_dir() and path.suffix not in {".dist-info", ".libs"}:
            _keep_licences(path, licences / path.name)
    for pattern in UNUSED_PATHS:
        for path in sorted(packages.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _keep_licences(package: Path, target: Path) -> None:
    for file in sorted(package.rglob("*")):
        # Code may be called so too, such as sphinx's licence extensions.
        if file.is_file() and LICENCE.search(file.name) and file.suffix in {"", ".md", ".txt"}:
            name = "-".join(file.relative_to(package).parts)
            target.mkdir(parents=True, exist_ok=True)
            file.rename(target / name)


def build_packages(  # noqa: PLR0913 - all that a layer is made of
    file: Path, root: Path, part: str, *, architecture: str, python: str, without: Iterable[str]
) -> None:
    """Make a layer's root of a requirements file, leaving out some packages, and list the rest."""
    left_out = {*UNUSED_PACKAGES, *without}
    entries = [entry for name, entry in requirements(file).items() if name not in left_out]
    install(entries, root / "python", architecture=architecture, python=python)
    trim(root / "python", root / "LICENSES")
    write_inventory(root, part)
    compile_all(root / "python", "/opt/python", python)
    settle(root)


# ------------------------------------------------------------------------------ byte-code


@functools.cache
def find_python(version: str) -> str | None:
    """Return a working interpreter of this very version (``3.13``): on PATH, pyenv's, or this one.

    A file of that name need not work: pyenv puts a stand-in on PATH for versions not in use. This
    one is taken from outside of a virtual environment, whose packages are not the layer's.
    """
    name = f"python{version}"
    shelves = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/{name}"), reverse=True)
    for candidate in [name, *map(str, shelves), f"{sys.base_prefix}/bin/{name}"]:
        found = shutil.which(candidate)
        if found and _version(found) == version:
            return found
    return None


def _version(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def compile_all(folder: Path, mounted_at: str, version: str) -> None:
    """Compile a folder's modules for Python ``version``, or warn that they stay uncompiled.

    Lambda mounts them read-only, so that modules without byte-code are compiled in every cold
    start: 0.25 to 0.5 s more of it.
    """
    compiler = find_python(version)
    if compiler is None:
        print(
            f"WARNING: no python{version} was found, so {mounted_at} has no byte-code and every"
            " cold start takes 0.25 to 0.5 s longer. Install one, and build again.",
            file=sys.stderr,
        )
        return
    subprocess.run(  # noqa: S603 # find_python has tried it
        [
            *(compiler, "-m", "compileall", "-q"),
            # Zip files change the dates that byte-code is else checked against.
            *("--invalidation-mode", "unchecked-hash"),
            *("-s", str(folder), "-p", mounted_at, str(folder)),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},  # the order of sets, hence the bytes
        check=True,
    )


# ------------------------------------------------------------------------------ all parts


def build_function(source: Path, root: Path, *, python: str) -> None:
    """Copy the function's code, and compile it."""
    ignored = shutil.ignore_patterns("Makefile", "__pycache__", "*.pyc", "*.md", ".*")
    shutil.copytree(source, root, ignore=ignored, dirs_exist_ok=True)
    compile_all(root, "/var/task", python)
    settle(root)


def build_model(folder: Path, root: Path) -> None:
    """Copy a model's folder: the network, its card, its licence, and nothing else.

    :raises FileNotFoundError: the model does not exist.
    :raises ValueError: the card is that of another file, or says what no network can have.
    """
    file = folder / "card.toml"
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no model {folder.name} in {folder.parent}. MODEL_NAME= must be one of"
            f" {', '.join(sorted(path.parent.name for path in folder.parent.glob('*/card.toml')))};"
            f" make model NAME={folder.name} adds a public one."
        )
    # The function would refuse the same, but only once it is deployed.
    try:
        card = read_card(folder)
    except ModelUnavailable as error:
        raise ValueError(error.facts["reason"]) from error
    digest = hashlib.sha256((folder / card.file).read_bytes()).hexdigest()
    if (card.name, card.file, card.sha256) != (folder.name, "model.onnx", digest):
        raise ValueError(
            f"{file} is of {card.name}, {card.file}, SHA-256 {card.sha256}, and not of"
            f" {folder.name}, model.onnx, SHA-256 {digest}."
        )
    target = root / "models" / folder.name
    target.mkdir(parents=True, exist_ok=True)
    for name in ("card.toml", "LICENSE", "model.onnx"):
        shutil.copyfile(folder / name, target / name)
    settle(root)


def settle(root: Path) -> None:
    """Give every file the modes that Lambda's user needs, and one date."""
    for path in [*_below(root), root]:
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)
        os.utime(path, (LONG_AGO_S, LONG_AGO_S))


def _below(root: Path) -> Iterator[Path]:
    """Yield what is in a folder, the contents of each folder before itself."""
    for path in sorted(root.iterdir()):
        if path.is_dir():
            yield from _below(path)
        yield path


def _folder(name: str) -> Path:
    """Return the folder of that name.

    :raises argparse.ArgumentTypeError: there is no name: it would be the folder that make is in.
    """
    if not name:
        raise argparse.ArgumentTypeError("name the folder: make … ARTIFACTS_DIR=/path/to/it")
    return Path(name)


def main() -> int:
    """Run the program; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=("deps", "heif", "function", "model"))
    parser.add_argument("root", type=_folder, help="the folder to make, which Lambda mounts")
    parser.add_argument("--architecture", choices=sorted(MACHINES), default="x86_64")
    parser.add_argument("--python", default="3.13", metavar="3.N", help="version that runs it")
    parser.add_argument(
        "--source",
        type=Path,
        action="append",
        default=[],
        help="the function's folder, or that of a model; models can be several",
    )
    arguments = parser.parse_args()
    root = arguments.root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    try:
        if arguments.part == "function":
            (source,) = arguments.source
            build_function(source, root, python=arguments.python)
        elif arguments.part == "model":
            for folder in arguments.source:
                build_model(folder, root)
        else:
            is_heif = arguments.part == "heif"
            build_packages(
                HERE / ("requirements-heif.txt" if is_heif else "requirements.txt"),
                root,
                arguments.part,
                architecture=arguments.architecture,
                python=arguments.python,
                without=requirements(HERE / "requirements.txt") if is_heif else (),
            )
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
