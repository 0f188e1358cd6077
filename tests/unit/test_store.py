"""The store's calls, word for word: what S3 is asked, and what becomes of each of its answers."""

import io
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoRegionError

from cutout.errors import StorageFailed
from cutout.store import (
    BRIEF,
    LONG,
    Content,
    Form,
    ObjectGone,
    ObjectRef,
    Patience,
    PreconditionFailed,
    Store,
    Stored,
)

CAT = ObjectRef(bucket="in", key="uploads/cat")
NAMED = {"Bucket": "in", "Key": "uploads/cat"}
STORED = Stored(etag="e1", size=3, version_id="v1", metadata={"bg-color": "red"})
HEAD = {
    "ETag": '"e1"',
    "ContentLength": 3,
    "VersionId": "v1",
    "Metadata": {"BG-Color": "red"},
}


class Body(io.BytesIO):
    """The body of an object, whose reading may fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__(b"cat")
        self._failure = failure

    def read(self, size: int | None = -1) -> bytes:
        if self._failure:
            raise self._failure
        return super().read(size)


class S3:
    """Answers every call with the next of ``answers``, and keeps what it was asked."""

    def __init__(self, endpoint_url: str) -> None:
        self.meta = type("Meta", (), {"endpoint_url": endpoint_url})
        self.answers: list[Any] = []
        self.asked: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.asked.append((name, (*arguments, named) if arguments else named))
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Aws:
    """boto3's session: it makes clients, and keeps how they were configured."""

    def __init__(self, endpoint_url: str = "http://127.0.0.1:5555") -> None:
        self.endpoint_url = endpoint_url
        self.made: list[tuple[str, Any, S3]] = []
        self.failure: Exception | None = None

    def client(self, service: str, *, config: Any) -> S3:
        if self.failure:
            raise self.failure
        client = S3(self.endpoint_url)
        self.made.append((service, config, client))
        return client


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Return what the store takes for boto3's session."""
    session = Aws()
    monkeypatch.setattr(boto3.session, "Session", lambda: session)
    return session


def store_that_gets(aws: Aws, *answers: Any, patience: Patience = LONG) -> tuple[Store, S3]:
    """Return a connected store, and the S3 that gives it these answers."""
    store = Store(patience)
    with pytest.raises(IndexError):  # connects, and has no answer yet
        store.find(CAT)
    s3 = aws.made[-1][2]
    s3.asked.clear()
    s3.answers.extend(answers)
    return store, s3


def refusal(code: str | None) -> ClientError:
    """Return S3's refusal with a code."""
    return ClientError({"Error": {"Code": code} if code else {}}, "Call")


def failed(act: Callable[[], object]) -> dict[str, object]:
    """Return the facts of the failure that an action ends in."""
    with pytest.raises(StorageFailed) as failure:
        act()
    return failure.value.facts


# --------------------------------------------------------------------------- connecting


@pytest.mark.parametrize(("patience", "silence_s", "attempts"), [(LONG, 8, 4), (BRIEF, 4, 2)])
def test_it_waits_as_long_as_its_patience(
    aws: Aws, patience: Patience, silence_s: float, attempts: int
) -> None:
    """And connects once, at the first call."""
    store, s3 = store_that_gets(aws, HEAD, HEAD, patience=patience)
    store.find(CAT)
    store.find(CAT)
    ((service, config, _),) = aws.made
    assert service == "s3"
    assert (config.connect_timeout, config.read_timeout) == (2, silence_s)
    assert config.retries == {"total_max_attempts": attempts, "mode": "standard"}
    assert config.signature_version == "s3v4"
    assert config.s3 == {"addressing_style": "auto", "us_east_1_regional_endpoint": "regional"}
    assert len(s3.asked) == 2


def test_real_buckets_are_part_of_the_host_name(aws: Aws) -> None:
    """So botocore puts the region into presigned URLs; a stand-in for S3 has no such names."""
    aws.endpoint_url = "https://s3.eu-west-1.amazonaws.com"
    store_that_gets(aws)
    assert [config.s3["addressing_style"] for _, config, _ in aws.made] == ["auto", "virtual"]


def test_without_a_region_there_is_no_connection(aws: Aws) -> None:
    """The log gets what botocore says."""
    aws.failure = NoRegionError()
    facts = failed(lambda: Store().find(CAT))
    assert facts == {"call": "connect", "reason": "You must specify a region."}


# --------------------------------------------------------------------------- calls


def test_finding(aws: Aws) -> None:
    """The ETag has no quotes, and the names of metadata are lower case."""
    store, s3 = store_that_gets(aws, HEAD, refusal("404"), refusal("NoSuchKey"))
    assert store.find(CAT) == STORED
    assert store.find(CAT) is store.find(CAT) is None
    assert s3.asked == [("head_object", NAMED)] * 3


def test_finding_where_nothing_has_versions(aws: Aws) -> None:
    """S3 then says nothing of them."""
    head = {name: value for name, value in HEAD.items() if name != "VersionId"}
    store, _ = store_that_gets(aws, head | {"ETag": '"X-1"'})
    found = store.find(CAT)
    assert found is not None
    assert (found.version_id, found.etag) == (None, "X-1")


def test_reading(aws: Aws) -> None:
    """The bytes, if all that S3 says beside them is as it was."""
    store, s3 = store_that_gets(aws, {**HEAD, "Body": Body()})
    assert store.read(CAT, STORED) == b"cat"
    assert s3.asked == [("get_object", NAMED)]


@pytest.mark.parametrize(
    "changed", [{"ETag": '"e2"'}, {"ContentLength": 4}, {"VersionId": "v2"}, {"Metadata": {}}]
)
def test_reading_what_has_changed(aws: Aws, changed: dict[str, object]) -> None:
    """It is not read, and its connection is given back."""
    body = Body()
    store, _ = store_that_gets(aws, {**HEAD, **changed, "Body": body})
    with pytest.raises(PreconditionFailed):
        store.read(CAT, STORED)
    assert body.closed


def test_reading_what_is_gone(aws: Aws) -> None:
    """It is a fact about the bucket, not a failure."""
    store, _ = store_that_gets(aws, refusal("NoSuchKey"))
    with pytest.raises(ObjectGone):
        store.read(CAT, STORED)


@pytest.mark.parametrize(("patience", "tries"), [(LONG, 4), (BRIEF, 2)])
def test_a_body_that_breaks_off_is_read_again(aws: Aws, patience: Patience, tries: int) -> None:
    """As often as the patience says; then it is a failure."""
    broken = [{**HEAD, "Body": Body(ConnectionResetError())} for _ in range(tries)]
    store, s3 = store_that_gets(aws, *broken[1:], {**HEAD, "Body": Body()}, patience=patience)
    assert store.read(CAT, STORED) == b"cat"
    assert len(s3.asked) == tries
    store, s3 = store_that_gets(aws, *broken, patience=patience)
    facts = failed(lambda: store.read(CAT, STORED))
    assert facts == {"call": "GetObject", "reason": "ConnectionResetError"}
    assert len(s3.asked) == tries


def test_writing(aws: Aws) -> None:
    """Only where nothing is, or in place of what is named by its ETag."""
    store, s3 = store_that_gets(aws, {}, {})
    store.write(CAT, Content(body=b"cut", media_type="image/png", metadata={"a": "b"}))
    store.write(
        CAT, Content(body=b"cut", media_type="image/png", disposition="inline"), replaces="e1"
    )
    written = {**NAMED, "Body": b"cut", "ContentType": "image/png"}
    assert s3.asked == [
        ("put_object", {**written, "IfNoneMatch": "*", "Metadata": {"a": "b"}}),
        (
            "put_object",
            {**written, "IfMatch": '"e1"', "ContentDisposition": "inline", "Metadata": {}},
        ),
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("412", PreconditionFailed),
        ("PreconditionFailed", PreconditionFailed),
        ("409", PreconditionFailed),
        ("ConditionalRequestConflict", PreconditionFailed),
        ("404", ObjectGone),
        ("NoSuchKey", ObjectGone),
    ],
)
def test_writing_where_something_changed(aws: Aws, code: str, kind: type[Exception]) -> None:
    """The caller looks again."""
    store, _ = store_that_gets(aws, refusal(code))
    with pytest.raises(kind):
        store.write(CAT, Content(body=b"", media_type="image/png"))


def test_removing(aws: Aws) -> None:
    """Only what has the ETag; what is gone or another one by now is left alone."""
    store, s3 = store_that_gets(aws, {}, refusal("404"), refusal("412"), refusal("405"))
    for _ in range(3):
        store.remove(CAT, "e1")
    assert s3.asked == [("delete_object", {**NAMED, "IfMatch": '"e1"'})] * 3
    facts = failed(lambda: store.remove(CAT, "e1"))
    assert facts == {"call": "DeleteObject", "reason": "405"}


def test_listing(aws: Aws) -> None:
    """One page; a longer list tells nothing of what is not in it."""
    page = {"Contents": [{"Key": "a.png"}, {"Key": "a.jpg"}], "IsTruncated": False}
    store, s3 = store_that_gets(aws, page, {"IsTruncated": False}, {**page, "IsTruncated": True})
    assert store.keys_under("out", "a.") == {"a.png", "a.jpg"}
    assert store.keys_under("out", "a.") == set()
    assert store.keys_under("out", "a.") is None
    asked = {"Bucket": "out", "Prefix": "a.", "MaxKeys": 1_000}
    assert s3.asked == [("list_objects_v2", asked)] * 3


def test_listing_a_bucket_that_is_not_there(aws: Aws) -> None:
    """There is no object that could be gone, so it is a failure."""
    store, _ = store_that_gets(aws, refusal("NoSuchKey"))
    facts = failed(lambda: store.keys_under("out", "a."))
    assert facts == {"call": "ListObjectsV2", "reason": "NoSuchKey"}


def test_signing(aws: Aws) -> None:
    """A URL to fetch an object, and a form to upload one."""
    store, s3 = store_that_gets(aws, "https://x", {"url": "https://y", "fields": {"key": "k"}})
    assert store.sign_get(CAT, seconds=60) == "https://x"
    form = store.sign_post(CAT, seconds=90, fields={"a": "b"}, conditions=[["eq", "$a", "b"]])
    assert form == Form(url="https://y", fields={"key": "k"})
    get, post = s3.asked
    assert get == ("generate_presigned_url", ("get_object", {"Params": NAMED, "ExpiresIn": 60}))
    more = {"Fields": {"a": "b"}, "Conditions": [["eq", "$a", "b"]], "ExpiresIn": 90}
    assert post == ("generate_presigned_post", ("in", "uploads/cat", more))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal("AccessDenied"), "AccessDenied"),
        (refusal(None), "no code"),
        (EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError"),
        (OSError(), "OSError"),
    ],
)
def test_any_other_failure_names_the_call(aws: Aws, answer: Exception, reason: str) -> None:
    """For the log."""
    store, _ = store_that_gets(aws, *[answer] * 6)
    content = Content(body=b"", media_type="image/png")
    calls: dict[str, Callable[[], object]] = {
        "HeadObject": lambda: store.find(CAT),
        "PutObject": lambda: store.write(CAT, content),
        "DeleteObject": lambda: store.remove(CAT, "e1"),
        "ListObjectsV2": lambda: store.keys_under("out", ""),
        "sign": lambda: store.sign_get(CAT, seconds=1),
    }
    for call, act in calls.items():
        assert failed(act) == {"call": call, "reason": reason}
    form = failed(lambda: store.sign_post(CAT, seconds=1, fields={}, conditions=[]))
    assert form == {"call": "sign", "reason": reason}


def test_a_failure_to_open_is_not_tried_again(aws: Aws) -> None:
    """The call was repeated by botocore already."""
    store, s3 = store_that_gets(aws, refusal("SlowDown"))
    assert failed(lambda: store.read(CAT, STORED)) == {"call": "GetObject", "reason": "SlowDown"}
    assert len(s3.asked) == 1
