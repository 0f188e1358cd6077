"""What a process of its own takes; `bench.py` starts it, so that each measure begins afresh.

python tests/bench/child.py start ours
python tests/bench/child.py start libraries
python tests/bench/child.py memory rembg 12
python tests/bench/child.py growth 500

The last line that it prints is its answer as JSON. What it measures is ours or rembg's, which is
imported only there: a process that has imported both would measure both.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, as 1,769 MB of Lambda have

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("function", "events/local", "tests")]

from photos import photo  # noqa: E402 - it imports nothing that is measured before it is called

STATUS = Path("/proc/self/status")
SETTLED_AFTER = 50  # requests, after which nothing may grow any more


def main() -> None:
    """Measure what the command line says."""
    match sys.argv[1:]:
        case ["start", "libraries"]:
            _import_libraries()
            answer = {"start_s": time.process_time()}
        case ["start", whose]:
            os.environ["_HANDLER"] = "app.http_handler"  # as Lambda starts the API's function
            _remover(whose)
            answer = {"start_s": time.process_time()}
        case ["memory", whose, megapixels]:
            answer = _memory(whose, float(megapixels))
        case ["growth", requests]:
            answer = _growth(int(requests))
        case _:
            raise SystemExit(__doc__)
    print(json.dumps(answer))


def _import_libraries() -> None:
    """Import what no start of the function is without."""
    import aws_lambda_powertools  # noqa: F401, PLC0415 - it is the import that is measured
    import numpy as np  # noqa: F401, PLC0415 - the same
    import onnxruntime  # noqa: F401, PLC0415 - the same
    from PIL import AvifImagePlugin, JpegImagePlugin, TiffImagePlugin  # noqa: F401, PLC0415


def _remover(whose: str) -> Callable[[bytes], object]:
    """Return what cuts a photo out, its model loaded."""
    if whose == "ours":
        import app  # noqa: PLC0415
        from cutout.options import Options  # noqa: PLC0415 - only one of both may be imported

        return lambda data: app.remover.remove(data, Options())
    from rembg import new_session, remove  # noqa: PLC0415

    session = new_session("u2netp")
    return lambda data: remove(data, session=session)


def _memory(whose: str, megapixels: float) -> dict[str, float]:
    """Return what a removal needs at its peak over the idle process, in MB."""
    data = photo(megapixels)
    remove = _remover(whose)
    remove(photo(0.25))  # what is set up by the first picture is not the picture's
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    idle = _status_mb("VmRSS")
    remove(data)
    return {"peak_mb": _status_mb("VmHWM") - idle}


def _growth(requests: int) -> dict[str, float]:
    """Return by how much the process grew after its first requests, in MB."""
    from context import LocalContext, prepare_import  # noqa: PLC0415

    prepare_import()
    import app  # noqa: PLC0415
    from make_events import PHOTO, Request, multipart, rest_event  # noqa: PLC0415

    events = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "events").glob("rest-*.json"))
    ]
    for name in ("png", "jpg", "webp", "zip"):
        fields = [("format", name), ("crop", "true"), ("shadow_type", "drop")]
        headers, body = multipart(fields, PHOTO.read_bytes())
        events.append(rest_event(Request(name=name, headers=headers, body=body)))
    settled = 0.0
    for number in range(requests):
        app.http_handler(events[number % len(events)], LocalContext())
        if number + 1 == min(SETTLED_AFTER, requests):
            settled = _status_mb("VmRSS")
    return {"settled_mb": settled, "grown_mb": _status_mb("VmRSS") - settled}


def _status_mb(name: str) -> float:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
