"""What the store takes and returns: names of objects, what S3 says of them, and their contents."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_KEY_BYTES = 1_024
"""S3's limit on a key, in bytes of UTF-8."""


class ObjectGone(Exception):  # noqa: N818 # a fact about the bucket, not necessarily an error
    """The object does not exist."""


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
