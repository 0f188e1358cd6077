"""Each call of one upload × each way in which S3 can fail.

The rule: afterwards there is the one right file, or the message is back in the queue; and when it
is delivered again, there is the one right file. The store has no patience here, so that a failure
is not hidden by a retry, and no test waits for one. (:mod:`test_worker` does the same in memory for
more kinds of uploads.)
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

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
    failures,
    kind_of,
    messages,
    png,
    shade,
)

from cutout.store import Patience, Store

SILENCE_S = 0.25

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
    """An upload: its format, and whether there is the result of an earlier one, a png."""

    format: str
    before: bool


NEW = Scene(format="png", before=False)
OTHER_KEY = Scene(format="tiff", before=True)

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


def uploaded(cloud: Cloud, scene: Scene, name: str) -> Uploaded:
    """Upload a scene's photo, after the one that was there before it."""
    if scene.before:
        cloud.handle(cloud.put(f"uploads/{name}", png(50)).created())
    return cloud.put(f"uploads/{name}", png(150), format=scene.format)


def impatient(cloud: Cloud) -> Cloud:
    """Return a worker of the deployment that never asks S3 twice."""
    store = Store(Patience(silence_s=SILENCE_S, retries=0))
    return Cloud(s3=cloud.s3, settings=cloud.settings, store=store)


def is_right(cloud: Cloud, scene: Scene, name: str) -> bool:
    """Tell whether an upload has its one right file."""
    right = f"cutouts/{name}.{scene.format}"
    keys = cloud.keys()
    files = [key for key in keys if key.startswith(f"cutouts/{name}.")]
    return files == [right] and shade(cloud, right) == 150


@EACH_FAILURE
def test_one_call_fails(cloud: Cloud, proxy: Proxy, failure: str) -> None:
    """Whichever it is, and in whichever way."""
    scene, worker = NEW, impatient(cloud)
    for number in itertools.count(1):
        name = f"{number:02}"
        upload = uploaded(cloud, scene, name)
        proxy.judge, failed = nth(number, FAILURES[failure])
        answer = worker.handle(messages(upload.created()))
        proxy.judge = lambda _: None
        if not failed:
            assert number > 5
            return
        if worker.outcomes()[-1:] == ["source_gone"]:
            assert (failure, kind_of(failed[0])) == ("404", "HEAD source")
            # S3 is strongly consistent: what it does not find is not there.
            assert answer == failures()
        elif answer == failures():
            assert is_right(cloud, scene, name), (number, failed)
        else:
            assert answer == failures(0)
            assert worker.lines()[-1]["kind"] == "StorageFailed"
        assert cloud.handle(messages(upload.created())) == failures()
        assert is_right(cloud, scene, name), (number, failed)


@pytest.mark.parametrize(
    "kind",
    ["HEAD source", "LIST result", "HEAD result", "GET source", "PUT result", "DELETE result"],
)
@EACH_FAILURE
def test_all_calls_of_a_kind_fail(cloud: Cloud, proxy: Proxy, failure: str, kind: str) -> None:
    """The message comes back until S3 works again; the old result stays until then."""
    scene, worker = OTHER_KEY, impatient(cloud)
    upload = uploaded(cloud, scene, "cat")
    proxy.judge = always(FAILURES[failure], lambda call: kind_of(call) == kind)
    answer = worker.handle(messages(upload.created()))
    proxy.judge = lambda _: None
    if answer == failures():
        gone = worker.outcomes() == ["source_gone"]
        assert gone or is_right(cloud, scene, "cat")
        assert gone == (failure == "404" and kind == "HEAD source")
    else:
        assert answer == failures(0)
        assert worker.lines()[-1]["kind"] == "StorageFailed"
        assert cloud.keys() != []
    assert cloud.handle(messages(upload.created())) == failures()
    assert is_right(cloud, scene, "cat")
