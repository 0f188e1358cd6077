"""boto3's S3 client: how long it waits, and its exceptions turned into this package's.

boto3 is imported when it is first used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cutout.errors import StorageFailed
from cutout.store.values import ObjectGone, PreconditionFailed

_CONNECT_TIMEOUT_S = 2  # S3 in the same region accepts a connection within a few milliseconds

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


@contextmanager
def mapped(call: str, *, gone: bool = True) -> Iterator[None]:
    """Turn botocore's exceptions into this module's; ``gone``: a 404 means a missing object.

    A failure has no cause: botocore's text can name the object, and the log would show it beside
    the traceback. Keys can name persons, and a key that a caller sent is not logged.

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
        raise StorageFailed(call=call, reason=code or "no code") from None
    except (BotoCoreError, OSError) as error:
        raise StorageFailed(call=call, reason=type(error).__name__) from None
