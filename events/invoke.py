"""Send one event file to the function, in this process: status and headers are printed.

    python events/invoke.py events/http-multipart.json --out demo

A JSON body is printed, any other is written to a file beside it. The function's own log goes to
stderr. The exit status is 0 where the answer is a success.
"""

import argparse
import base64
import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import Any

from context import LocalContext, prepare_import

_FIRST_ERROR_STATUS = 400


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit status."""
    parser = argparse.ArgumentParser(description="Send one event file to the function.")
    parser.add_argument("event", metavar="EVENT", type=Path, help="such as events/http-json.json")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the images")
    given = parser.parse_args(arguments)
    try:
        event = read_event(given.event)
    except ValueError as error:
        parser.error(f"{given.event}: {error}")

    handler = load_handler()
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            answer = handler(event, LocalContext())
    except Exception as error:  # noqa: BLE001 - whatever it is, Lambda would report it just so
        print(f"The function raised {type(error).__name__}: {error}")
        return 1
    elapsed_ms = (time.perf_counter() - start) * 1000
    if not (isinstance(answer, dict) and "statusCode" in answer):
        print(json.dumps(answer, indent=2))
        return 0
    print(f"{answer['statusCode']} in {elapsed_ms:.0f} ms")
    _show(answer, given.out, given.event.stem)
    return int(answer["statusCode"] >= _FIRST_ERROR_STATUS)


def read_event(path: Path) -> dict[str, Any]:
    """Return the event in a file.

    :raises ValueError: there is no such file, or it holds no JSON object.
    """
    try:
        event = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(error.strerror) from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise ValueError("not an event, which is a JSON object")  # noqa: TRY004 - a wrong file too
    return event


def load_handler() -> Callable[[dict[str, Any], LocalContext], object]:
    """Return the function's handler; what it prints goes to stderr."""
    prepare_import()
    with contextlib.redirect_stdout(sys.stderr):
        from app import lambda_handler  # noqa: PLC0415 - it reads the settings made just now
    return lambda_handler


def headers_of(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers of a proxy answer of either payload format, one pair for each value."""
    several = answer.get("multiValueHeaders") or {}
    pairs = [(name, value) for name, values in several.items() for value in values]
    return pairs + [
        pair for pair in (answer.get("headers") or {}).items() if pair[0] not in several
    ]


def _show(answer: Mapping[str, Any], out: Path, stem: str) -> None:
    """Print an answer's headers and its body, or where the body was written."""
    message = Message()
    for name, value in sorted(headers_of(answer)):
        message[name] = value
        print(f"{name}: {value}")
    body = answer.get("body") or ""
    if answer.get("isBase64Encoded"):
        data = base64.b64decode(body)
        path = out / (stem + Path(message.get_filename() or "body.bin").suffix)
        out.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"\n{path}: {len(data):,} bytes")
    elif message.get_content_type() == "application/json":
        print(f"\n{json.dumps(json.loads(body), indent=2, ensure_ascii=False)}")
    elif body:
        print(f"\n{body}")


if __name__ == "__main__":
    sys.exit(main())
