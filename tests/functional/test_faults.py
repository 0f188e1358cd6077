"""Faults of the surroundings: time, memory, disk and libraries that are not there.

What S3 does wrong is in ``test_s3_faults`` and ``test_large_images``, models that are missing or
altered are in ``test_models``.
"""

import contextlib
import ctypes
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from client import ANY_PAYLOAD, Client
from cloud import Call, Cloud, Fault, Proxy, failures, fake_remover, messages, png
from conftest import LIMITS, deployment
from numpy.typing import NDArray

import app
from cutout.deadline import interruptible, within
from cutout.errors import OutOfTime
from cutout.http.large_images import Transfer
from cutout.image.card import read_card
from cutout.image.model import Model
from cutout.keys import Keys
from cutout.remover import Remover
from cutout.store import ObjectRef, Patience, Store

ROOT = Path(__file__).resolve().parents[2]


class SlowNetwork:
    """A network that works for a minute, and knows whether it came to its end."""

    def __init__(self) -> None:
        self.is_finished = False
        self._is_given_up = threading.Event()

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a subject everywhere."""
        self.is_finished = not self._is_given_up.wait(60)
        return np.full((1, 1, *tensor.shape[2:]), 9, np.float32)

    def give_up(self) -> None:
        """End at once: a thread cannot be stopped from outside."""
        self._is_given_up.set()

    def remover(self) -> Remover:
        """Return a remover with this network."""
        card = read_card(app.LOCAL_MODELS / "erase-s")
        return Remover(Model(card=card, network=self), LIMITS)


class Library:
    """A compiled library that no signal ends: its call lasts until :meth:`end`."""

    def __init__(self) -> None:
        self.is_ended = False
        self._libc = ctypes.CDLL(None)
        self._mutex = ctypes.create_string_buffer(128)
        self._libc.pthread_mutex_init(self._mutex, None)
        self._libc.pthread_mutex_lock(self._mutex)

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a subject everywhere, some time."""
        self._libc.pthread_mutex_lock(self._mutex)
        return np.full((1, 1, *tensor.shape[2:]), 9, np.float32)

    def end(self) -> None:
        """Let the call end."""
        if not self.is_ended:
            self.is_ended = True
            self._libc.pthread_mutex_unlock(self._mutex)


# --------------------------------------------------------------------------- time


@ANY_PAYLOAD
def test_a_deadline_in_the_middle_of_a_stage(client: Client) -> None:
    """The work is interrupted and the caller is told, before Lambda ends the function."""
    network = SlowNetwork()
    slow = Client(deployment(network.remover()), client.payload)
    slow.timeout_s = 4.0
    reply = slow.post("/v2", body=png(), content_type="image/png")
    assert (reply.status, reply.error()["code"]) == (504, "timeout")
    assert not network.is_finished
    network.give_up()
    slow.timeout_s = 280.0  # nothing of the alarm is left over
    assert slow.send("GET", "/v2/health", key=None).status == 200


def test_a_deadline_in_the_middle_of_a_library() -> None:
    """The caller is told while the library still works, and the next image waits for its end."""
    library = Library()
    last = threading.Timer(20, library.end)  # else a failure would never end
    last.start()
    card = read_card(app.LOCAL_MODELS / "erase-s")
    slow = Client(deployment(Remover(Model(card=card, network=library), LIMITS)), "2.0")
    slow.timeout_s = 2.0
    reply = slow.post("/v2", body=png(), content_type="image/png")
    assert (reply.status, reply.error()["code"]) == (504, "timeout")
    assert not library.is_ended
    quick = Client(deployment(fake_remover()), "2.0")
    quick.timeout_s = 2.0
    reply = quick.post("/v2", body=png(), content_type="image/png")
    assert (reply.status, reply.error()["code"]) == (504, "timeout")
    library.end()
    last.cancel()
    quick.timeout_s = 28.0
    assert quick.post("/v2", body=png(), content_type="image/png").status == 200


def test_a_photo_that_waited_for_another_has_only_the_time_that_is_left() -> None:
    """Otherwise it would still work when its caller is gone, and the next one would wait for it."""
    looks: list[NDArray[np.float32]] = []

    def network(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        looks.append(tensor)
        return np.full((1, 1, *tensor.shape[2:]), 9, np.float32)

    library = Library()
    card = read_card(app.LOCAL_MODELS / "erase-s")
    slow = Client(deployment(Remover(Model(card=card, network=library), LIMITS)), "2.0")
    slow.timeout_s = 2.0
    assert slow.post("/v2", body=png(), content_type="image/png").status == 504
    threading.Timer(3, library.end).start()
    waiting = Client(deployment(Remover(Model(card=card, network=network), LIMITS)), "2.0")
    waiting.timeout_s = 4.0  # less 1.5 for the reply, so that all of it is gone by then
    reply = waiting.post("/v2", body=png(), content_type="image/png")
    assert (reply.status, reply.error()["code"]) == (504, "timeout")
    assert not looks


def test_a_deadline_in_a_finalizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python drops what is raised in one, so the work is interrupted once more."""
    # pytest's own report of what was dropped can last until the next alarm, which then ends it.
    monkeypatch.setattr(sys, "unraisablehook", lambda _dropped: None)
    ended = time.monotonic() + 5

    def work() -> None:
        while time.monotonic() < ended:
            pass

    class Slow:
        def __del__(self) -> None:
            work()

    def slow() -> None:
        Slow()
        work()

    with pytest.raises(OutOfTime):
        within(50, slow)


class AlarmAt:
    """Sends the alarm at one call or return of a Python function, counted from 0.

    What is not under an alarm does not count, and with ``modules`` neither do functions of others.
    ``is_sent`` tells whether the count was reached.
    """

    def __init__(self, turn: int, modules: frozenset[str] = frozenset()) -> None:
        self.is_sent = False
        self._turn = turn
        self._modules = modules

    def __call__(self, frame: FrameType, event: str, _value: object) -> None:
        if event not in {"call", "return"} or signal.getitimer(signal.ITIMER_REAL)[0] == 0:
            return
        if self._modules and frame.f_globals.get("__name__") not in self._modules:
            return
        self._turn -= 1
        if self._turn < 0 and not self.is_sent:
            self.is_sent = True
            signal.raise_signal(signal.SIGALRM)


def test_a_deadline_at_every_moment_of_a_request(client: Client) -> None:
    """Whenever the alarm comes, the caller gets the reply or is told; nothing else escapes."""
    statuses: list[int] = []
    is_sent = True
    while is_sent:
        alarm = AlarmAt(len(statuses))
        sys.setprofile(alarm)
        try:
            statuses.append(client.send("GET", "/v2/health", key=None).status)
        finally:
            sys.setprofile(None)
        is_sent = alarm.is_sent
    assert statuses.pop() == 200  # the count is past the last moment
    assert set(statuses) <= {200, 504}
    assert statuses.count(504) > 10


def test_a_deadline_at_every_moment_of_work_in_a_library() -> None:
    """Whenever the alarm comes, the next image is worked on: nothing keeps a lock for ever."""
    turns = itertools.count()
    is_sent = True
    while is_sent:
        alarm = AlarmAt(next(turns))
        sys.setprofile(alarm)
        try:
            with contextlib.suppress(OutOfTime):
                within(60_000, lambda: interruptible(lambda: "dropped"))
        finally:
            sys.setprofile(None)
        assert within(5_000, lambda: interruptible(lambda: "next")) == "next"
        is_sent = alarm.is_sent
    assert next(turns) > 5


# A connection whose call was interrupted is closed by whoever collects it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_deadline_at_every_moment_of_a_lock_in_boto3(cloud: Cloud) -> None:
    """Its pool of connections takes locks for each call; the next call finds them free."""
    uploaded = cloud.put("uploads/cat.png", png())
    source = ObjectRef(bucket=uploaded.bucket, key=uploaded.key)
    find = partial(cloud.store.find, source)
    assert find() is not None
    turns = itertools.count()
    is_sent = True
    while is_sent:
        alarm = AlarmAt(next(turns), frozenset({"queue", "threading", "urllib3.connectionpool"}))
        sys.setprofile(alarm)
        try:
            with contextlib.suppress(OutOfTime):
                within(60_000, find)
        finally:
            sys.setprofile(None)
        assert within(10_000, find) is not None
        is_sent = alarm.is_sent
    assert next(turns) > 20


def test_a_deadline_in_the_middle_of_an_upload(cloud: Cloud) -> None:
    """The message is back in the queue, and nothing half done is in the bucket."""
    network = SlowNetwork()
    upload = cloud.put("uploads/cat.png", png())
    slow = Cloud(s3=cloud.s3, settings=cloud.settings, remover=network.remover(), timeout_s=7.0)
    assert slow.handle(messages(upload.created())) == failures(0)
    assert [line["code"] for line in slow.lines()] == ["timeout"]
    assert not network.is_finished
    network.give_up()
    assert cloud.keys() == []
    assert cloud.handle(messages(upload.created())) == failures()
    assert cloud.keys() == ["cutouts/cat.png.png"]


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT"])
def test_a_deadline_while_storage_is_silent(cloud: Cloud, proxy: Proxy, method: str) -> None:
    """Libraries that try again after every error do not outlast the caller's time."""
    cloud.put("incoming/1/image", png())
    calls: list[Call] = []

    def judge(call: Call) -> Fault | None:
        if call.method != method:
            return None
        calls.append(call)
        return Fault(hang_s=60, lost=True)

    store = Store(Patience(silence_s=60, retries=3))
    # The client is made here: on a busy machine that alone takes seconds.
    source = ObjectRef(bucket=cloud.settings.input_bucket, key="incoming/1/image")
    assert store.find(source) is not None
    proxy.judge = judge
    transfer = Transfer(store, cloud.settings)
    keys = Keys(app.settings.api_key_hashes)
    client = Client(deployment(fake_remover(), cloud.settings, transfer=transfer, keys=keys))
    client.timeout_s = 5.0
    reply = client.json("/v2", {"image_key": "incoming/1/image", "response": "url"})
    assert (reply.status, reply.error()["code"]) == (504, "timeout")
    assert len(calls) == 1


# --------------------------------------------------------------------------- memory, disk, codecs


# Memory that is freed goes back to the system at once, and is not there for the next request.
ALLOCATOR = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}


def run(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program that finds the function and the modules of the tests."""
    folders = ("function", "events/local", "tests", "tests/functional")
    path = os.pathsep.join(str(ROOT / folder) for folder in folders)
    return subprocess.run(
        [sys.executable, *arguments, program],
        env=os.environ | {"PYTHONPATH": path} | ALLOCATOR | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return the lines that a program wrote for us, and hold it to its end."""
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_memory_below_need() -> None:
    """Every format: 503 until there is enough, never a dead process, and the next request works."""
    lines = told(run(str(ROOT / "tests/functional/memory_faults.py")))
    outcomes = {(line["status"], line["code"]) for line in lines}
    assert outcomes == {(200, ""), (503, "internal_error")}
    assert {line["status"] for line in lines if line["mb"] == "all"} == {200}
    short = {line["in"] for line in lines if line["status"] != 200}
    assert short == {line["in"] for line in lines}


FORMATS = ("jpg", "webp", "avif", "tiff", "gif", "bmp", "zip", "png")

NO_DISK = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file can grow, whichever folder it is in
import app
from client import Client
from memory_faults import INPUTS, picture
import memory_faults
memory_faults.SIDE_PX = 64
client = Client(app.http_handler)
for taken in INPUTS:
    for made in sys.argv[1:]:
        body = picture(taken)
        reply = client.post(f"/v2?format={made}", body=body, content_type="image/*")
        sys.stderr.write(json.dumps({"in": taken, "out": made, "status": reply.status}) + "\\n")
"""


def test_a_full_disk(tmp_path: Path) -> None:
    """The function writes no file: it works where /tmp is full and where there is none."""
    program = tmp_path / "no_disk.py"
    program.write_text(NO_DISK.replace("sys.argv[1:]", repr(FORMATS)), encoding="utf-8")
    lines = told(run(str(program), TMPDIR=str(tmp_path / "missing"), PYTHONDONTWRITEBYTECODE="1"))
    assert [line for line in lines if line["status"] != 200] == []
    assert len(lines) == 8 * len(FORMATS)


NO_CODEC = """
import io, json, sys
import pillow_heif
from PIL import Image
files = {}
for name in ("AVIF", "WEBP", "PNG"):
    with io.BytesIO() as file:
        Image.new("RGB", (64, 64)).save(file, name)
        files[name] = file.getvalue()
with io.BytesIO() as file:
    pillow_heif.from_pillow(Image.new("RGB", (64, 64))).save(file)
    files["HEIC"] = file.getvalue()
for name in [name for name in sys.modules if name.partition(".")[0] in {"PIL", "pillow_heif"}]:
    del sys.modules[name]
sys.modules.update(dict.fromkeys(("PIL._avif", "PIL._webp", "pillow_heif")))
import app
from client import Client
client = Client(app.http_handler)
def tell(case, path, body):
    reply = client.post(path, body=body, content_type="image/*")
    code = reply.error()["code"] if reply.status != 200 else ""
    sys.stderr.write(json.dumps({"case": case, "status": reply.status, "code": code}) + "\\n")
for name, body in files.items():
    tell("read " + name, "/v2", body)
for name in ("avif", "webp", "jpg"):
    tell("write " + name, "/v2?format=" + name, files["PNG"])
"""


def test_a_codec_that_is_missing(tmp_path: Path) -> None:
    """A layer without one is our fault, and no photo is called damaged; HEIC is an option."""
    program = tmp_path / "no_codec.py"
    program.write_text(NO_CODEC, encoding="utf-8")
    lines = told(run(str(program)))
    assert {line["case"]: (line["status"], line["code"]) for line in lines} == {
        "read AVIF": (500, "internal_error"),
        "read WEBP": (500, "internal_error"),
        "read PNG": (200, ""),
        "read HEIC": (415, "unsupported_image_format"),
        "write avif": (500, "internal_error"),
        "write webp": (500, "internal_error"),
        "write jpg": (200, ""),
    }


NO_HEIC = """
import json, sys
sys.modules["pillow_heif"] = None
import app
from client import Client
client = Client(app.http_handler)
limits = client.send("GET", "/v2/account").json()["limits"]
document = client.send("GET", "/openapi.json", key=None).json()
account = document["components"]["schemas"]["Account"]
replies = [client.post("/v2", body=body, content_type="image/*") for body in (b"8BPS", b"text")]
found = {
    "account": limits["formats_in"],
    "schema": account["properties"]["limits"]["properties"]["formats_in"]["items"]["enum"],
    "example": account["examples"][0]["limits"]["formats_in"],
    "messages": [reply.error()["message"] for reply in replies],
}
sys.stderr.write(json.dumps(found) + "\\n")
"""


def test_a_deployment_without_heic_offers_it_nowhere(tmp_path: Path) -> None:
    """The account, the API's document and every message list what it can really decode."""
    program = tmp_path / "no_heic.py"
    program.write_text(NO_HEIC, encoding="utf-8")
    (found,) = (line for line in told(run(str(program))) if "account" in line)
    read = ["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"]
    accepted = f"Accepted: {', '.join(read)}."
    assert found == {
        "account": read,
        "schema": read,
        "example": read,
        "messages": [
            f"The image is PSD, which is not supported. {accepted}",
            f"The image cannot be read: it is not in a known image format. {accepted}",
        ],
    }
