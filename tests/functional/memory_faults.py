"""Requests under less and less memory, in a process that a fault of this kind could end.

``test_faults`` runs it and reads what it prints: one line of JSON for each request.
"""

import ctypes
import io
import json
import resource
import sys
from typing import Any

import skimage.data
from aws_lambda_powertools.utilities.typing import LambdaContext
from client import Client
from PIL import Image

import app
from image_files import encoded, heic_of
from make_events import KEY

SIDE_PX = 1_200
INPUTS = ("jpeg", "png", "webp", "avif", "heic", "tiff", "gif", "bmp")
OUTPUTS = ("webp", "avif", "tiff", "gif", "bmp", "zip")


def picture(name: str) -> bytes:
    """Return a photograph as a file."""
    photo = Image.fromarray(skimage.data.astronaut()).resize((SIDE_PX, SIDE_PX))
    return heic_of(photo) if name == "heic" else encoded(photo, name)


def held_bytes() -> int:
    """Return what counts against the limit: the process's private memory that can be written."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - not a path
        (line,) = (line for line in status if line.startswith("VmData"))
    return int(line.split()[1]) * 1024


class Limited:
    """The handler, under a limit of memory; the event is made and the reply is read outside it."""

    def __init__(self) -> None:
        self.more_mb: int | None = None  # than what is held before the handler is called

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer an event, with ``more_mb`` megabytes if there is a limit."""
        if self.more_mb is None:
            answered: dict[str, Any] = app.http_handler(event, context)
            return answered
        ctypes.CDLL(None).malloc_trim(0)  # else memory that is free already would do
        unlimited = resource.getrlimit(resource.RLIMIT_DATA)
        limit = held_bytes() + (self.more_mb << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, unlimited[1]))
        try:
            answered = app.http_handler(event, context)
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, unlimited)
        return answered


def main() -> None:
    """Print the answer to each request, and to a small one after each kind."""
    limited = Limited()
    client = Client(limited)
    files = {name: picture(name) for name in INPUTS}
    with io.BytesIO() as file:
        Image.fromarray(skimage.data.astronaut()[::8, ::8]).save(file, "PNG")
        small = file.getvalue()

    def ask(path: str, body: bytes) -> tuple[int, str]:
        reply = client.post(path, body=body, content_type="application/octet-stream", key=KEY)
        return reply.status, reply.error()["code"] if reply.status != 200 else ""

    ask("/v2?format=jpg", files["heic"])  # loads what is loaded when first used
    cases: list[tuple[str, str, tuple[int, ...]]] = [(name, "jpg", (0,)) for name in INPUTS]
    cases += [("jpeg", name, (0, 12, 24)) for name in OUTPUTS]
    for taken, made, steps_mb in cases:
        for more_mb in steps_mb:
            limited.more_mb = more_mb
            status, code = ask(f"/v2?format={made}&size=full", files[taken])
            limited.more_mb = None
            line = {"in": taken, "out": made, "mb": more_mb, "status": status, "code": code}
            sys.stderr.write(json.dumps(line) + "\n")
        status, _ = ask("/v2?format=png", small)
        line = {"in": taken, "out": made, "mb": "all", "status": status, "code": ""}
        sys.stderr.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
