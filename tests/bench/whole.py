"""What a whole removal takes: beside rembg, in processes of its own, and in money."""

import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from child import SETTLED_AFTER, STATUS
from photos import photo
from tables import medians, table

import app
from context import LocalContext
from cutout.color import Color
from cutout.options import Format, Options
from make_events import Request, multipart, rest_event

REQUESTS = 500
_CHILD, _CORES = (Path(__file__).with_name(name) for name in ("child.py", "cores.py"))
_STARTS = 5
_LARGE_BODY_BYTES = 4_000_000

# What AWS lists for us-east-1 on x86_64, and documents: one whole core at 1,769 MB.
_USD_PER_GB_S, _USD_PER_REQUEST = 0.0000166667, 0.0000002
_CORE_MB = 1769
_MEMORY_MB = (512, 1024, 1769, 3008)
_REST_S = 0.03
"""The rest of a request: API Gateway's event is parsed, the reply is encoded and sent."""


def heading() -> str:
    """Return when and on what is measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if STATUS.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    command = " ".join(["tests/bench/bench.py", *sys.argv[1:]])
    return (
        f"# What was measured\n\n{datetime.now(UTC):%d %B %Y}, {processor}, one core, Python "
        f"{platform.python_version()}: `{command}`"
    )


def beside_rembg(sizes_mp: Sequence[float], runs: int) -> None:
    """Print our time beside that of rembg with u2netp, the network of small self-hosted services.

    rembg downloads u2netp.onnx, unless it is in the folder that its variable U2NET_HOME names.
    """
    from rembg import new_session, remove  # noqa: PLC0415 - only where this is asked for

    session = new_session("u2netp")
    on_white = Options(format=Format.JPG, bg_color=Color(r=255, g=255, b=255))
    rows = []
    for megapixels in sizes_mp:
        data = photo(megapixels)
        for name, options, extra in (
            ("PNG", Options(), {}),
            ("on white", on_white, {"bgcolor": (255, 255, 255, 255)}),
        ):
            ours, theirs = medians(
                runs,
                partial(app.remover.remove, data, options),
                partial(remove, data, session=session, **extra),
            )
            ratio = f"x {ours / theirs:.2f}"
            rows.append([f"{megapixels:g} MP, {name}", f"{ours:.0f}", f"{theirs:.0f}", ratio])
    table(
        ["photo", "ours, ms", "rembg, ms", "time"],
        rows,
        title="A whole removal beside rembg with u2netp, JPEG in; on white, ours is JPEG again",
    )


def processes(sizes_mp: Sequence[float], requests: int, *, rembg: bool) -> None:
    """Print the start, the peak of memory and the growth of processes of their own."""
    if not STATUS.exists():
        print("\nThe memory of processes is not measured here: there is no /proc/self/status.")
        return
    whose = ("ours", "rembg") if rembg else ("ours",)
    libraries = _start("libraries")
    rows = [_compared("import and model, s", [_start(who) for who in whose], digits=2)]
    for megapixels in sizes_mp:
        peaks = [_child("memory", who, f"{megapixels:g}")["peak_mb"] for who in whose]
        rows.append(_compared(f"peak of memory, {megapixels:g} MP, MB", peaks))
    table(
        ["process of its own", *whose, *(["ratio"] if rembg else [])],
        rows,
        title="The start is CPU time; the peak is over the idle process, JPEG in and PNG out",
    )
    print(
        f"\nOf the start, {libraries:.2f} s are Python's own and that of the libraries: numpy, "
        "onnxruntime, Pillow and Powertools."
    )
    grown = _child("growth", str(requests))
    print(
        f"\nAfter the first {min(SETTLED_AFTER, requests)} of {requests} mixed requests the process"
        f" had {grown['settled_mb']:.0f} MB; it grew by {grown['grown_mb']:.1f} MB until the last."
    )


def _start(whose: str) -> float:
    """Return the CPU time of a process until it can work, in s, as the deployment starts it.

    What is deployed is compiled, so the first start, which compiles, does not count.
    """
    with TemporaryDirectory() as folder:
        compiled = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        compiled.pop("PYTHONDONTWRITEBYTECODE", None)
        times = [_child("start", whose, env=compiled)["start_s"] for _ in range(1 + _STARTS)]
    return statistics.median(times[1:])


def _compared(title: str, values: Sequence[float], *, digits: int = 0) -> list[str]:
    """Return a row: ours, and rembg's and the ratio where rembg was measured."""
    ratio = [f"x {values[0] / values[1]:.2f}"] if len(values) > 1 else []
    return [title, *(f"{value:.{digits}f}" for value in values), *ratio]


def refusal(runs: int) -> None:
    """Print how soon a bad colour beside a large photo is refused."""
    headers, body = multipart([("bg_color", "no-such-colour")], os.urandom(_LARGE_BODY_BYTES))
    event = rest_event(Request(name="refused", headers=headers, body=body))

    def refused() -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # the function's metrics
            reply = app.http_handler(event, LocalContext())
        if reply["statusCode"] != 400:
            raise SystemExit(reply["body"])

    app.logger.setLevel("CRITICAL")
    times = []
    for _ in range(3 * runs):
        start = time.process_time()
        refused()
        times.append((time.process_time() - start) * 1000)
    app.logger.setLevel("INFO")
    print(
        f"\nA bad bg_color beside a multipart body of {_LARGE_BODY_BYTES / 1e6:g} MB is refused in "
        f"{statistics.median(times):.1f} ms."
    )


def cores(sizes_mp: Sequence[float], runs: int) -> None:
    """Print what a second core brings, or that there is none."""
    sizes = [f"{megapixels:g}" for megapixels in sizes_mp]
    command = [sys.executable, str(_CORES), str(runs), *sizes]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, end="")


def cost(sizes_mp: Sequence[float], runs: int) -> None:
    """Print what 1,000 images cost by the function's memory.

    Below one core's memory Lambda gives that share of a core, so time grows as memory falls. Above
    it a second thread helps the network alone, which :func:`cores` measures; here it has one.
    """
    rows = []
    for megapixels in sizes_mp:
        (elapsed,) = medians(runs, partial(app.remover.remove, photo(megapixels), Options()))
        for memory_mb in _MEMORY_MB:
            billed_s = (elapsed / 1000 + _REST_S) / min(1, memory_mb / _CORE_MB)
            usd = 1000 * (billed_s * memory_mb / 1024 * _USD_PER_GB_S + _USD_PER_REQUEST)
            rows.append([f"{megapixels:g} MP", str(memory_mb), f"{billed_s:.2f}", f"{usd:.4f}"])
    table(
        ["photo", "memory, MB", "billed, s", "1,000 images, USD"],
        rows,
        title="Cost in us-east-1 on x86_64, JPEG in and PNG out; times below 1,769 MB are modelled",
    )


def _child(*arguments: str, env: Mapping[str, str] | None = None) -> dict[str, float]:
    """Return the answer of a process of its own, in the environment ``env`` or in this one's."""
    done = subprocess.run(
        [sys.executable, str(_CHILD), *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer
