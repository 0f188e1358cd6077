"""The house rules, held by walking the tree: what lies where, and who may import whom."""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = ROOT / "function"
PACKAGE = FUNCTION / "cutout"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

TOP_LEVEL = {"function", "layers", "models", "tests", "events"} | {
    *("template.yaml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml")
}
# Ignored by git, as are folders that start with a dot; the documents' commands write cutouts.
MADE = {"demo", "samconfig.toml", *(f"cutout.{end}" for end in ("jpg", "png", "webp", "zip"))}

# Room → the rooms that it imports, exactly: a permission that nobody uses goes. A room is a wing
# (a folder of the package) or one module beside them. A row names only rows above it, so the table
# reads as the way of the data, and there can be no cycle.
IMPORTS: dict[str, set[str]] = {
    "__init__": set(),
    "formats": set(),
    "errors": {"formats"},
    "deadline": {"errors"},
    "color": {"errors"},
    "options": {"errors", "color"},
    "settings": {"errors", "options"},
    "store": {"errors"},
    "keys": {"errors"},
    "image": {"errors", "color", "options"},
    "report": {"image"},
    "stages": {"errors"},
    "remover": {"errors", "options", "image", "report", "stages"},
    "telemetry": {"errors", "report"},
    "http": {"errors", "options", "settings", "store", "keys", "remover", "telemetry"}
    | {"deadline", "formats"},
    "s3": {"errors", "options", "settings", "store", "report", "remover", "telemetry", "deadline"},
    "cli": {"formats", "errors", "options", "settings", "image", "report", "remover"},
    "__main__": {"cli"},
}

# Library → its sole importers.
SOLE_IMPORTERS = {
    "PIL.ImageColor": {"color"},
    "PIL": {"color"}
    | {f"image.{name}" for name in ("decode", "truncation", "cap", "tensor", "look")}
    | {f"image.{name}" for name in ("resample", "shadow", "blur", "shared", "srgb")}
    | {f"image.{name}" for name in ("gif", "webp", "libtiff")},
    "ctypes": {"image.libtiff"},
    "pillow_heif": {"image.decode"},
    "onnxruntime": {"image.model"},
    "isal": {"image.png", "image.tiff_file"},
    "multipart": {"http.body"},
    "pybase64": {"http.api", "http.body", "http.reply", "http.request", "http.removebg.replies"},
    "boto3": {"store.client", "keys"},
    "botocore": {"store.client", "keys"},
    "aws_lambda_powertools": {"http.api", "s3.handler", "telemetry", "app"},
    "os": {"app", "__init__", "cli.interrupts"},
    "concurrent.futures": {"cli.run"},
    "socket": {"http.connect", "http.line"},
    "ssl": {"http.connect"},
    "http.client": {"http.fetch"},
    "ipaddress": {"http.url"},
}

# The one module that turns arrays into Pillow's images and back, for the others.
WHERE_PILLOW_MEETS_NUMPY = "image.shared"

VOCABULARY_OF_THE_CORE = {"errors", "color", "options", "report", "stages", "remover"}
CORE = [name for name in MODULES if name.partition(".")[0] in VOCABULARY_OF_THE_CORE | {"image"}]
NOT_IN_CORE = {"logging", "os", "time", "datetime", "random", "secrets", "uuid"}
STAGE_TIMER = ("stages", "time")  # the one clock in the core


@cache
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


def own_imports(module: str) -> set[str]:
    """Return the modules of the package that a module of it imports."""
    names = {
        name.removeprefix("cutout.")
        for name in imports(trees()[module])
        if within(name, "cutout") and name != "cutout"
    }
    found = ([known for known in MODULES if within(name, known)] for name in names)
    return {max(known, key=len) for known in found if known}  # a package's module, not the package


def room(module: str) -> str:
    """Return the room that a module is in."""
    return module.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("name", IMPORTS)
def test_rooms_import_what_their_row_says(name: str) -> None:
    """No more and no less; so the wings never import each other."""
    modules = [module for module in MODULES if room(module) == name]
    assert modules
    imported = {room(own) for module in modules for own in own_imports(module)}
    assert imported - {name} == IMPORTS[name]


def test_every_room_has_its_row() -> None:
    """And every row names only rows above it."""
    assert {room(module) for module in MODULES} == set(IMPORTS)
    above: set[str] = set()
    for name, imported in IMPORTS.items():
        assert imported <= above, name
        above.add(name)


def test_no_module_imports_in_a_circle() -> None:
    """Within a wing too, one can be read after the other."""
    TopologicalSorter({module: own_imports(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_the_composition_root(module: str) -> None:
    """``app`` puts the parts together; no part knows it."""
    assert not any(within(name, "app") for name in imports(trees()[module]))


@pytest.mark.parametrize("library", SOLE_IMPORTERS)
def test_sole_importers(library: str) -> None:
    """What a library is for stands in one place."""
    importers = {
        module
        for module, tree in trees().items()
        if any(within(name, library) for name in imports(tree))
    }
    assert importers == SOLE_IMPORTERS[library]


# Programs that lie apart from what they import, and the one place that finds the function for those
# in events/local. Every other module is found by its folder.
EDITS_SYS_PATH = {
    "events/local/context.py",
    "events/local/serve.py",
    "layers/deps/pack.py",
    "models/add.py",
    "models/compare.py",
    "models/training/mattings.py",
    "models/training/quantize.py",
    "tests/bench/bench.py",
    "tests/bench/child.py",
    "tests/bench/cores.py",
    "tests/bench/edge_crops.py",
    "tests/bench/edges.py",
    "tests/bench/fleet.py",
    "tests/demo.py",
}


@cache
def programs() -> dict[str, ast.Module]:
    """Return the syntax trees of all Python files, by their paths."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
        for path in files()
        if path.suffix == ".py"
    }


def test_only_programs_say_where_modules_are() -> None:
    """So an import never depends on which other module came first."""
    found = {
        name
        for name, tree in programs().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path"
    }
    assert found == EDITS_SYS_PATH


@pytest.mark.parametrize(
    ("folder", "others"), [("models/", ("events/", "tests/")), ("events/", ("models/", "tests/"))]
)
def test_programs_do_not_import_what_they_do_not_ship_with(
    folder: str, others: tuple[str, ...]
) -> None:
    """Models know neither the local programs nor the tests, and the local programs no tests."""
    trees = programs()
    own = {Path(name).stem for name in trees if name.startswith(folder)}
    foreign = {Path(name).stem for name in trees if name.startswith(others)} - own
    imported = {
        (name, module.split(".")[0])
        for name, tree in trees.items()
        if name.startswith(folder)
        for module in imports(tree)
    }
    assert [(name, module) for name, module in sorted(imported) if module in foreign] == []


def test_the_environment_is_read_once() -> None:
    """``app`` hands the environment to ``settings``, and no one else sees it."""
    (use,) = re.findall(r".*\b(?:environ|getenv)\b.*", (FUNCTION / "app.py").read_text())
    assert use == "settings = read_settings(os.environ)"


@pytest.mark.parametrize("module", CORE)
def test_the_core_computes(module: str) -> None:
    """No log, no environment, no chance and no clock, but for the stage timer's; no printing."""
    tree = trees()[module]
    found = {name.split(".")[0] for name in imports(tree)} & NOT_IN_CORE
    assert found - {library for name, library in [STAGE_TIMER] if name == module} == set()
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert "print" not in {call.id for call in calls if isinstance(call, ast.Name)}


@pytest.mark.parametrize("module", [name for name in MODULES if name != WHERE_PILLOW_MEETS_NUMPY])
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


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved to other code; the release stands beside the commit for readers."""
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (.*)", text)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[0-9.]+", action)
