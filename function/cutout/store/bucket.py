"""The objects of a bucket: find, read, write, remove, list, presign."""

from collections.abc import Mapping
from typing import Any

from cutout.errors import StorageFailed
from cutout.store.client import LONG, Patience, connect, mapped
from cutout.store.values import Content, Form, ObjectGone, ObjectRef, PreconditionFailed, Stored

_PAGE_KEYS = 1_000  # the most keys that S3 lists at once


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
        """Return what S3 says about an object, or ``None`` if it does not exist.

        :raises StorageFailed: S3 does not answer, or refuses to.
        """
        try:
            with mapped("HeadObject"):
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
                with mapped("GetObject"):
                    return bytes(body.read())
            except StorageFailed:  # botocore repeats a call, but not a body that breaks off
                if retries == 0:
                    raise
                retries -= 1

    def _open(self, ref: ObjectRef, found: Stored) -> Any:
        with mapped("GetObject"):
            answer = self._client.get_object(**_named(ref))
        body = answer["Body"]
        if _stored(answer) != found:
            body.close()
            raise PreconditionFailed
        return body

    def write(self, ref: ObjectRef, content: Content, *, replaces: str | None = None) -> None:
        """Write an object in place of the one with the ETag ``replaces``, or at an unused key.

        :raises ObjectGone: the object that it should replace was deleted; nothing was written.
        :raises PreconditionFailed: something else is there; nothing was written.
        :raises StorageFailed: S3 does not confirm the write, which may still have happened.
        """
        optional = {"ContentDisposition": content.disposition} if content.disposition else {}
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": _quoted(replaces)}
        with mapped("PutObject"):
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
            with mapped("DeleteObject"):
                self._client.delete_object(**_named(ref), IfMatch=_quoted(etag))
        except (ObjectGone, PreconditionFailed):
            return

    def keys_under(self, bucket: str, prefix: str) -> set[str] | None:
        """Return the keys that begin with ``prefix``, or ``None`` if they are more than one page.

        :raises StorageFailed: S3 does not answer, or refuses to.
        """
        with mapped("ListObjectsV2", gone=False):
            page = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_PAGE_KEYS)
        keys = {entry["Key"] for entry in page.get("Contents", ())}
        return None if page["IsTruncated"] else keys

    def sign_get(self, ref: ObjectRef, *, seconds: int) -> str:
        """Return a URL with which anybody can fetch the object during this many ``seconds``.

        :raises StorageFailed: there are no credentials.
        """
        with mapped("sign"):
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
        with mapped("sign"):
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
