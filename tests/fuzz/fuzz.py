"""Fuzz what a stranger can send, for as long as you like: ``make fuzz MINUTES=60``.

Guided by coverage where atheris is installed (Linux, Python up to 3.13), else by chance. Inputs
that reached something new are kept in the corpus folder, and the next run begins with them. An
input that ends in a fault is kept beside them in a file whose name begins with the target's, and
the exit status is 1. The target ``orders`` is no damaged input, but hypothesis' orders of uploads,
events, workers and faults of S3.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORDERS = "orders"
NAMES = ("body", "options", "color", "decode", "http", "s3", ORDERS)
_FOLDERS = ("function", "events/local", "tests", "tests/fuzz", "tests/unit", "tests/functional")
_SLOW_S = 20  # an input that takes longer is a fault
_MEMORY_MB = 2_000


def main() -> int:
    """Fuzz each target for its share of the time, and print what was tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--corpus", type=Path, default=ROOT / "demo/fuzz")
    parser.add_argument("--targets", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seconds = max(1, round(arguments.minutes * 60 / len(arguments.targets)))
    if arguments.one:
        return _fuzz_one(arguments.one, arguments.corpus, round(arguments.minutes * 60))
    is_guided = importlib.util.find_spec("atheris") is not None
    print("Guided by coverage." if is_guided else "By chance: atheris is not installed.")
    print("| target | inputs | seconds | faults |\n| --- | --- | --- | --- |", flush=True)
    failed = [name for name in arguments.targets if _run(name, arguments.corpus, seconds)]
    return int(bool(failed))


def _run(name: str, corpus: Path, seconds: int) -> bool:
    """Fuzz one target in a process of its own, and print its row; tell whether it found a fault."""
    (corpus / name).mkdir(parents=True, exist_ok=True)
    before = set(corpus.glob(f"{name}-*"))
    path = os.pathsep.join(str(ROOT / folder) for folder in _FOLDERS)
    command = [sys.executable, __file__, "--one", name, "--corpus", str(corpus)]
    done = subprocess.run(
        [*command, "--minutes", str(seconds / 60)],
        env=os.environ | {"PYTHONPATH": path + os.pathsep + os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    faults = sorted(set(corpus.glob(f"{name}-*")) - before)
    # libFuzzer's progress and its last words, and those of _by_chance().
    tried = re.findall(
        r"^(?:#|Done |stat::number_of_executed_units: +)(\d+)", done.stderr, re.MULTILINE
    )
    count = int(tried[-1]) if tried else 0
    print(f"| {name} | {count:,} | {seconds} | {len(faults)} |", flush=True)
    for fault in faults:
        print(f"  {fault}")
    if faults or done.returncode:
        print(done.stderr[-3_000:])
    return bool(faults or done.returncode)


def _fuzz_one(name: str, corpus: Path, seconds: int) -> int:
    """Fuzz one target, in this process."""
    if name == ORDERS:
        return _in_any_order(corpus, seconds)
    if importlib.util.find_spec("atheris") is None:
        return _by_chance(name, corpus, seconds)
    import atheris  # noqa: PLC0415 - not everywhere

    with atheris.instrument_imports(include=["cutout", "multipart", "PIL", "json"]):
        import targets  # noqa: PLC0415 - is instrumented while it is imported
    target = targets.TARGETS[name]
    _keep(corpus / name, target.seeds)
    atheris.Setup(
        [
            name,
            str(corpus / name),
            f"-max_total_time={seconds}",
            f"-max_len={target.max_bytes}",
            f"-timeout={_SLOW_S}",
            f"-rss_limit_mb={_MEMORY_MB}",
            f"-artifact_prefix={corpus}/{name}-",
            "-print_final_stats=1",
        ],
        target.check,
    )
    atheris.Fuzz()  # ends the process
    return 0


def _by_chance(name: str, corpus: Path, seconds: int) -> int:
    """Damage the seeds at random until the time is over or an input ends in a fault."""
    import numpy as np  # noqa: PLC0415 - the parent needs none of these
    from mutation import damaged_input  # noqa: PLC0415 - the same
    from targets import TARGETS  # noqa: PLC0415 - the same

    target = TARGETS[name]
    random = np.random.default_rng()
    end_s, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        seed = target.seeds[int(random.integers(len(target.seeds)))]
        data = damaged_input(seed, random, is_document=target.is_document)
        tried += 1
        try:
            target.check(data)
        except Exception:  # noqa: BLE001 - whatever it is, it is a fault
            _keep(corpus, [data], prefix=f"{name}-crash-")
            traceback.print_exc()
            break
    print(f"Done {tried} inputs", file=sys.stderr)
    return 0


def _in_any_order(corpus: Path, seconds: int) -> int:
    """Draw orders until the time is over or one ends in a fault; the next run begins with that."""
    from hypothesis import settings  # noqa: PLC0415 - the parent needs none of these
    from hypothesis.database import DirectoryBasedExampleDatabase  # noqa: PLC0415 - the same
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - the same
    from s3_orders import Orders  # noqa: PLC0415 - the same

    tried = 0

    class Counted(Orders):
        def __init__(self) -> None:
            super().__init__()
            nonlocal tried
            tried += 1

    database = DirectoryBasedExampleDatabase(corpus / ORDERS)
    some = settings(max_examples=50, stateful_step_count=60, deadline=None, database=database)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            run_state_machine_as_test(Counted, settings=some)
        except Exception:  # noqa: BLE001 - whatever it is, it is a fault
            _keep(corpus, [traceback.format_exc().encode()], prefix=f"{ORDERS}-crash-")
            traceback.print_exc()
            break
    print(f"Done {tried} inputs", file=sys.stderr)
    return 0


def _keep(folder: Path, inputs: list[bytes] | tuple[bytes, ...], prefix: str = "") -> None:
    """Write inputs to files that are named by what is in them."""
    for data in inputs:
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        (folder / f"{prefix}{digest}").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
