"""Each call of one upload × each way in which S3 can fail.

The rule: afterwards there is the one right file, or the message is back in the queue; and when it
is delivered again, there is the one right file. A task of a batch job is in the queue as long as it
is a ``TemporaryFailure``. The store has no patience here, so that a failure is not hidden by a
retry, and no test waits for one. (:mod:`test_worker` does the same in memory.)
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cloud import (
    CUT,
    DENIED,
    INTERNAL,
    SLOW_DOWN,
    Call,
    Cloud,
    Fault,
    Proxy,
    Uploaded,
    always,
    batch,
    failures,
    kind_of,
    messages,
    png,
    shade,
)

from cutout.store import Patience, Store

SILENCE_S = 0.5

FAILURES = {
    "500": INTERNAL,
    "500-after-all": Fault(status=500, code="InternalError", after=True),
    "503": SLOW_DOWN,
    "403": DENIED,
    "404": Fault(status=404, code="NoSuchKey"),
    "409": Fault(status=409, code="ConditionalRequestConflict"),
    "412": Fault(status=412, code="PreconditionFailed"),
    "reset": Fault(lost=True),
    "reset-after-all": Fault(lost=True, after=True),
    "timeout": Fault(lost=True, hang_s=SILENCE_S * 2),
    "truncated": CUT,
    "not-xml": Fault(edit=lambda body: b"<html>" if body.startswith(b"<?xml") else body),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An upload: what it is to become, and what an earlier upload of the same source became.

    A result is named by its extension, or by its error's code; "" stands for no earlier upload.
    """

    before: str = ""
    wanted: str


SCENES = {
    "first": Scene(wanted="png"),
    "other-key": Scene(before="png", wanted="tiff"),
    "refused": Scene(wanted="invalid_format"),
    "damaged": Scene(before="png", wanted="invalid_image"),
    "mended": Scene(before="invalid_image", wanted="png"),
}
EACH_FAILURE = pytest.mark.parametrize("failure", FAILURES)


def nth(number: int, fault: Fault) -> tuple[Callable[[Call], Fault | None], list[Call]]:
    """Return a judge that fails the call with this number (from 1), and the call that it failed."""
    calls: list[Call] = []
    failed: list[Call] = []

    def judge(call: Call) -> Fault | None:
        calls.append(call)
        if len(calls) != number:
            return None
        failed.append(call)
        return fault

    return judge, failed


def put(cloud: Cloud, name: str, wanted: str, shade: int) -> Uploaded:
    """Upload a source that becomes what is wanted."""
    key = f"uploads/{name}"
    if wanted == "invalid_image":
        return cloud.put(key, png(shade)[:40])
    return cloud.put(key, png(shade), format="no" if wanted == "invalid_format" else wanted)


def uploaded(cloud: Cloud, scene: Scene, name: str) -> Uploaded:
    """Upload a scene's source, after the one that was there before it."""
    if scene.before:
        cloud.handle(put(cloud, name, scene.before, 50).created())
    return put(cloud, name, scene.wanted, 150)


def impatient(cloud: Cloud, fault: Fault) -> Cloud:
    """Return a worker of the deployment that never asks S3 twice.

    It waits briefly only for an S3 that never answers. A busy machine can take longer than that for
    an ordinary answer, which is then a failure of its own.
    """
    store = Store(Patience(silence_s=SILENCE_S if fault.hang_s else 60, retries=0))
    return Cloud(s3=cloud.s3, settings=cloud.settings, store=store)


def works(worker: Cloud, door: str, upload: Uploaded, scene: Scene) -> bool:
    """Let a worker work on an upload; tell whether that is the end of it, or it comes again."""
    if door == "queue":
        answer = worker.handle(messages(upload.created()))
        assert answer in (failures(), failures(0))
        ended: bool = answer == failures()
    else:
        (task,) = worker.handle(batch(upload.task(version=False)))["results"]
        ended = task["resultCode"] != "TemporaryFailure"
        code = "PermanentFailure" if scene.wanted.startswith("invalid") else "Succeeded"
        assert task["resultCode"] in {"TemporaryFailure", code} or is_gone(worker)
    if not ended:
        assert worker.lines()[-1]["kind"] == "StorageFailed"
    return ended


def is_gone(worker: Cloud) -> bool:
    """Tell whether a worker found no source: S3 is strongly consistent, so a 404 is believed."""
    return worker.outcomes()[-1:] == ["source_gone"]


def is_right(cloud: Cloud, scene: Scene, name: str) -> bool:
    """Tell whether an upload has its one right file."""
    is_error = scene.wanted.startswith("invalid")
    right = f"cutouts/{name}.{'error.json' if is_error else scene.wanted}"
    keys = cloud.keys()
    files = [key for key in keys if key.startswith(f"cutouts/{name}.")]
    if files != [right]:
        return False
    if not is_error:
        return shade(cloud, right) == 150
    document: Any = json.loads(cloud.get(right)["Body"])
    return bool(document["error"]["code"] == scene.wanted)


@pytest.mark.parametrize(
    ("name", "door"),
    [
        ("first", "queue"),
        ("first", "batch"),
        ("refused", "batch"),
        ("damaged", "queue"),
        ("mended", "queue"),
    ],
)
@EACH_FAILURE
def test_one_call_fails(cloud: Cloud, proxy: Proxy, failure: str, name: str, door: str) -> None:
    """Whichever it is, and in whichever way, for results and for error files."""
    scene, worker = SCENES[name], impatient(cloud, FAILURES[failure])
    for number in itertools.count(1):
        source = f"{number:02}"
        upload = uploaded(cloud, scene, source)
        proxy.judge, failed = nth(number, FAILURES[failure])
        ended = works(worker, door, upload, scene)
        proxy.judge = lambda _: None
        if ended and not failed:
            assert number > 5
            return
        if ended and is_gone(worker):
            assert (failure, kind_of(failed[0])) == ("404", "HEAD source")
        elif ended:
            assert is_right(cloud, scene, source), (number, failed)
        assert works(cloud, door, upload, scene)
        assert is_right(cloud, scene, source), (number, failed)


@pytest.mark.parametrize(
    "kind",
    ["HEAD source", "LIST result", "HEAD result", "GET source", "PUT result", "DELETE result"],
)
@EACH_FAILURE
def test_all_calls_of_a_kind_fail(cloud: Cloud, proxy: Proxy, failure: str, kind: str) -> None:
    """The message comes back until S3 works again; the old result stays until then."""
    scene, worker = SCENES["other-key"], impatient(cloud, FAILURES[failure])
    upload = uploaded(cloud, scene, "cat")
    proxy.judge = always(FAILURES[failure], lambda call: kind_of(call) == kind)
    ended = works(worker, "queue", upload, scene)
    proxy.judge = lambda _: None
    if ended:
        assert is_gone(worker) == (failure == "404" and kind == "HEAD source")
        assert is_gone(worker) or is_right(cloud, scene, "cat")
    else:
        assert cloud.keys() != []
    assert works(cloud, "queue", upload, scene)
    assert is_right(cloud, scene, "cat")
