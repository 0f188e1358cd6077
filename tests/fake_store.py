"""S3 in memory: what the worker counts on, with a hook before and after each call."""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from cutout.store import Content, ObjectGone, ObjectRef, PreconditionFailed, Store, Stored

Hook = Callable[[str, str], None]
"""Called with the method's name and the bucket's; what it raises is the call's answer."""


def nothing(_method: str, _bucket: str) -> None:
    """Do nothing, as the hook of a store that no test disturbs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One object."""

    body: bytes
    stored: Stored


@dataclass(slots=True, kw_only=True)
class Bucket:
    """One bucket; in one with versions every upload has a name of its own."""

    versioned: bool = False
    objects: dict[str, Held] = field(default_factory=dict)


class FakeStore(Store):
    """Strongly consistent, like S3: each call takes effect at one moment, and all see it then."""

    def __init__(self, buckets: dict[str, Bucket]) -> None:
        super().__init__()
        self.buckets = buckets
        self.before: Hook = nothing
        self.after: Hook = nothing
        self._versions = itertools.count(1)

    def put(self, ref: ObjectRef, body: bytes, **metadata: str) -> Stored:
        """Upload an object, as somebody else than the worker; no hook is called."""
        bucket = self.buckets[ref.bucket]
        stored = Stored(
            etag=hashlib.md5(body, usedforsecurity=False).hexdigest(),
            size=len(body),
            version_id=f"v{next(self._versions)}" if bucket.versioned else None,
            metadata=metadata,
        )
        bucket.objects[ref.key] = Held(body=body, stored=stored)
        return stored

    def find(self, ref: ObjectRef) -> Stored | None:
        try:
            self.before("find", ref.bucket)
        except ObjectGone:
            return None
        kept = self.buckets[ref.bucket].objects.get(ref.key)
        self.after("find", ref.bucket)
        return None if kept is None else kept.stored

    def read(self, ref: ObjectRef, found: Stored) -> bytes:
        self.before("read", ref.bucket)
        kept = self.buckets[ref.bucket].objects.get(ref.key)
        if kept is None:
            raise ObjectGone
        if kept.stored != found:
            raise PreconditionFailed
        self.after("read", ref.bucket)
        return kept.body

    def write(self, ref: ObjectRef, content: Content, *, replaces: str | None = None) -> None:
        self.before("write", ref.bucket)
        kept = self.buckets[ref.bucket].objects.get(ref.key)
        if replaces is not None and kept is None:
            raise ObjectGone
        if replaces != (kept.stored.etag if kept else None):
            raise PreconditionFailed
        self.put(ref, content.body, **content.metadata)
        self.after("write", ref.bucket)

    def remove(self, ref: ObjectRef, etag: str) -> None:
        self.before("remove", ref.bucket)
        objects = self.buckets[ref.bucket].objects
        if ref.key in objects and objects[ref.key].stored.etag == etag:
            del objects[ref.key]
        self.after("remove", ref.bucket)

    def keys_under(self, bucket: str, prefix: str) -> set[str] | None:
        self.before("list", bucket)
        keys = {key for key in self.buckets[bucket].objects if key.startswith(prefix)}
        self.after("list", bucket)
        return keys
