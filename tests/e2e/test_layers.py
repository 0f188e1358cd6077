"""What a deployment unpacks, for both architectures: small, complete, and right for its machine."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import check_out, environment

from deployment_size import MEASURED_BYTES
from lambda_build import ARCHITECTURE, DEPLOYED, KEPT_IN, build_layers, build_task, make
from pack import find_python, requirements

MIB = 1024 * 1024
BUDGET_MIB = {"x86_64": (150, 122), "arm64": (130, 110)}
"""Function, layers and model, unzipped: with the HEIC layer, and without."""

LAMBDA_LIMIT_BYTES = 262_144_000

ELF_MACHINE = {"x86_64": 62, "arm64": 183}
GLIBC = (2, 34)
"""Amazon Linux 2023's."""

LEFTOVERS = [
    "bin",
    "python/bin",
    "**/*.pyi",
    "**/tests",
    "**/libonnxruntime.so*",
    "**/cv2",
    "**/pydantic",
    "python/google",
    "python/boto3",
    "python/botocore",
]
UNCHECKED_HASH = b"\x01\x00\x00\x00"
"""The second word of byte-code that is never compared with its source (PEP 552)."""

has_compiler = pytest.mark.skipif(
    find_python(DEPLOYED) is None, reason=f"there is no Python {DEPLOYED} here to compile with"
)


@pytest.fixture(scope="module", params=sorted(BUDGET_MIB))
def architecture(request: pytest.FixtureRequest) -> str:
    """Return each architecture of the template."""
    return str(request.param)


@pytest.fixture(scope="module")
def layers(architecture: str) -> dict[str, Path]:
    """Build what the template's layers hold."""
    return build_layers("erase-s", architecture=architecture, python=DEPLOYED)


def size(root: Path) -> int:
    """Return the bytes in a folder's files."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def test_it_keeps_to_its_budget(
    architecture: str, layers: dict[str, Path], report: Callable[[str], None]
) -> None:
    """Function, layers and model are small, with HEIC and without."""
    parts = {"ApiFunction": build_task(DEPLOYED), **layers}
    sizes = {name: size(root) for name, root in parts.items()}
    total = sum(sizes.values())
    listed = ", ".join(f"{name} {value / MIB:.1f}" for name, value in sizes.items())
    report(
        f"{architecture}: {total / MIB:.1f} MiB unzipped,"
        f" {(total - sizes['HeifLayer']) / MIB:.1f} without HEIC ({listed})"
    )
    with_heic, without_heic = BUDGET_MIB[architecture]
    assert total <= with_heic * MIB
    assert total - sizes["HeifLayer"] <= without_heic * MIB
    assert total <= LAMBDA_LIMIT_BYTES
    if architecture == "x86_64":  # what `make model` counts with, where nothing is built
        told = {part: size / MIB for part, size in MEASURED_BYTES.items()}
        assert told == pytest.approx({part: sizes[part] / MIB for part in told}, abs=1)
        # It has less than 2 MiB, so that a tolerance of one MiB would let it nearly double.
        assert told["ApiFunction"] == pytest.approx(sizes["ApiFunction"] / MIB, abs=0.2)


def test_nothing_is_left_that_no_request_runs(layers: dict[str, Path]) -> None:
    """Second copies, stubs, tests, and packages of the runtime or of nobody."""
    left = [path for root in layers.values() for glob in LEFTOVERS for path in root.glob(glob)]
    assert left == []


def test_native_code_is_for_this_machine(architecture: str, layers: dict[str, Path]) -> None:
    """Every library is the architecture's, and runs on Amazon Linux 2023's glibc."""
    libraries = [path for root in layers.values() for path in root.rglob("*.so*")]
    assert len(libraries) > 30
    for library in libraries:
        code = library.read_bytes()
        assert code.startswith(b"\x7fELF\x02\x01"), library
        assert int.from_bytes(code[18:20], "little") == ELF_MACHINE[architecture], library
        needed = re.findall(rb"GLIBC_(\d+)\.(\d+)", code)
        assert max(((int(a), int(b)) for a, b in needed), default=GLIBC) <= GLIBC, library


def test_wheels_are_for_this_python(architecture: str, layers: dict[str, Path]) -> None:
    """Each package says what it is, as in the requirements, and runs on the template's Python."""
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    here = re.compile(rf"(cp313-cp313|cp3\d+-abi3)-manylinux\w*_{machine}|py(2\.py)?3-none-any")
    for root in (layers["DepsLayer"], layers["HeifLayer"]):
        for wheel in root.glob("python/*.dist-info/WHEEL"):
            tags = re.findall(r"(?m)^Tag: (.*)$", wheel.read_text(encoding="utf-8"))
            assert any(here.fullmatch(tag) for tag in tags), (wheel, tags)
            assert (wheel.parent / "METADATA").is_file()


def test_every_pinned_package_is_there_once(layers: dict[str, Path]) -> None:
    """The two layers share none, and leave out only what nothing imports."""

    def installed(layer: str) -> set[str]:
        found = layers[layer].glob("python/*.dist-info")
        return {path.name.partition("-")[0].lower().replace("_", "-") for path in found}

    folder = Path(__file__).parents[2] / "layers/deps"
    pinned = set(requirements(folder / "requirements.txt"))
    assert installed("DepsLayer") == pinned - {"flatbuffers", "packaging", "protobuf"}
    assert installed("HeifLayer") == {"pillow-heif"}


def test_licences_are_kept(layers: dict[str, Path]) -> None:
    """Whatever is shipped comes with its terms, those of bundled libraries included."""
    deps, heif = layers["DepsLayer"], layers["HeifLayer"]
    for root in (deps, heif):
        for package in root.glob("python/*.dist-info"):
            name = package.name.partition("-")[0]
            assert [*package.rglob("*LICENSE*"), *root.glob(f"LICENSES/{name}/*LICEN*")], name
    assert (deps / "LICENSES/onnxruntime/ThirdPartyNotices.txt").stat().st_size > 100_000
    bundled = heif.glob("python/pillow_heif-*.dist-info/licenses/LICENSES_bundled.txt")
    assert "x265" in next(bundled).read_text(encoding="utf-8")
    assert (layers["ModelLayer"] / "models/erase-s/LICENSE").is_file()


@has_compiler
def test_all_modules_have_byte_code(layers: dict[str, Path]) -> None:
    """Made by the template's Python, at the place where Lambda mounts it, never checked."""
    roots = [layers["DepsLayer"] / "python", layers["HeifLayer"] / "python", build_task(DEPLOYED)]
    for root in roots:
        compiled = {path.name for path in root.rglob("*.pyc")}
        assert all(name.endswith(".cpython-313.pyc") for name in compiled)
        for module in root.rglob("*.py"):
            code = module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc"
            assert code.read_bytes()[4:8] == UNCHECKED_HASH, module


def test_no_compiler_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without the target's Python it builds all the same, slower to start, and warns."""
    make("function", "ApiFunction", {"PYTHON_VERSION": "3.99"}, tmp_path)
    assert (tmp_path / "app.py").is_file()
    assert list(tmp_path.rglob("*.pyc")) == []
    assert (
        "WARNING: no python3.99 was found, so /var/task has no byte-code" in capfd.readouterr().err
    )


@has_compiler
def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    """A second build has the same files, dates and modes, so that a layer keeps its version."""
    variables = {"ARCHITECTURE": ARCHITECTURE, "PYTHON_VERSION": DEPLOYED}
    targets = [
        ("layers/deps", "HeifLayer"),
        ("layers/deps", "DepsLayer"),
        ("function", "ApiFunction"),
    ]
    for folder, name in targets:
        digests = set()
        for attempt in ("first", "second"):
            root = tmp_path / name / attempt
            root.mkdir(parents=True)
            make(folder, name, variables, root)
            digests.add(hashlib.sha256(b"".join(_entries(root))).hexdigest())
        assert len(digests) == 1, name


BUILD = """
import json, sys
from lambda_build import ARCHITECTURE, DEPLOYED, build_layers

layers = build_layers(sys.argv[1], architecture=ARCHITECTURE, python=DEPLOYED)
print(json.dumps({name: str(path) for name, path in layers.items()}))
"""


@pytest.fixture
def two_models(tmp_path: Path) -> Path:
    """Return a copy of the project that has a second model, and shares what is built here."""
    check_out(tmp_path)
    shutil.copytree(tmp_path / "models/erase-s", tmp_path / "models/second")
    card = tmp_path / "models/second/card.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('name = "erase-s"', 'name = "second"'), encoding="utf-8")
    KEPT_IN.mkdir(parents=True, exist_ok=True)
    (tmp_path / ".aws-sam").mkdir()
    (tmp_path / ".aws-sam/local").symlink_to(KEPT_IN)
    return tmp_path


def build_there(checkout: Path, models: str) -> dict[str, str]:
    """Return each layer's folder by its name, built from a copy of the project."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, models],
        cwd=checkout,
        env={**environment(), "PYTHONPATH": "events/local:layers/deps"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    layers: dict[str, str] = json.loads(done.stdout)
    return layers


def test_a_model_that_changes_is_built_again(two_models: Path) -> None:
    """Each of several, and the packages stay as they are."""
    first, later = "# the first card\n", "# the card of another day\n"
    made = []
    for line in (first, later):
        with (two_models / "models/second/card.toml").open("a", encoding="utf-8") as card:
            card.write(line)
        made.append(build_there(two_models, "erase-s,second"))
    texts = [Path(layers["ModelLayer"]) / "models/second/card.toml" for layers in made]
    assert [text.read_text(encoding="utf-8").endswith(later) for text in texts] == [False, True]
    ours = build_there(two_models, "erase-s")
    for name in ("DepsLayer", "HeifLayer"):
        assert {layers[name] for layers in made} == {ours[name]}


def _entries(root: Path) -> Iterator[bytes]:
    for path in sorted(root.rglob("*")):
        stat = path.stat()
        yield f"{path.relative_to(root)} {stat.st_mode:o} {stat.st_mtime_ns}\n".encode()
        if path.is_file():
            yield hashlib.sha256(path.read_bytes()).digest()
