"""S3: read, write, remove, presign. It imports boto3 when it is first used.

It knows about objects, not about images. Every call ends in one of four ways: an answer,
:class:`ObjectGone`, :class:`PreconditionFailed`, or :class:`~cutout.errors.StorageFailed`, which
counts as our fault and may pass. ``values`` are the types, ``client`` is boto3's, and ``bucket``
has the calls.
"""

from cutout.store.bucket import Store
from cutout.store.client import BRIEF, LONG, Patience
from cutout.store.values import (
    MAX_KEY_BYTES,
    Content,
    Form,
    ObjectGone,
    ObjectRef,
    PreconditionFailed,
    Stored,
)

__all__ = [
    "BRIEF",
    "LONG",
    "MAX_KEY_BYTES",
    "Content",
    "Form",
    "ObjectGone",
    "ObjectRef",
    "Patience",
    "PreconditionFailed",
    "Store",
    "Stored",
]
