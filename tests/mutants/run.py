"""Change the code in small ways, and tell which changes no test notices: ``make mutants``.

A copy of the tree is mutated by mutmut, one module after the other, each with the tests that are
about it. A mutant that survives is a line that no test holds, or one that runs only while the
module is imported: mutmut changes nothing before the tests begin. ``--module`` takes some modules.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    "image/compose.py": [
        *("tests/unit/test_compose.py", "tests/unit/test_remover.py", "tests/unit/test_shadow.py"),
        *("tests/unit/test_place.py", "tests/unit/test_background.py"),
        "tests/unit/test_foreground.py",
    ],
    "image/decode.py": ["tests/unit/test_decode.py", "tests/unit/test_jpeg.py"],
    "options/fields.py": ["tests/unit/test_options.py"],
    "options/option.py": ["tests/unit/test_option_rows.py"],
    "options/parsers.py": ["tests/unit/test_options.py"],
    "options/values.py": ["tests/unit/test_options.py", "tests/unit/test_option_rows.py"],
    "http/body.py": ["tests/unit/test_body.py"],
    "s3/worker.py": ["tests/functional/test_worker.py"],
    "store.py": ["tests/functional/test_s3.py", "tests/functional/test_s3_races.py"],
}
MAX_SURVIVORS = 0.05
SURVIVED, NOT_REACHED = 0, 33  # mutmut's exit codes
SETTINGS = """
[tool.mutmut]
source_paths = ["src/cutout"]
only_mutate = ["src/cutout/{module}"]
also_copy = ["src", "function", "events", "models", "layers", "template.yaml", "tests"]
pytest_add_cli_args_test_selection = {tests}
"""


def copied(folder: Path) -> None:
    """Copy the tracked files; ``function/`` a second time as ``src/``, where mutmut looks."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(folder / "function", folder / "src")


def exit_codes(module: str, tests: list[str], *, children: int) -> list[int | None]:
    """Return mutmut's exit code for each mutant of a module, and print those that survive."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        settings = (folder / "pyproject.toml").read_text(encoding="utf-8")
        settings = settings.replace('"function",', '"src",')
        settings += SETTINGS.format(module=module, tests=json.dumps(tests))
        (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
        mutmut = [sys.executable, "-m", "mutmut"]
        ran = subprocess.run(
            [*mutmut, "run", "--max-children", str(children)],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
        )
        results = folder / "mutants" / "src" / "cutout" / f"{module}.meta"
        if not results.is_file():
            raise SystemExit(ran.stdout[-2000:] + ran.stderr[-2000:])
        codes: dict[str, int | None]
        codes = json.loads(results.read_text(encoding="utf-8"))["exit_code_by_key"]
        for key in sorted(key for key, code in codes.items() if code == SURVIVED):
            shown = subprocess.run(
                [*mutmut, "show", key], cwd=folder, check=False, capture_output=True, text=True
            )
            print(shown.stdout)
        return list(codes.values())


def main() -> int:
    """Print the survivors of each module; 1 if they are too many."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--module", nargs="+", default=list(MODULES), choices=list(MODULES))
    parser.add_argument(
        "--most", type=float, default=MAX_SURVIVORS, help="share of survivors that is accepted"
    )
    parser.add_argument("--children", type=int, default=2, help="mutants tried at the same time")
    given = parser.parse_args()
    rows, too_many = [], False
    for module in given.module:
        codes = exit_codes(module, MODULES[module], children=given.children)
        alive, unreached = codes.count(SURVIVED), codes.count(NOT_REACHED)
        share = alive / max(len(codes) - unreached, 1)
        too_many |= share > given.most
        rows.append(f"| {module} | {len(codes)} | {unreached} | {alive} | {share:.1%} |")
    head = "| module | mutants | not reached | survived | share of those reached |"
    print("\n".join([head, "|---|---|---|---|---|", *rows]))
    return int(too_many)


if __name__ == "__main__":
    sys.exit(main())
