"""S3: read, write, remove, presign. It imports boto3 when it is first used.

It knows objects and no images. What S3 says becomes one of four things: an answer,
:class:`ObjectGone`, :class:`PreconditionFailed`, or :class:`~cutout.errors.StorageFailed`, which is
our fault and may pass.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from cutout.errors import StorageFailed

_CONNECT_TIMEOUT_S = 2
_PAGE_KEYS = 1_000  # the most that S3 lists at once

_GONE = {"404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed"}  # 405: a delete marker
# 409: another write to the same key was under way.
_FAILED_PRECONDITION = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long S3 may be silent, and how often it is asked again.

    ``retries`` are those of each call, after the first, and of each body that breaks off.
    """

    silence_s: float
    retries: int


LONG = Patience(silence_s=8, retries=3)
"""A queue waits; what fails comes back with all of its work to be done again."""

BRIEF = Patience(silence_s=4, retries=1)
"""An HTTP caller waits 28 s in all, and an answer that says no is better than none."""


class ObjectGone(Exception):  # noqa: N818 # a fact about the bucket, which may be no error
    """There is no such object, or not this version of it."""


class PreconditionFailed(Exception):  # noqa: N818 # the same
    """The object is not what the caller took it for."""


class _BrokenOff(StorageFailed):
    """The body of an answer ended early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """An object; without ``version_id`` the current one."""

    bucket: str
    key: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What S3 says of an object; the names of ``metadata`` are lower case."""

    etag: str
    size: int
    version_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is written: the bytes, and what S3 answers beside them."""

    body: bytes
    media_type: str
    disposition: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A presigned POST: the fields go before the file."""

    url: str
    fields: Mapping[str, str]


def connect(patience: Patience) -> Any:
    """Return boto3's S3 client; where it connects to is the environment's and botocore's matter.

    :raises StorageFailed: there is no region or no profile.
    """
    import boto3  # noqa: PLC0415 - 0.3 s that a request without S3 does not spend
    from botocore.config import Config  # noqa: PLC0415 - the same
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - the same

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
        # Only by explicit host names does botocore sign URLs of the bucket's region; a stand-in for
        # S3 on this machine has no such names.
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
        """Return what S3 says of an object, ``None`` where there is none.

        :raises StorageFailed: S3 does not say.
        """
        try:
            with _mapped("HeadObject"):
                head = self._client.head_object(**_named(ref))
        except ObjectGone:
            return None
        return Stored(
            etag=_bare(head["ETag"]),
            size=head["ContentLength"],
            version_id=head.get("VersionId"),
            metadata={name.lower(): value for name, value in head["Metadata"].items()},
        )

    def read(self, ref: ObjectRef, etag: str) -> bytes:
        """Return the bytes of the object that has this ETag.

        :raises ObjectGone: there is none any more.
        :raises PreconditionFailed: it has another ETag now.
        :raises StorageFailed: S3 does not give it.
        """
        for _ in range(self._patience.retries):
            with suppress(_BrokenOff):  # botocore repeats the call, not a body that breaks off
                return self._read(ref, etag)
        return self._read(ref, etag)

    def _read(self, ref: ObjectRef, etag: str) -> bytes:
        with _mapped("GetObject"):
            answer = self._client.get_object(**_named(ref), IfMatch=_quoted(etag))
        try:
            with _mapped("GetObject"):
                body: bytes = answer["Body"].read()
        except StorageFailed as error:
            raise _BrokenOff(**error.facts) from error
        return body

    def write(self, ref: ObjectRef, content: Content, *, replaces: str | None = None) -> None:
        """Write an object over the one with the ETag ``replaces``, or where there is none.

        :raises PreconditionFailed: something else is there, and stays.
        :raises StorageFailed: S3 does not say that it is written; it may be all the same.
        """
        optional = {"ContentDisposition": content.disposition} if content.disposition else {}
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": _quoted(replaces)}
        try:
            with _mapped("PutObject"):
                self._client.put_object(
                    **_named(ref),
                    **optional,
                    **condition,
                    Body=content.body,
                    ContentType=content.media_type,
                    Metadata=content.metadata,
                )
        except ObjectGone as error:  # what it should replace is no more
            raise PreconditionFailed from error

    def remove(self, ref: ObjectRef, etag: str) -> None:
        """Remove the object that has this ETag; none, or one with another ETag, is left alone.

        :raises StorageFailed: S3 does not say that it is removed; it may be all the same.
        """
        try:
            with _mapped("DeleteObject"):
                self._client.delete_object(**_named(ref), IfMatch=_quoted(etag))
        except (ObjectGone, PreconditionFailed):
            return

    def keys_under(self, bucket: str, prefix: str) -> set[str] | None:
        """Return the keys that begin with ``prefix``, ``None`` where one page does not hold them.

        :raises StorageFailed: S3 does not say.
        """
        with _mapped("ListObjectsV2", gone=False):
            page = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_PAGE_KEYS)
        keys = {entry["Key"] for entry in page.get("Contents", ())}
        return None if page["IsTruncated"] else keys

    def sign_get(self, ref: ObjectRef, *, seconds: int) -> str:
        """Return a URL that gives the object to whoever has it, for so many seconds.

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
        """Return a form that takes one object at this key, for so many seconds.

        :raises StorageFailed: there are no credentials.
        """
        with _mapped("sign"):
            form = self._client.generate_presigned_post(
                ref.bucket, ref.key, Fields=dict(fields), Conditions=conditions, ExpiresIn=seconds
            )
        return Form(url=form["url"], fields=form["fields"])


def _named(ref: ObjectRef) -> dict[str, str]:
    version = {} if ref.version_id is None else {"VersionId": ref.version_id}
    return {"Bucket": ref.bucket, "Key": ref.key, **version}


def _bare(etag: str) -> str:
    """Return an ETag without its quotes, as events and manifests have it."""
    return etag.strip('"')


def _quoted(etag: str) -> str:
    return f'"{etag}"'


@contextmanager
def _mapped(call: str, *, gone: bool = True) -> Iterator[None]:
    """Turn what botocore raises into what this module says; ``gone`` where a 404 means that.

    :raises ObjectGone: S3 has no such object.
    :raises PreconditionFailed: it is another one.
    :raises StorageFailed: anything else.
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
