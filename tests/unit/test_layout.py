"""The house rules, held by walking the tree: what lies where, and who may import whom."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = ROOT / "function"
MODULES = {path.stem: path for path in sorted((FUNCTION / "cutout").glob("*.py"))}

TOP_LEVEL = {"function", "layers", "models", "tests", "events"} | {
    *("template.yaml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml")
}
MADE = {"demo", "samconfig.toml"}  # ignored by git, as are folders that start with a dot

# Module → the modules of the package that it may import. Imports point up this list only, so it
# reads as the way of the data: a new row goes below all that it imports.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "color": {"errors"},
    "options": {"errors", "color"},
    "card": {"errors"},
    "config": {"errors", "options"},
    "sniff": {"errors"},
    "decode": {"errors", "sniff"},
    "fit": set(),
    "confidence": set(),
    "matte": {"errors", "card", "decode", "fit"},
    "foreground": {"errors", "decode", "fit", "matte"},
    "compose": {"errors", "color", "options", "decode", "matte", "foreground"},
    "encode": {"errors", "color", "options", "compose"},
    "remover": {"errors", "options", "card", "decode", "matte", "compose", "encode"},
    "model": {"errors", "card"},
    "body": {"errors"},
    "request": {"errors", "body"},
    "store": {"errors"},
    "transfer": {"errors", "config", "body", "store"},
    "reply": {"errors", "options", "encode", "remover", "transfer"},
    "api": {"errors", "options", "config", "encode", "remover", "body", "request", "reply"}
    | {"store", "transfer"},
    "trigger": {"errors", "config", "store"},
    "target": {"options", "config"},
    "worker": {"errors", "options", "config", "remover", "reply", "store", "target", "trigger"},
    "uploads": {"errors", "config", "remover", "store", "trigger", "worker"},
}

# Library → its sole importers.
SOLE_IMPORTERS = {
    "PIL.ImageColor": {"color"},
    "PIL": {"color", "decode", "matte", "encode"},
    "pillow_heif": {"decode"},
    "onnxruntime": {"model"},
    "multipart": {"body"},
    "boto3": {"store"},
    "botocore": {"store"},
    "aws_lambda_powertools": {"api", "uploads", "app"},
    "os": {"app"},
    "socket": {"fetch"},
    "urllib.request": {"fetch"},
}

CORE = {"errors", "color", "options", "card", "decode", "matte", "foreground", "compose", "encode"}
CORE |= {"sniff", "fit", "remover"}
NOT_IN_CORE = {"logging", "os", "time", "datetime", "random", "secrets", "uuid"}
STAGE_TIMER = ("remover", "time")  # the one clock in the core


def trees() -> dict[str, ast.Module]:
    """Return the syntax trees of the package's modules and of ``app``."""
    paths = MODULES | {"app": FUNCTION / "app.py"}
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted name of everything that a module imports, wherever in it that stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            assert [alias.name for alias in node.names] != ["*"], "names are imported one by one"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    """Tell whether a dotted name is a package's or in it."""
    return name == package or name.startswith(package + ".")


def files() -> Iterator[Path]:
    """Yield the files that git tracks or would track."""
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        top = here == ROOT
        folders[:] = [
            name
            for name in folders
            if name != "__pycache__" and not (top and (name in MADE or _is_hidden(name)))
        ]
        yield from (here / name for name in names if not name.endswith((".pyc", ".onnx")))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name != ".ci"


def test_the_top_level_holds_what_it_should() -> None:
    """What a newcomer sees first is short, and each thing has its place."""
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - TOP_LEVEL - MADE == set()


def test_no_module_is_a_drawer() -> None:
    """A module is named for its one job."""
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [path for path in files() if path.stem in drawers or path.parent.name in drawers] == []


def test_every_module_has_its_row() -> None:
    """The table of imports is whole."""
    assert set(MODULES) == set(MAY_IMPORT)


def test_the_table_points_up() -> None:
    """A row names only rows above it, so there can be no cycle."""
    above: set[str] = set()
    for module, allowed in MAY_IMPORT.items():
        assert allowed <= above, module
        above.add(module)


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_only_upstream(module: str) -> None:
    """The import list is the data-flow diagram."""
    own = [name.split(".") for name in imports(trees()[module]) if within(name, "cutout")]
    assert {parts[1] for parts in own} <= MAY_IMPORT[module]
    assert "app" not in imports(trees()[module])


@pytest.mark.parametrize("library", SOLE_IMPORTERS)
def test_sole_importers(library: str) -> None:
    """What a library is for stands in one place."""
    importers = {
        module
        for module, tree in trees().items()
        if any(within(name, library) for name in imports(tree))
    }
    assert importers <= SOLE_IMPORTERS[library]


def test_the_environment_is_read_once() -> None:
    """``app`` hands the environment to ``config``, and no one else sees it."""
    (use,) = re.findall(r".*\b(?:environ|getenv)\b.*", (FUNCTION / "app.py").read_text())
    assert use == "settings = read_settings(os.environ)"


@pytest.mark.parametrize("module", sorted(CORE & set(MODULES)))
def test_the_core_computes(module: str) -> None:
    """No log, no environment, no chance and no clock, but for the stage timer's; no printing."""
    tree = trees()[module]
    found = {name.split(".")[0] for name in imports(tree)} & NOT_IN_CORE
    assert found - {library for name, library in [STAGE_TIMER] if name == module} == set()
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert "print" not in {call.id for call in calls if isinstance(call, ast.Name)}


@pytest.mark.parametrize("module", MODULES)
def test_no_pillow_image_crosses_a_module_boundary(module: str) -> None:
    """Arrays do."""
    for node in trees()[module].body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            given = [argument.annotation for argument in (*node.args.args, *node.args.kwonlyargs)]
            texts = [ast.unparse(kind) for kind in (*given, node.returns) if kind is not None]
            assert not [text for text in texts if re.search(r"\bImage\b", text)], node.name


REQUIREMENTS = sorted(
    path
    for pattern in ("layers/**/req*.txt", "models/*requirements.txt", "tests/**/req*.txt")
    for path in ROOT.glob(pattern)
)


# Programs with an environment of their own, whose versions meet no others.
APART = {ROOT / "tests/e2e/requirements.txt", ROOT / "tests/template/requirements.txt"}


def requirements(path: Path) -> list[str]:
    """Return the requirements of a file, each with its hashes on one line."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [re.sub(r"\s+", " ", line.partition(" #")[0]).strip() for line in joined.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    """What is installed is what was looked at."""
    lines = requirements(path)
    assert lines
    for line in lines:
        assert re.fullmatch(
            r"[a-z0-9._-]+==[^\s;]+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+", line
        ), line.partition(" --hash")[0]


def test_the_files_agree_on_versions() -> None:
    """The tests run what the layers carry; a file may hold one version for each Python."""
    pins: dict[str, list[set[str]]] = {}
    for path in sorted(set(REQUIREMENTS) - APART):
        of_file: dict[str, set[str]] = {}
        for line in requirements(path):
            name, _, rest = line.partition("==")
            of_file.setdefault(name, set()).add(rest.split()[0])
        for name, versions in of_file.items():
            pins.setdefault(name, []).append(versions)
    assert {name: found for name, found in pins.items() if any(f != found[0] for f in found)} == {}


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is the reader's own setting."""
    # In pieces, so that this file does not name what it looks for.
    hosts = [("py", "pi.org"), ("python", "hosted.org"), ("npm", "js.org"), ("crates", ".io")]
    options = [("--index", "-url"), ("--extra-index", "-url"), ("--find", "-links")]
    others = [("index", "_url"), ("trusted", "-host"), ("/simp", "le/")]
    forbidden = ["".join(pieces) for pieces in hosts + options + others]
    named = [
        (str(path.relative_to(ROOT)), text)
        for path in files()
        for text in forbidden
        if text.encode() in path.read_bytes()
    ]
    assert named == []


def test_the_licence_stands_with_the_code_and_with_the_model() -> None:
    """Either can be taken alone, and both are under the same text."""
    licence = (ROOT / "LICENSE").read_bytes()
    assert b"Apache License\n                           Version 2.0, January 2004" in licence
    assert (ROOT / "models/erase-s/LICENSE").read_bytes() == licence


def test_the_gate_can_be_run() -> None:
    """The file that decides is a program."""
    assert os.access(ROOT / ".ci/run", os.X_OK)
