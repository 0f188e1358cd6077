"""S3's objects through the real worker and a real S3 protocol: nothing lost, nothing twice.

The stand-in for S3 is moto's server; a proxy in front of it injects the faults. The network is a
fake that costs nothing, but where a test says so.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from cloud import (
    CUT,
    DENIED,
    HANG,
    INTERNAL,
    SLOW_DOWN,
    Call,
    Cloud,
    Fault,
    Proxy,
    Uploaded,
    always,
    batch,
    break_down,
    failures,
    fake_remover,
    image,
    is_source_read,
    is_write,
    kind_of,
    make_bucket,
    messages,
    once,
    png,
    shade,
    wait_until,
)
from PIL import Image

import app
from context import LocalContext
from cutout.errors import OutOfTime, StorageDisabled, UnknownEvent, UploadsFailed
from cutout.image.card import read_card
from cutout.options import Options, parse_options
from cutout.settings import Settings
from image_files import encoded
from make_events import PHOTO, Event, s3_put_event, sqs_event

LONG = "uploads/" + "a" * 1016
LONG_TARGET = "cutouts/" + "a" * (1024 - 8 - 4 - 17) + "~"

UNVERSIONED = pytest.param({"versioned": False}, id="unversioned")
VERSIONED = pytest.param({}, id="versioned")
BOTH = pytest.mark.parametrize("cloud", [VERSIONED, UNVERSIONED], indirect=True)


def target(key: str, extension: str = "png") -> str:
    """Return where the contract puts the result of an upload."""
    whole = f"cutouts/{key.removeprefix('uploads/')}.{extension}"
    if len(whole.encode()) <= 1024:
        return whole
    end = f"~{hashlib.sha256(key.encode()).hexdigest()[:16]}.{extension}"
    kept = whole.removesuffix(f".{extension}").encode()[: 1024 - len(end)]
    return kept.decode(errors="ignore") + end


def error(cloud: Cloud, key: str) -> Any:
    """Return the error in an error file."""
    found = cloud.get(key)
    assert found["ContentType"] == "application/json"
    document = json.loads(found["Body"])
    assert list(document) == ["error"]
    assert list(document["error"]) == ["code", "message", "status", "request_id"]
    return document["error"]


def options(**fields: str) -> Options:
    """Return options as S3 metadata gives them."""
    return parse_options(fields.items())[0]


def writes(proxy: Proxy) -> list[tuple[str, str]]:
    """Return what was written or removed through the proxy."""
    return [(call.method, call.key) for call in proxy.calls if call.method in {"PUT", "DELETE"}]


# --------------------------------------------------------------------------- events and keys


@pytest.mark.parametrize(
    "key",
    [
        "uploads/a cat.jpg",
        "uploads/a+b.jpg",
        "uploads/100% + %2B.jpg",
        "uploads/büro/猫 🐈.jpg",
        "uploads//a//b.jpg",
        "uploads/a&b=c?d#e;f'g\"h<i>.jpg",
        "uploads/no extension",
        "uploads/é" + "猫" * 338 + "a",
        LONG,
    ],
)
@BOTH
def test_any_key_by_any_event(cloud: Cloud, key: str) -> None:
    """The result stands at the full key, and the four kinds of event mean the same object."""
    uploaded = cloud.put(key, png(77))
    assert cloud.handle(uploaded.notification()) is None
    assert cloud.keys() == [target(key)]
    assert shade(cloud, target(key)) == 77
    assert cloud.handle(messages(uploaded.notification(), uploaded.created())) == failures()
    for schema in ("1.0", "2.0"):
        answer = cloud.handle(batch(uploaded.task(schema=schema), schema=schema))
        assert answer["results"][0]["resultCode"] == "Succeeded"
    assert cloud.outcomes() == ["cut_out", *["unchanged"] * 4]
    assert cloud.keys() == [target(key)]


def test_a_result_says_how_sure_its_matte_is(cloud: Cloud) -> None:
    """In its metadata and in the log; a file of an error has no matte."""
    sure = read_card(app.LOCAL_MODELS / "erase-s").confidence[-1][1]  # the network has no doubt
    cloud.handle(messages(cloud.put("uploads/a.jpg", png()).created()))
    bucket = cloud.settings.result_bucket
    result = cloud.s3.head_object(Bucket=bucket, Key="cutouts/a.jpg.png")
    assert result["Metadata"]["confidence"] == f"{sure:.2f}"
    cloud.handle(messages(cloud.put("uploads/b.jpg", b"no image").created()))
    told = [(line["message"], line.get("confidence")) for line in cloud.lines()]
    assert told == [("cut_out", round(sure, 2)), ("refused", None)]


def test_the_longest_key() -> None:
    """The test's own idea of a cut name, once by hand."""
    digest = hashlib.sha256(LONG.encode()).hexdigest()[:16]
    assert target(LONG) == f"{LONG_TARGET}{digest}.png"


def test_two_sources_never_share_a_result(cloud: Cloud) -> None:
    """Same name in two folders, same name with two extensions, same first 1,000 characters."""
    keys = ["uploads/a/cat.jpg", "uploads/b/cat.jpg", "uploads/a/cat.png", "uploads/a/cat"]
    keys += [LONG[:-1] + "x", LONG[:-1] + "y"]
    event = {
        "Records": [
            record
            for number, key in enumerate(keys)
            for record in cloud.put(key, png(20 * number + 20)).notification()["Records"]
        ]
    }
    assert cloud.handle(event) is None
    assert sorted(cloud.keys()) == sorted(target(key) for key in keys)
    assert [shade(cloud, target(key)) for key in keys] == [20, 40, 60, 80, 100, 120]


def test_a_photo_through_the_real_model(cloud: Cloud) -> None:
    """The same bytes as over HTTP; the result says what it was made of and by what."""
    cloud.remover = app.remover
    uploaded = cloud.put("uploads/a cat.jpg", PHOTO.read_bytes(), **{"bg-color": "white"})
    cloud.handle(messages(uploaded.created()))
    found = cloud.get("cutouts/a cat.jpg.png")
    assert found["ContentType"] == "image/png"
    assert found["Metadata"]["source-etag"] == uploaded.etag
    assert found["Metadata"]["source-version"] == uploaded.version_id
    assert found["Metadata"]["source"] == f"{uploaded.bucket}/uploads/a%20cat.jpg"
    assert found["Metadata"]["options"] == "bg_color=white"
    assert found["Metadata"]["model"].startswith("erase-s/")
    direct = app.remover.remove(PHOTO.read_bytes(), options(bg_color="white"), budget_ms=100_000)
    assert found["Body"] == direct.file.body


def test_what_is_no_upload_is_left_alone(cloud: Cloud, proxy: Proxy) -> None:
    """Results, foreign buckets, removed objects, tests of the notification: nothing is called."""
    uploaded = cloud.put("uploads/cat.jpg", png())
    result = Uploaded(
        bucket=cloud.settings.result_bucket,
        key="cutouts/cat.jpg.png",
        etag="0" * 32,
        version_id=None,
        size=1,
    )
    foreign = s3_put_event("somebody-elses", "uploads/cat.jpg", 1)
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": uploaded.bucket}
    removed = uploaded.notification("ObjectRemoved:Delete")
    deleted = uploaded.created("Object Deleted")
    bodies = [result.notification(), result.created(), foreign, test, removed, deleted]
    assert cloud.handle(messages(*bodies)) == failures()
    for body in bodies:
        assert cloud.handle(body) is None
    assert proxy.calls == []
    assert cloud.keys() == []
    each = ["not_ours"] * 3 + ["test_event"] + ["not_created"] * 2
    assert cloud.outcomes() == each * 2


def test_the_sign_of_an_empty_folder(cloud: Cloud) -> None:
    """Consoles make it; it is no image, and not an error either. With bytes in it it is one."""
    cloud.handle(cloud.put("uploads/new folder/", b"").notification())
    assert cloud.keys() == []
    assert cloud.outcomes() == ["folder"]
    cloud.handle(cloud.put("uploads/odd name/", png()).notification())
    assert cloud.keys() == ["cutouts/odd name/.png"]


def test_without_buckets_no_event_is_taken() -> None:
    """The platform keeps it, and sends it again."""
    cloud = Cloud(s3=None, settings=Settings())
    with pytest.raises(StorageDisabled):
        cloud.handle(s3_put_event("any", "uploads/cat.jpg", 1))
    assert [(line["message"], line["code"]) for line in cloud.lines()] == [
        ("refused", "storage_disabled")
    ]


def test_without_buckets_an_event_of_no_kind_is_called_so() -> None:
    """Advice about images in requests would mislead whoever sent it."""
    with pytest.raises(UnknownEvent):
        Cloud(s3=None, settings=Settings()).handle({"hello": "world"})


def test_an_event_of_no_kind_fails(cloud: Cloud) -> None:
    """Loudly: what is not understood must not look done."""
    with pytest.raises(UnknownEvent):
        cloud.handle({"hello": "world"})
    assert [line["code"] for line in cloud.lines()] == ["internal_error"]


# --------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    "cloud", [{"default_options": (("format", "webp"), ("bg_color", "red"))}], indirect=True
)
def test_metadata_says_the_last_word(cloud: Cloud) -> None:
    """Over the deployment's defaults; a batch job's arguments over both."""
    plain = cloud.put("uploads/plain.jpg", png())
    own = cloud.put("uploads/own.jpg", png(), **{"bg-color": "#00F", "format": "PNG"})
    cloud.handle(messages(plain.created(), own.created()))
    assert sorted(cloud.keys()) == ["cutouts/own.jpg.png", "cutouts/plain.jpg.webp"]
    cloud.handle(
        batch(own.task(schema="2.0"), schema="2.0", arguments={"channels": "alpha", "crop": "1"})
    )
    assert image(cloud, "cutouts/own.jpg.png").mode == "L"
    assert cloud.get("cutouts/own.jpg.png")["Metadata"]["options"] == (
        "bg_color=%2300F&channels=alpha&crop=1&format=PNG"
    )


def test_metadata_that_is_no_option_is_ignored(cloud: Cloud) -> None:
    """Neither ``response``, which means nothing here, nor what other programs write."""
    uploaded = cloud.put(
        "uploads/cat.jpg", png(), response="nonsense", author="me", **{"s3b-last-modified": "x"}
    )
    cloud.handle(uploaded.notification())
    assert cloud.keys() == ["cutouts/cat.jpg.png"]
    assert "options" not in cloud.get("cutouts/cat.jpg.png")["Metadata"]


@pytest.mark.parametrize(
    ("body", "metadata", "code", "message"),
    [
        (
            png(),
            {"bg-color": "bluish"},
            "invalid_bg_color",
            "bg_color must be a valid hex or named color.",
        ),
        (
            b"not an image at all",
            {"bg-image-url": "https://shop.example/b.png"},
            "invalid_bg_image",
            "bg_image_url must be left out: S3 objects can have bg_color or bg_blur instead.",
        ),
        (
            png(),
            {"bg-image-file": "b.png"},
            "invalid_bg_image",
            "bg_image_file must be left out: S3 objects can have bg_color or bg_blur instead.",
        ),
        (b"", {}, "invalid_image", None),
        (b"not an image at all", {}, "invalid_image", None),
        (b"%PDF-1.7 no image either", {}, "unsupported_image_format", None),
        (PHOTO.read_bytes()[:9_000], {}, "invalid_image", None),
        (png(side=1), {}, "image_too_small", None),
        (png(side=1100), {}, "image_too_large", None),
    ],
)
def test_a_callers_fault_leaves_an_error_file(
    cloud: Cloud, body: bytes, metadata: dict[str, str], code: str, message: str | None
) -> None:
    """The envelope of the API; no failure, since a retry would end the same."""
    uploaded = cloud.put("uploads/a/cat.jpg", body, **metadata)
    assert cloud.handle(messages(uploaded.created())) == failures()
    assert cloud.keys() == ["cutouts/a/cat.jpg.error.json"]
    found = error(cloud, "cutouts/a/cat.jpg.error.json")
    assert found["code"] == code
    assert found["request_id"] == cloud.lines()[0]["request_id"]
    assert message is None or found["message"] == message
    assert cloud.handle(uploaded.notification()) is None
    assert cloud.outcomes() == ["refused", "unchanged"]


@pytest.mark.parametrize("cloud", [{"max_object_bytes": 100}], indirect=True)
def test_an_object_that_is_too_large_is_not_read(cloud: Cloud, proxy: Proxy) -> None:
    """S3 says how large it is before."""
    cloud.handle(cloud.put("uploads/large.jpg", png() + bytes(100)).created())
    found = error(cloud, "cutouts/large.jpg.error.json")
    assert (found["code"], found["status"]) == ("payload_too_large", 413)
    assert found["message"] == "The object is larger than 100 bytes."
    assert [call for call in proxy.calls if call.method == "GET" and not call.query] == []


@pytest.mark.parametrize("cloud", [{"max_object_bytes": 100}], indirect=True)
def test_a_refusal_lasts_as_long_as_what_is_accepted(cloud: Cloud) -> None:
    """A job that runs again after the limit was raised cuts out what was too large before."""
    uploaded = cloud.put("uploads/large.png", png() + bytes(100))
    for _ in range(2):
        cloud.handle(uploaded.created())
    assert cloud.keys() == ["cutouts/large.png.error.json"]
    cloud.settings = replace(cloud.settings, max_object_bytes=1_000_000)
    cloud.handle(uploaded.created())
    assert cloud.keys() == ["cutouts/large.png.png"]
    cloud.settings = replace(cloud.settings, max_object_bytes=100)
    cloud.handle(uploaded.created())
    assert cloud.keys() == ["cutouts/large.png.png"]
    assert cloud.outcomes() == ["refused", "unchanged", "cut_out", "unchanged"]


@pytest.mark.parametrize("cloud", [{"max_object_bytes": 100}], indirect=True)
def test_another_refusal_takes_the_place_of_an_outdated_one(cloud: Cloud) -> None:
    """The error file says what is wrong now, and says it once."""
    uploaded = cloud.put("uploads/large.png", bytes(200))
    cloud.handle(uploaded.created())
    assert error(cloud, "cutouts/large.png.error.json")["code"] == "payload_too_large"
    cloud.settings = replace(cloud.settings, max_object_bytes=1_000_000)
    for _ in range(2):
        assert cloud.handle(messages(uploaded.created())) == failures()
    assert cloud.keys() == ["cutouts/large.png.error.json"]
    assert error(cloud, "cutouts/large.png.error.json")["code"] == "invalid_image"
    assert cloud.outcomes() == ["refused", "refused", "unchanged"]


# --------------------------------------------------------------------------- nothing twice


@BOTH
def test_the_same_event_again_is_no_work(cloud: Cloud, proxy: Proxy) -> None:
    """No read of the source, no run of the network, no write."""
    runs = [0]
    cloud.remover = fake_remover(lambda: runs.__setitem__(0, runs[0] + 1))
    uploaded = cloud.put("uploads/cat.jpg", png())
    cloud.handle(uploaded.notification())
    first = cloud.get("cutouts/cat.jpg.png")
    proxy.calls.clear()
    cloud.handle(uploaded.created())
    assert writes(proxy) == []
    assert all(call.method == "HEAD" or "list-type" in call.query for call in proxy.calls)
    assert runs == [1]
    assert cloud.get("cutouts/cat.jpg.png")["LastModified"] == first["LastModified"]

    cloud.s3.delete_object(Bucket=cloud.settings.result_bucket, Key="cutouts/cat.jpg.png")
    cloud.handle(uploaded.created())
    assert cloud.get("cutouts/cat.jpg.png")["Body"] == first["Body"]


@BOTH
def test_the_calls_that_an_upload_takes(cloud: Cloud, proxy: Proxy) -> None:
    """Five for a new one; what they cost and how long they take is the larger part of the work."""
    uploaded = cloud.put("uploads/cat.jpg", png())
    cloud.handle(uploaded.created())
    assert [kind_of(call) for call in proxy.calls] == [
        "HEAD source",
        "LIST result",
        "GET source",
        "PUT result",
        "LIST result",
    ]
    proxy.calls.clear()
    cloud.handle(uploaded.created())
    assert [kind_of(call) for call in proxy.calls] == ["HEAD source", "LIST result", "HEAD result"]
    proxy.calls.clear()
    cloud.handle(cloud.put("uploads/bad.jpg", png(), format="nonsense").created())
    assert [kind_of(call) for call in proxy.calls] == [
        "HEAD source",
        "LIST result",
        "HEAD source",
        "PUT result",
        "LIST result",
    ]


@BOTH
def test_an_older_event_after_a_newer_upload(cloud: Cloud) -> None:
    """It changes nothing, whether the newer one's own event was already worked on or not."""
    old, new = cloud.put("uploads/cat.jpg", png(50)), cloud.put("uploads/cat.jpg", png(150))
    assert cloud.handle(old.created()) is None
    assert cloud.keys() == []
    cloud.handle(new.created())
    cloud.handle(old.created())
    cloud.handle(old.notification())
    assert cloud.outcomes() == ["superseded", "cut_out", "superseded", "superseded"]
    assert shade(cloud, "cutouts/cat.jpg.png") == 150


def test_the_same_bytes_uploaded_again_with_other_options(cloud: Cloud) -> None:
    """One ETag, two versions: the result is the newer one's."""
    old = cloud.put("uploads/cat.jpg", png(50), format="webp")
    cloud.handle(old.created())
    new = cloud.put("uploads/cat.jpg", png(50), format="tiff")
    cloud.handle(new.created())
    cloud.handle(old.created())
    assert old.etag == new.etag
    assert cloud.keys() == ["cutouts/cat.jpg.tiff"]


def test_a_file_put_at_a_results_key_by_hand(cloud: Cloud) -> None:
    """It does not say what it was made of, so the next event about the photo replaces it."""
    uploaded = cloud.put("uploads/cat.jpg", png(50))
    cloud.handle(uploaded.created())
    bucket = cloud.settings.result_bucket
    cloud.s3.put_object(Bucket=bucket, Key="cutouts/cat.jpg.png", Body=png(150))
    cloud.handle(uploaded.created())
    assert cloud.keys() == ["cutouts/cat.jpg.png"]
    assert shade(cloud, "cutouts/cat.jpg.png") == 50


@BOTH
def test_one_file_for_each_source(cloud: Cloud) -> None:
    """Another format, an error, the photo mended: what came before is removed."""
    steps = [
        (png(50), {"format": "webp"}, "webp"),
        (png(60), {"format": "jpg"}, "jpg"),
        (b"broken", {}, "error.json"),
        (png(80), {"bg-color": "nonsense"}, "error.json"),
        (png(90), {}, "png"),
    ]
    neighbour = cloud.put("uploads/cat.jpg.webp", png(200))
    cloud.handle(neighbour.created())
    for body, metadata, extension in steps:
        cloud.handle(cloud.put("uploads/cat.jpg", body, **metadata).created())
        assert sorted(cloud.keys()) == sorted(
            [f"cutouts/cat.jpg.{extension}", "cutouts/cat.jpg.webp.png"]
        )


def test_what_others_put_beside_a_result_stays(cloud: Cloud) -> None:
    """Only a file that names the source as its own is removed."""
    bucket = cloud.settings.result_bucket
    cloud.s3.put_object(Bucket=bucket, Key="cutouts/cat.jpg.webp", Body=b"mine")
    cloud.handle(cloud.put("uploads/cat.jpg", png()).created())
    assert sorted(cloud.keys()) == ["cutouts/cat.jpg.png", "cutouts/cat.jpg.webp"]
    assert cloud.get("cutouts/cat.jpg.webp")["Body"] == b"mine"


@pytest.mark.parametrize("cloud", [{"catalogue_buckets": frozenset({"t-photos"})}], indirect=True)
def test_another_sources_result_is_never_overwritten(cloud: Cloud) -> None:
    """An upload into a folder named like a catalogue bucket: the second is ours to report."""
    make_bucket(cloud.s3, "t-photos")
    listed = cloud.put("cat.jpg", png(50), bucket="t-photos")
    cloud.handle(batch(listed.task(version=False)))
    uploaded = cloud.put("uploads/t-photos/cat.jpg", png(150))
    ran: list[bool] = []
    cloud.remover = fake_remover(lambda: ran.append(True))
    assert cloud.handle(messages(uploaded.created())) == failures(0)
    (result,) = cloud.handle(batch(uploaded.task()))["results"]
    assert (result["resultCode"], result["resultString"]) == (
        "TemporaryFailure",
        "internal_error: write: another source has this target",
    )
    assert shade(cloud, "cutouts/t-photos/cat.jpg.png") == 50
    assert ran == []  # nor is it cut out for nothing


# --------------------------------------------------------------------------- faults


def is_look(call: Call) -> bool:
    """Tell whether a call asks about the source."""
    return call.method == "HEAD" and call.bucket.endswith("-input")


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        pytest.param(SLOW_DOWN, is_source_read, id="slow-down-read"),
        pytest.param(SLOW_DOWN, is_write, id="slow-down-write"),
        pytest.param(INTERNAL, is_look, id="500-head"),
        pytest.param(INTERNAL, is_source_read, id="500-read"),
        pytest.param(INTERNAL, is_write, id="500-write"),
        pytest.param(
            Fault(status=500, code="InternalError", after=True), is_write, id="lost-answer"
        ),
        pytest.param(CUT, is_source_read, id="half-a-body"),
        pytest.param(HANG, is_source_read, id="slow"),
    ],
)
def test_a_fault_that_passes_is_not_noticed(
    cloud: Cloud, proxy: Proxy, fault: Fault, holds: Callable[[Call], bool]
) -> None:
    """The call is repeated; the result is right and alone."""
    uploaded = cloud.put("uploads/cat.jpg", png(50))
    proxy.judge = once(fault, holds)
    assert cloud.handle(messages(uploaded.created())) == failures()
    assert cloud.keys() == ["cutouts/cat.jpg.png"]
    assert shade(cloud, "cutouts/cat.jpg.png") == 50


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        pytest.param(SLOW_DOWN, is_look, id="slow-down-head"),
        pytest.param(SLOW_DOWN, is_source_read, id="slow-down-read"),
        pytest.param(INTERNAL, is_write, id="500-write"),
        pytest.param(DENIED, is_write, id="denied-write"),
        pytest.param(DENIED, is_source_read, id="denied-read"),
        pytest.param(CUT, is_source_read, id="half-a-body"),
    ],
)
def test_exactly_the_failed_message_comes_again(
    cloud: Cloud, proxy: Proxy, fault: Fault, holds: Callable[[Call], bool]
) -> None:
    """The others of its batch are done; later it goes through, and the error was told."""
    events = [cloud.put(f"uploads/{name}.jpg", png(50)).created() for name in "abc"]
    proxy.judge = always(fault, lambda call: holds(call) and "b.jpg" in call.key)
    assert cloud.handle(messages(*events)) == failures(1)
    assert sorted(cloud.keys()) == ["cutouts/a.jpg.png", "cutouts/c.jpg.png"]
    (line,) = (line for line in cloud.lines() if line["message"] == "failed")
    assert (line["level"], line["code"], line["key"]) == (
        "ERROR",
        "internal_error",
        "uploads/b.jpg",
    )
    proxy.judge = lambda _: None
    assert cloud.handle(messages(*events)) == failures()
    assert len(cloud.keys()) == 3


def test_a_failure_of_s3s_own_event_fails_the_event(cloud: Cloud, proxy: Proxy) -> None:
    """It has no other way to tell; what could be done is done before."""
    records = [cloud.put(f"uploads/{name}.jpg", png()).notification() for name in "abc"]
    event = {"Records": [record["Records"][0] for record in records]}
    proxy.judge = always(DENIED, lambda call: "a.jpg" in call.key)
    with pytest.raises(UploadsFailed, match="1 of the event's objects failed"):
        cloud.handle(event)
    assert sorted(cloud.keys()) == ["cutouts/b.jpg.png", "cutouts/c.jpg.png"]


def test_a_message_that_cannot_be_read_comes_to_the_dead_letters(cloud: Cloud) -> None:
    """It is reported as failed until the queue gives it up: never dropped in silence."""
    good = cloud.put("uploads/cat.jpg", png()).created()
    assert cloud.handle(messages("not JSON", good, {"hello": "world"})) == failures(0, 2)
    assert cloud.keys() == ["cutouts/cat.jpg.png"]


def test_what_can_be_read_of_a_bad_message_is_done(cloud: Cloud) -> None:
    """One record of two is bad, by itself or in a message; or what it names is no key."""
    good = cloud.put("uploads/good.jpg", png())
    other = cloud.put("uploads/other.jpg", png())
    half = good.notification()
    half["Records"].append({"eventSource": "aws:s3", "s3": {}})
    deleted = other.created("Object Deleted")
    deleted["detail"]["object"]["key"] = 5
    bodies = [half, deleted, other.created()]
    assert cloud.handle(messages(*bodies)) == failures(0, 1)
    assert cloud.keys() == ["cutouts/good.jpg.png", "cutouts/other.jpg.png"]


def test_memory_that_runs_out_is_no_fault_of_the_image(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes again, and leaves no error file."""

    def nothing_left(*_: object, **__: object) -> None:
        raise MemoryError

    uploaded = cloud.put("uploads/cat.jpg", png())
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", nothing_left)
        assert cloud.handle(messages(uploaded.created())) == failures(0)
    assert cloud.keys() == []


def test_time_that_runs_out_is_no_fault_of_the_image(cloud: Cloud) -> None:
    """It comes again, and leaves no error file: what the caller is told has status 504."""

    def run_out() -> None:
        raise OutOfTime(before="compose")

    uploaded = cloud.put("uploads/cat.jpg", png())
    cloud.remover = fake_remover(run_out)
    assert cloud.handle(messages(uploaded.created())) == failures(0)
    assert cloud.keys() == []
    (line,) = cloud.lines()
    assert (line["level"], line["code"], line["kind"]) == ("ERROR", "timeout", "OutOfTime")


def test_a_source_deleted_between_event_and_read(cloud: Cloud, proxy: Proxy) -> None:
    """Before the first look or after it: nothing to do, and nothing left."""
    bucket = cloud.settings.input_bucket

    def delete(call: Call) -> None:
        if is_source_read(call):
            cloud.s3.delete_object(Bucket=bucket, Key=call.key)

    first, second = (cloud.put(f"uploads/{name}.jpg", png()) for name in "ab")
    cloud.s3.delete_object(Bucket=bucket, Key=first.key)
    proxy.judge = delete
    assert cloud.handle(messages(first.created(), second.created())) == failures()
    assert cloud.outcomes() == ["source_gone"] * 2
    assert cloud.keys() == []


@BOTH
def test_a_source_replaced_between_read_and_write(cloud: Cloud) -> None:
    """The older one's cutout is there until the newer one's event, which is on its way."""
    newer: list[Uploaded] = []

    def replace() -> None:
        if not newer:
            newer.append(cloud.put("uploads/cat.jpg", png(150), format="webp"))

    cloud.remover = fake_remover(replace)
    older = cloud.put("uploads/cat.jpg", png(50))
    assert cloud.handle(messages(older.created())) == failures()
    assert cloud.keys() == ["cutouts/cat.jpg.png"]
    cloud.handle(messages(newer[0].created()))
    assert cloud.keys() == ["cutouts/cat.jpg.webp"]
    assert abs(shade(cloud, "cutouts/cat.jpg.webp") - 150) <= 3
    assert cloud.outcomes() == ["cut_out", "cut_out"]


@BOTH
def test_a_newer_workers_result_between_look_and_write(cloud: Cloud, proxy: Proxy) -> None:
    """Both are at it at once: the slower one with the older photo finds its write refused."""
    raced = [False]

    def race(call: Call) -> None:
        if is_write(call) and not raced[0]:
            raced[0] = True
            other = Cloud(s3=cloud.s3, settings=cloud.settings)
            other.handle(other.put("uploads/cat.jpg", png(150)).created())

    older = cloud.put("uploads/cat.jpg", png(50))
    proxy.judge = race
    assert cloud.handle(messages(older.created())) == failures()
    assert shade(cloud, "cutouts/cat.jpg.png") == 150
    assert cloud.keys() == ["cutouts/cat.jpg.png"]


KILLED = """
import json, sys
sys.path[:0] = sys.argv[1:]
import app
from context import LocalContext
app.upload_handler(json.load(sys.stdin), LocalContext(timeout_s=60.0))
"""


@pytest.mark.parametrize("takes_effect", [False, True], ids=["before", "after"])
def test_a_worker_killed_mid_write(cloud: Cloud, proxy: Proxy, *, takes_effect: bool) -> None:
    """A process that dies while it writes: the event comes again, and one right file stands."""
    cloud.handle(cloud.put("uploads/cat.jpg", png(50), format="webp").created())
    uploaded = cloud.put("uploads/cat.jpg", png(150))
    environment = os.environ | {
        "INPUT_BUCKET": cloud.settings.input_bucket,
        "RESULT_BUCKET": cloud.settings.result_bucket,
    }
    function = str(app.LOCAL_MODELS.parent / "function")
    events = str(app.LOCAL_MODELS.parent / "events" / "local")
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, function, events],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        text=True,
    )

    def kill(call: Call) -> Fault | None:
        if not is_write(call):
            return None
        if not takes_effect:
            os.kill(worker.pid, signal.SIGKILL)
            return INTERNAL
        threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL)).start()
        return Fault(status=500, code="InternalError", after=True, hang_s=0.6)

    proxy.judge = kill
    worker.communicate(json.dumps(messages(uploaded.created())), timeout=60)
    assert worker.returncode == -signal.SIGKILL
    wait_until(lambda: len(cloud.keys()) == 1 + takes_effect, seconds=10)
    proxy.judge = lambda _: None
    assert cloud.handle(messages(uploaded.created())) == failures()
    assert cloud.keys() == ["cutouts/cat.jpg.png"]
    found = cloud.get("cutouts/cat.jpg.png")
    assert found["Metadata"]["source-etag"] == uploaded.etag
    # The dead worker ran the real network.
    remover = app.remover if takes_effect else cloud.remover
    assert found["Body"] == remover.remove(png(150), options()).file.body


def test_a_worker_without_time_leaves_the_event(cloud: Cloud, proxy: Proxy) -> None:
    """What does not fit into the invocation any more comes again, rather than half done."""
    uploaded = cloud.put("uploads/cat.jpg", png())
    cloud.timeout_s = 4.0
    assert cloud.handle(messages(uploaded.created())) == failures(0)
    assert [line["code"] for line in cloud.lines()] == ["timeout"]
    assert proxy.calls == []


def test_a_fault_of_the_code_is_reported_and_leaks_nothing(cloud: Cloud) -> None:
    """One object that breaks the worker is one failed message."""
    bad = cloud.put("uploads/b.jpg", png())
    cloud.remover = fake_remover(break_down)
    transparent = encoded(Image.new("RGBA", (9, 9), (1, 2, 3, 77)))
    good = cloud.put("uploads/a.jpg", transparent, **{"input-alpha": "keep"})
    assert cloud.handle(messages(bad.created(), good.created())) == failures(0)
    assert cloud.keys() == ["cutouts/a.jpg.png"]


def metrics(printed: str) -> list[dict[str, Any]]:
    """Return the metrics among what was printed, in CloudWatch's embedded format."""
    return [json.loads(line) for line in printed.splitlines() if line.startswith('{"_aws"')]


@pytest.mark.parametrize("kind", ["StorageFailed", "UnknownEvent", "RuntimeError"])
def test_faults_of_ours_are_told_apart(
    cloud: Cloud, proxy: Proxy, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The caller's word is the same for S3's failures, unreadable events and bugs; ours is not."""
    body: object = cloud.put("uploads/cat.jpg", png()).created()
    if kind == "UnknownEvent":
        body = {"hello": "world"}
    elif kind == "StorageFailed":
        proxy.judge = always(DENIED, is_source_read)
    else:
        cloud.remover = fake_remover(break_down)
    capfd.readouterr()
    assert cloud.handle(messages(body)) == failures(0)
    (line,) = cloud.lines()
    assert (line["level"], line["code"], line["kind"]) == ("ERROR", "internal_error", kind)
    counted = metrics(capfd.readouterr().out)
    (errors,) = (metric for metric in counted if "Errors" in metric)
    (faults,) = (metric for metric in counted if "Faults" in metric)
    assert (errors["service"], errors["code"]) == ("test", "internal_error")
    assert (faults["service"], faults["kind"]) == ("test", kind)
    assert errors["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "code"]]
    assert faults["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "kind"]]


def test_a_refusal_is_no_fault_of_ours(cloud: Cloud, capfd: pytest.CaptureFixture[str]) -> None:
    """It is counted by its code, and its line says which kind of error it was."""
    cloud.handle(cloud.put("uploads/cat.jpg", b"no image").created())
    (line,) = cloud.lines()
    assert (line["level"], line["message"]) == ("INFO", "refused")
    assert (line["code"], line["kind"]) == ("invalid_image", "InvalidImage")
    assert line["target"] == "cutouts/cat.jpg.error.json"
    (counted,) = metrics(capfd.readouterr().out)
    assert (counted["code"], counted["Errors"]) == ("invalid_image", [1])


@pytest.mark.parametrize("cloud", [{"hash_logged_keys": True}], indirect=True)
def test_keys_are_hashed_in_the_log_where_the_deployment_asks_for_it(
    cloud: Cloud, proxy: Proxy
) -> None:
    """A key can name a person. The same key has the same hash, so its lines can still be found."""
    bodies = [png(), b"no image", png()]
    uploads = [cloud.put(f"uploads/jane-doe/{n}.jpg", body) for n, body in enumerate(bodies)]
    proxy.judge = always(DENIED, lambda call: is_source_read(call) and "2.jpg" in call.key)
    events = [uploaded.created() for uploaded in uploads]
    removed = uploads[0].created("Object Deleted")
    assert cloud.handle(messages(*events, removed, events[0])) == failures(2)
    assert "jane" not in cloud.log.getvalue()
    assert "0.jpg" not in cloud.log.getvalue()
    lines = cloud.lines()
    digest = hashlib.sha256(uploads[0].key.encode()).hexdigest()[:16]
    assert [line["message"] for line in lines] == [
        "cut_out",
        "refused",
        "failed",
        "not_created",
        "unchanged",
    ]
    assert [line["key"] == f"sha256:{digest}" for line in lines] == [True, False, False, True, True]
    made = hashlib.sha256(b"cutouts/jane-doe/0.jpg.png").hexdigest()[:16]
    assert lines[0]["target"] == lines[-1]["target"] == f"sha256:{made}"


def test_the_log_has_one_line_for_each_object(cloud: Cloud) -> None:
    """With what became of it, and not one value of its metadata."""
    uploaded = cloud.put("uploads/a cat.jpg", png(), **{"bg-color": "tomato", "secret": "hunter2"})
    cloud.handle(messages(uploaded.created()))
    (line,) = cloud.lines()
    assert line["message"] == "cut_out"
    assert line["bucket"] == uploaded.bucket
    assert line["key"] == "uploads/a cat.jpg"
    assert line["target"] == "cutouts/a cat.jpg.png"
    assert line["request_id"]
    assert "hunter2" not in cloud.log.getvalue()
    assert "tomato" not in cloud.log.getvalue()


# --------------------------------------------------------------------------- batch jobs


@pytest.mark.parametrize("schema", ["1.0", "2.0"])
def test_a_batch_job(cloud: Cloud, proxy: Proxy, schema: str) -> None:
    """What S3 is told of each task, and no more than 200 characters of it."""
    good = cloud.put("uploads/a cat.jpg", png())
    bad = cloud.put("uploads/bad.jpg", b"no image")
    unlucky = cloud.put("uploads/unlucky.jpg", png())
    gone = cloud.put("uploads/gone.jpg", png())
    cloud.s3.delete_object(Bucket=gone.bucket, Key=gone.key)
    foreign = Uploaded(bucket="other", key="x.jpg", etag="0", version_id=None, size=1)
    proxy.judge = always(DENIED, lambda call: "unlucky" in call.key)

    told = []
    for uploaded in (good, bad, unlucky, gone, foreign):
        event = batch(uploaded.task(schema=schema, version=uploaded is good), schema=schema)
        answer = cloud.handle(event)
        assert answer.keys() == {
            "invocationSchemaVersion",
            "treatMissingKeysAs",
            "invocationId",
            "results",
        }
        assert answer["invocationSchemaVersion"] == schema
        assert answer["invocationId"] == event["invocationId"]
        assert answer["treatMissingKeysAs"] == "PermanentFailure"
        (result,) = answer["results"]
        assert result["taskId"] == event["tasks"][0]["taskId"]
        assert len(result["resultString"]) <= 200
        told.append((result["resultCode"], result["resultString"]))
    assert told[0] == ("Succeeded", "cutouts/a cat.jpg.png")
    assert told[1][0] == "PermanentFailure"
    assert told[1][1].startswith("invalid_image: ")
    assert told[2] == ("TemporaryFailure", "internal_error: HeadObject: 403")
    assert told[3] == ("Succeeded", "source_gone")
    assert told[4] == ("PermanentFailure", "not_ours")
    assert sorted(cloud.keys()) == ["cutouts/a cat.jpg.png", "cutouts/bad.jpg.error.json"]

    again = cloud.handle(batch(bad.task(schema=schema), schema=schema))
    assert again["results"][0]["resultCode"] == "PermanentFailure"
    assert again["results"][0]["resultString"].startswith("invalid_image: ")


@pytest.mark.parametrize("cloud", [{"catalogue_buckets": frozenset({"t-shop"})}], indirect=True)
def test_a_catalogue_is_worked_on_where_it_is(cloud: Cloud) -> None:
    """Its results stand under its name; the objects themselves are not touched."""
    make_bucket(cloud.s3, "t-shop")
    good = cloud.put("2026/büro 1+1.jpg", png(), bucket="t-shop", format="webp")
    bad = cloud.put("2026/bad.jpg", b"no image", bucket="t-shop")
    before = cloud.keys("t-shop")
    answer = cloud.handle(batch(good.task(version=False), bad.task(version=False)))
    assert [r["resultCode"] for r in answer["results"]] == ["Succeeded", "PermanentFailure"]
    assert sorted(cloud.keys()) == [
        "cutouts/t-shop/2026/bad.jpg.error.json",
        "cutouts/t-shop/2026/büro 1+1.jpg.webp",
    ]
    assert cloud.keys("t-shop") == before
    # A notification of a catalogue bucket is not asked for, and starts nothing.
    assert cloud.handle(good.notification()) is None
    assert cloud.outcomes()[-1] == "not_ours"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"format": "wepb"}, "invalid_format: format must be one of png, jpg, "),
        ({"fromat": "webp"}, "invalid_fromat: fromat must be left out: there is no such option."),
        ({"bg\u2013color": "red"}, "invalid_bg%E2%80%93color: bg%E2%80%93color must be left out: "),
        ({"a\nb\ud800": "1"}, "invalid_a%0Ab%3F: a%0Ab%3F must be left out: "),
        ({"x" * 64: "1"}, f"invalid_{'x' * 40}: {'x' * 40} must be left out: there is no such "),
        ({"bg-color": "bluish"}, "invalid_bg_color: bg_color must be a valid hex or named color."),
        ({"bg_color": ""}, "invalid_bg_color: bg_color must be a valid hex or named color."),
        (
            {"bg_color": "red", "bg-blur": "5"},
            "multiple_bg_sources: Only one background is accepted, but bg_color and bg_blur ",
        ),
        ({"bg-color": "red", "BG_color": "red"}, "invalid_bg_color: "),
        (
            {"Format": "webp", "format": "webp"},
            "duplicate_option: format is given more than once: capital letters, - and _ make no",
        ),
        ({"bg_image_url": "https://shop.example/b.png"}, "invalid_bg_image: bg_image_url must be "),
        ({"model": "another"}, "invalid_model: model must be one of erase-s."),
    ],
    ids=str,
)
def test_wrong_options_of_a_job_replace_no_cutout(
    cloud: Cloud, arguments: dict[str, str], told: str
) -> None:
    """A slip in a job over a whole bucket would otherwise replace every result by an error."""
    uploads = [cloud.put(f"uploads/{name}.jpg", png()) for name in "ab"]
    cloud.handle(messages(uploads[0].created()))
    foreign = Uploaded(bucket="other", key="x.jpg", etag="0", version_id=None, size=1)
    tasks = [uploaded.task(schema="2.0") for uploaded in (*uploads, foreign)]
    for _ in range(2):
        answer = cloud.handle(batch(*tasks, schema="2.0", arguments=arguments))
        *results, last = answer["results"]
        assert [result["resultCode"] for result in results] == ["PermanentFailure"] * 2
        assert all(result["resultString"].startswith(told) for result in results)
        assert last["resultString"] == "not_ours"
        assert cloud.keys() == ["cutouts/a.jpg.png", "cutouts/b.jpg.error.json"]
    lines = [(line["level"], line["message"], line.get("key")) for line in cloud.lines()[1:3]]
    assert lines == [("INFO", "refused", f"uploads/{name}.jpg") for name in "ab"]

    cloud.handle(batch(*tasks, schema="2.0", arguments={"format": "tiff"}))
    assert cloud.keys() == ["cutouts/a.jpg.tiff", "cutouts/b.jpg.tiff"]


def test_a_jobs_options_are_spelled_in_any_way(cloud: Cloud) -> None:
    """As those of an object's metadata; ``response`` means nothing, whatever its value."""
    uploaded = cloud.put("uploads/cat.jpg", png())
    arguments = {"BG-Color": "red", "Format": "JPEG", "response": "nonsense"}
    answer = cloud.handle(batch(uploaded.task(schema="2.0"), schema="2.0", arguments=arguments))
    assert answer["results"][0]["resultString"] == "cutouts/cat.jpg.jpg"


def test_metadata_that_means_something_else(cloud: Cloud) -> None:
    """It has the name of an option by chance; the options of a job take its place."""
    uploaded = cloud.put("uploads/cat.jpg", png(), size="25433", model="X-T5")
    cloud.handle(uploaded.created())
    assert error(cloud, "cutouts/cat.jpg.error.json")["code"] == "invalid_model"
    arguments = {"size": "full", "model": "erase-s"}
    answer = cloud.handle(batch(uploaded.task(schema="2.0"), schema="2.0", arguments=arguments))
    assert answer["results"][0]["resultString"] == "cutouts/cat.jpg.png"
    assert cloud.keys() == ["cutouts/cat.jpg.png"]


def test_a_task_that_cannot_be_read(cloud: Cloud) -> None:
    """Is that task's failure, which no retry mends; the others of its job go on."""
    good = cloud.put("uploads/cat.jpg", png()).task(schema="2.0")
    event = batch(
        {"taskId": "t1", "s3BucketArn": "arn:aws:s3:::x"},
        {"taskId": "t2", "s3Key": "%FF"},
        {"taskId": "t3", "s3Key": "uploads/cat.jpg", "s3Bucket": 5},
        {"taskId": "t4", "s3Key": "uploads/cat.jpg", "s3Bucket": {"name": "x"}},
        good,
        schema="2.0",
    )
    answer = cloud.handle(event)
    codes = [result["resultCode"] for result in answer["results"]]
    assert codes == ["PermanentFailure"] * 4 + ["Succeeded"]


# --------------------------------------------------------------------------- all at once


def odd_key(number: int, chance: random.Random) -> str:
    """Return a key that somebody's camera, shop or script might make."""
    signs = [
        "a",
        " ",
        "+",
        "%",
        "%20",
        "é",
        "猫",
        "🐈",
        "/",
        "&",
        "=",
        "?",
        "#",
        "~",
        "'",
        '"',
        "(",
        ".",
    ]
    length = 1024 - 8 - 4 if number % 25 == 0 else chance.randint(1, 30)
    text = f"{number:04}"
    while len((text + "🐈").encode()) < length:
        text += chance.choice(signs)
    return f"uploads/{text}"


@pytest.mark.parametrize("cloud", [{}, {"versioned": False}], indirect=True, ids=["v", "u"])
def test_two_hundred_uploads_in_a_storm(cloud: Cloud, proxy: Proxy) -> None:
    """One call in ten fails, every event comes twice, out of order, to eight workers at once.

    Some sources are uploaded twice, some are broken. In the end each has exactly one right file.
    """
    chance = random.Random(20260901)
    expected: dict[str, tuple[str, int]] = {}
    events: list[Event] = []
    for number in range(200):
        key = odd_key(number, chance)
        for _ in range(chance.choice([1, 1, 1, 2])):
            value = chance.randrange(20, 250)
            broken = chance.random() < 0.1
            extension = chance.choice(["png", "webp", "jpg"])
            body = b"broken" if broken else png(value)
            uploaded = cloud.put(key, body, format=extension)
            expected[target(key, "error.json" if broken else extension)] = (key, value)
            for other in ("png", "webp", "jpg", "error.json"):
                if other != ("error.json" if broken else extension):
                    expected.pop(target(key, other), None)
            events += [uploaded.created(), uploaded.notification()]
    chance.shuffle(events)
    lock = threading.Lock()
    kinds = [
        INTERNAL,
        SLOW_DOWN,
        CUT,
        Fault(status=500, code="InternalError", after=True),
        Fault(status=503, code="SlowDown", after=True),
    ]

    def judge(_: Call) -> Fault | None:
        with lock:
            return chance.choice(kinds) if chance.random() < 0.1 else None

    proxy.judge = judge
    tries: Counter[int] = Counter()

    def deliver(number: int) -> None:
        """Send an event as the queue does, until it is done, five times at most."""
        while cloud.handle(messages(events[number])) != failures():
            tries[number] += 1
            assert tries[number] < 5, events[number]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, range(len(events))))
    assert len(expected) == 200
    assert sorted(cloud.keys()) == sorted(expected)
    for name, (key, value) in expected.items():
        found = cloud.get(name)
        assert found["Metadata"]["source-etag"] == etag_of(cloud, key)
        if name.endswith(".error.json"):
            assert error(cloud, name)["code"] == "invalid_image"
        else:
            assert abs(shade(cloud, name) - value) <= 3, name  # what jpg and webp lose


def etag_of(cloud: Cloud, key: str) -> str:
    """Return a source's ETag."""
    head = cloud.s3.head_object(Bucket=cloud.settings.input_bucket, Key=key)
    etag: str = head["ETag"].strip('"')
    return etag


def test_the_handler_tells_the_events_apart(cloud: Cloud) -> None:
    """``lambda_handler`` takes S3's events as well; this deployment has no bucket."""
    assert cloud.settings.has_storage
    with pytest.raises(StorageDisabled):
        app.lambda_handler(sqs_event(s3_put_event("b", "uploads/k", 1)), LocalContext(timeout_s=30))
