"""S3: read, write, remove, presign. It imports boto3 when it is first used.

It knows about objects, not about images. Every call ends in one of four ways: an answer,
:class:`ObjectGone`, :class:`PreconditionFailed`, or :class:`~cutout.errors.StorageFailed`, which
counts as our fault and may pass.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cutout.errors import StorageFailed

MAX_KEY_BYTES = 1_024
"""S3's limit on a key, in bytes of UTF-8."""

_CONNECT_TIMEOUT_S = 2  # S3 in the same region accepts a connection within a few milliseconds
_PAGE_KEYS = 1_000  # the most keys that S3 lists at once

# The answer to a HEAD request has no body, so botocore knows only its status.
_GONE = {"404", "NoSuchKey"}
# 409 means that another write to the same key was under way; this one had no effect.
_FAILED_PRECONDITION = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call waits for S3 to send something, and how often a failed call is repeated.

    ``retries`` counts the repetitions after the first try, of a call as well as of a body that
    breaks off.
    """

    silence_s: float
    retries: int


# S3 normally begins to answer within 0.2 s. The waiting times below are chosen, not measured.

LONG = Patience(silence_s=8, retries=3)
"""For work from a queue, where a failure means doing the whole image again, so it waits longer.

A call that S3 never answers takes 4 × 8 s and up to 7 s of pauses; the worker has 120 s.
"""

BRIEF = Patience(silence_s=4, retries=1)
"""For an HTTP caller, who must be answered within 28 s.

A call that S3 never answers takes 2 × 4 s and up to 1 s of pause.
"""


class ObjectGone(Exception):  # noqa: N818 # a fact about the bucket, not necessarily an error
    """There is no such object."""


class PreconditionFailed(Exception):  # noqa: N818 # a fact about the bucket as well
    """The object has changed since the caller looked at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """The name of an object, whose current version is always the one that is meant."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What S3 says of an object; the names of ``metadata`` are lower case."""

    etag: str
    size: int
    version_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is written: the bytes, and the headers with which S3 will serve them."""

    body: bytes
    media_type: str
    disposition: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A presigned POST: its fields must be sent before the file."""

    url: str
    fields: Mapping[str, str]


def connect(patience: Patience) -> Any:
    """Return boto3's S3 client, which takes region, credentials and endpoint from the environment.

    :raises StorageFailed: there is no region or no profile.
    """
    # These imports take 0.3 s, which a request that needs no S3 does not spend.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    session = boto3.session.Session()

    def client(addressing: str) -> Any:
        return session.client(
            "s3",
            config=Config(
                signature_version="s3v4",
                retries={"total_max_attempts": patience.retries + 1, "mode": "standard"},
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=patience.silence_s,
                s3={"addressing_style": addressing, "us_east_1_regional_endpoint": "regional"},
            ),
        )

    try:
        chosen = client("auto")
        # botocore puts the bucket's region into a presigned URL only when the bucket is part of the
        # host name, and a local stand-in for S3 has no such host names.
        return client("virtual") if ".amazonaws." in chosen.meta.endpoint_url else chosen
    except BotoCoreError as error:
        raise StorageFailed(call="connect", reason=str(error)) from error


class Store:
    """S3, as one deployment reaches it."""

    def __init__(self, patience: Patience = LONG) -> None:
        """Connect when first used."""
        self._patience = patience
        self._connected: Any = None

    @property
    def _client(self) -> Any:
        if self._connected is None:
            self._connected = connect(self._patience)
        return self._connected

    def find(self, ref: ObjectRef) -> Stored | None:
        """Return what S3 says about an object, or ``None`` where there is none.

        :raises StorageFailed: S3 does not answer, or refuses to.
        """
        try:
            with _mapped("HeadObject"):
                return _stored(self._client.head_object(**_named(ref)))
        except ObjectGone:
            return None

    def read(self, ref: ObjectRef, found: Stored) -> bytes:
        """Return the bytes of an object, if it is still what :meth:`find` said.

        S3's own condition, If-Match, compares the ETag only, and the same bytes can be uploaded
        again with other metadata. So all that S3 says beside the bytes is compared here.

        :raises ObjectGone: the object does not exist any more.
        :raises PreconditionFailed: it is another one by now.
        :raises StorageFailed: S3 does not answer, refuses to, or breaks off again and again.
        """
        retries = self._patience.retries
        while True:
            body = self._open(ref, found)
            try:
                with _mapped("GetObject"):
                    return bytes(body.read())
            except StorageFailed:  # botocore repeats a call, but not a body that breaks off
                if retries == 0:
                    raise
                retries -= 1

    def _open(self, ref: ObjectRef, found: Stored) -> Any:
        with _mapped("GetObject"):
            answer = self._client.get_object(**_named(ref))
        body = answer["Body"]
        if _stored(answer) != found:
            body.close()
            raise PreconditionFailed
        return body

    def write(self, ref: ObjectRef, content: Content, *, replaces: str | None = None) -> None:
        """Write an object in place of the one with the ETag ``replaces``, or where there is none.

        :raises ObjectGone: the object that it should replace was deleted; nothing was written.
        :raises PreconditionFailed: something else is there; nothing was written.
        :raises StorageFailed: S3 does not confirm the write, which may still have happened.
        """
        optional = {"ContentDisposition": content.disposition} if content.disposition else {}
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": _quoted(replaces)}
        with _mapped("PutObject"):
            self._client.put_object(
                **_named(ref),
                **optional,
                **condition,
                Body=content.body,
                ContentType=content.media_type,
                Metadata=content.metadata,
            )

    def remove(self, ref: ObjectRef, etag: str) -> None:
        """Remove the object that has this ETag; an object with another ETag is left alone.

        :raises StorageFailed: S3 does not confirm the removal, which may still have happened.
        """
        try:
            with _mapped("DeleteObject"):
                self._client.delete_object(**_named(ref), IfMatch=_quoted(etag))
        except (ObjectGone, PreconditionFailed):
            return

    def keys_under(self, bucket: str, prefix: str) -> set[str] | None:
        """Return the keys that begin with ``prefix``, or ``None`` if they are more than one page.

        :raises StorageFailed: S3 does not answer, or refuses to.
        """
        with _mapped("ListObjectsV2", gone=False):
            page = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_PAGE_KEYS)
        keys = {entry["Key"] for entry in page.get("Contents", ())}
        return None if page["IsTruncated"] else keys

    def sign_get(self, ref: ObjectRef, *, seconds: int) -> str:
        """Return a URL with which anybody can fetch the object during this many ``seconds``.

        :raises StorageFailed: there are no credentials.
        """
        with _mapped("sign"):
            url: str = self._client.generate_presigned_url(
                "get_object", Params=_named(ref), ExpiresIn=seconds
            )
        return url

    def sign_post(
        self, ref: ObjectRef, *, seconds: int, fields: Mapping[str, str], conditions: list[Any]
    ) -> Form:
        """Return a form with which anybody can upload to this key during this many ``seconds``.

        :raises StorageFailed: there are no credentials.
        """
        with _mapped("sign"):
            form = self._client.generate_presigned_post(
                ref.bucket, ref.key, Fields=dict(fields), Conditions=conditions, ExpiresIn=seconds
            )
        return Form(url=form["url"], fields=form["fields"])


def _named(ref: ObjectRef) -> dict[str, str]:
    return {"Bucket": ref.bucket, "Key": ref.key}


def _stored(answer: Mapping[str, Any]) -> Stored:
    """Return what the headers of S3's answer say about an object; the ETag without its quotes."""
    return Stored(
        etag=answer["ETag"].strip('"'),
        size=answer["ContentLength"],
        version_id=answer.get("VersionId"),
        metadata={name.lower(): value for name, value in answer["Metadata"].items()},
    )


def _quoted(etag: str) -> str:
    return f'"{etag}"'


@contextmanager
def _mapped(call: str, *, gone: bool = True) -> Iterator[None]:
    """Turn botocore's exceptions into this module's; ``gone``: a 404 means that there is no object.

    :raises ObjectGone: S3 has no such object.
    :raises PreconditionFailed: a condition of the call does not hold.
    :raises StorageFailed: S3 fails in any other way.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see connect()

    try:
        yield
    except ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        if gone and code in _GONE:
            raise ObjectGone from error
        if code in _FAILED_PRECONDITION:
            raise PreconditionFailed from error
        raise StorageFailed(call=call, reason=code or "no code") from error
    except (BotoCoreError, OSError) as error:
        raise StorageFailed(call=call, reason=type(error).__name__) from error
