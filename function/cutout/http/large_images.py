"""What is too large for a request or a reply goes through S3: uploads, their keys, result URLs."""

import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cutout.errors import DuplicateOption, InvalidImageKey, InvalidOption, ObjectTooLarge
from cutout.http.body import Field
from cutout.settings import INCOMING_PREFIX, RESULTS_PREFIX, Settings
from cutout.store import (
    MAX_KEY_BYTES,
    Content,
    Form,
    ObjectGone,
    ObjectRef,
    PreconditionFailed,
    Store,
)

_UPLOAD_SECONDS = 3_600
MEDIA_TYPE = re.compile(
    r"image/[A-Za-z0-9!#$&^_.+-]{1,100}|application/octet-stream", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A form that takes one image of ``max_bytes`` at most, and the key under which it then is."""

    form: Form
    key: str
    expires_at: str
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A result that can be fetched until ``expires_at``."""

    url: str
    expires_at: str


class Transfer:
    """The buckets of one deployment, as callers of the API use them."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def offer(self, media_type: str | None) -> Upload:
        """Return a form for one image, of exactly this type or of any ``image/*``.

        :raises StorageFailed: it cannot be signed.
        """
        key = f"{INCOMING_PREFIX}{uuid.uuid4()}/image"
        max_bytes = self._settings.max_object_bytes
        # S3 refuses a form that lacks a field of the conditions, so the form begins with one.
        type_field = {"Content-Type": media_type or "image/*"}
        form = self._store.sign_post(
            ObjectRef(bucket=self._settings.input_bucket, key=key),
            seconds=_UPLOAD_SECONDS,
            fields=type_field,
            conditions=[
                ["content-length-range", 1, max_bytes],
                type_field if media_type else ["starts-with", "$Content-Type", "image/"],
            ],
        )
        return Upload(form=form, key=key, expires_at=_in(_UPLOAD_SECONDS), max_bytes=max_bytes)

    def origins(self) -> tuple[str, ...]:
        """Return the origins to which a page sends uploads and from which it gets results.

        :raises StorageFailed: they cannot be known, since nothing can be signed.
        """
        buckets = (self._settings.input_bucket, self._settings.result_bucket)
        urls = [
            self._store.sign_get(ObjectRef(bucket=bucket, key=RESULTS_PREFIX), seconds=1)
            for bucket in buckets
        ]
        found = {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls}
        return tuple(sorted(found))

    def fetch(self, key: str) -> bytes:
        """Return the bytes of an upload; ``key`` is from :func:`upload_key`.

        :raises InvalidImageKey: the upload is not complete.
        :raises ObjectTooLarge: the upload is larger than the deployment reads.
        :raises StorageFailed: S3 does not give it.
        """
        ref = ObjectRef(bucket=self._settings.input_bucket, key=key)
        found = self._store.find(ref)
        if found is None:
            raise InvalidImageKey(prefix=INCOMING_PREFIX)
        if found.size > self._settings.max_object_bytes:
            raise ObjectTooLarge(max_bytes=self._settings.max_object_bytes)
        try:
            return self._store.read(ref, found)
        except (ObjectGone, PreconditionFailed):
            raise InvalidImageKey(prefix=INCOMING_PREFIX) from None

    def keep(self, content: Content, name: str) -> Link:
        """Store a result under a key that cannot be guessed, for as long as its URL lives.

        :raises StorageFailed: it cannot be stored.
        """
        ref = ObjectRef(
            bucket=self._settings.result_bucket, key=f"{RESULTS_PREFIX}{uuid.uuid4()}/{name}"
        )
        # The key is new, so a conflict can only be our own write that S3 did not confirm.
        with suppress(PreconditionFailed):
            self._store.write(ref, content)
        seconds = self._settings.result_url_seconds
        return Link(url=self._store.sign_get(ref, seconds=seconds), expires_at=_in(seconds))


def upload_key(value: object) -> str:
    """Return the key that a field names.

    :raises InvalidImageKey: it cannot be the key of an upload.
    """
    # Without this the caller could read whatever the function can: a confused deputy.
    if not isinstance(value, str) or not value.startswith(INCOMING_PREFIX):
        raise InvalidImageKey(prefix=INCOMING_PREFIX)
    # S3 itself answers some paths that lead upwards with 400, which would count as our failure.
    if ".." in value.split("/"):
        raise InvalidImageKey(prefix=INCOMING_PREFIX)
    if len(value.encode(errors="replace")) > MAX_KEY_BYTES or not value.isprintable():
        raise InvalidImageKey(prefix=INCOMING_PREFIX)
    return value


def media_type_in(fields: Iterable[Field]) -> tuple[str | None, list[str]]:
    """Return the field ``content_type``, and the names of all others.

    :raises DuplicateOption: it is given twice.
    :raises InvalidOption: it is not the media type of an image.
    """
    given: list[object] = []
    others: list[str] = []
    for name, value in fields:
        if name.lower() != "content_type":
            others.append(name)
        else:
            given.append(value)
    if len(given) > 1:
        raise DuplicateOption(option="content_type")
    if not given or given[0] is None or given[0] == "":
        return None, others
    if not isinstance(given[0], str) or not MEDIA_TYPE.fullmatch(given[0]):
        raise InvalidOption(
            option="content_type", accepted="an image's media type, such as image/jpeg"
        )
    return given[0], others


def _in(seconds: int) -> str:
    """Return the time that is ``seconds`` from now, as RFC 3339 writes it."""
    then = datetime.now(UTC) + timedelta(seconds=seconds)
    return then.isoformat(timespec="seconds").replace("+00:00", "Z")
