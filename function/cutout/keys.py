"""The API keys that the function accepts: fixed ones, or a list in SSM that is read at run time.

A list in SSM takes effect without a deployment: a key that is taken out of it is refused after
:data:`FRESH_SECONDS` at the latest, in every running environment.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

from cutout.errors import KeysUnavailable

FRESH_SECONDS = 60
"""How long a list is used before it is read again."""

KEPT_SECONDS = 600
"""How old a list may become while SSM does not answer; after that nobody is let in."""

RETRY_SECONDS = 5
"""How long SSM is left alone after it failed, so that not every request waits for it."""

_TIMEOUT_S = 2
_ATTEMPTS = 2


class Keys:
    """The accepted keys of one deployment."""

    def __init__(
        self,
        digests: frozenset[str] = frozenset(),
        read: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Accept ``digests``, and those in the text that ``read`` returns.

        Digests are SHA-256 in lower-case hex; the text holds them with commas or spaces between
        them. ``clock`` tells seconds. It is the wall clock, because others may stop while Lambda
        freezes an environment.
        """
        self._fixed = digests
        self._read = read
        self._clock = clock
        self._list: tuple[float, frozenset[str]] | None = None  # when it was read, and what it held
        self._failed_at: float | None = None

    def accept(self, key: str) -> bool:
        """Tell whether a key is accepted; a fixed one is, even if the list cannot be read.

        A request without a key has the empty one. It is never accepted, not even if its digest is
        in the list, as it is when somebody takes the digest of a variable that is not set.

        :raises KeysUnavailable: the list is needed and cannot be read, and none is known that is
            recent enough.
        """
        digest = digest_of(key)
        is_accepted = _is_among(digest, self._fixed) or _is_among(digest, self._listed())
        return is_accepted and bool(key)

    def _listed(self) -> frozenset[str]:
        """Return the digests of the list, read again where they are old."""
        if self._read is None:
            return frozenset()
        if self._list is not None and self._is_within(FRESH_SECONDS, self._list[0]):
            return self._list[1]
        reason = "it failed a moment ago"
        if self._failed_at is None or not self._is_within(RETRY_SECONDS, self._failed_at):
            try:
                digests = frozenset(self._read().lower().replace(",", " ").split())
            except KeysUnavailable as error:
                self._failed_at = self._clock()
                reason = str(error.facts.get("reason", ""))
            else:
                self._list, self._failed_at = (self._clock(), digests), None
                return digests
        if self._list is not None and self._is_within(KEPT_SECONDS, self._list[0]):
            return self._list[1]
        raise KeysUnavailable(reason=reason)

    def _is_within(self, seconds: float, since: float) -> bool:
        # A clock that was set back says nothing about the age.
        return 0 <= self._clock() - since < seconds


def _is_among(digest: str, accepted: frozenset[str]) -> bool:
    """Compare with every digest, so that the time does not tell which one came close."""
    # People type these lists, and compare_digest takes text only if it is ASCII. So bytes are
    # compared.
    matches = [hmac.compare_digest(digest.encode(), known.encode()) for known in accepted]
    return any(matches)


def digest_of(key: str) -> str:
    """Return the SHA-256 of a key in lower-case hex."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


class KeyList:
    """The value of one SSM parameter, of the type String, StringList or SecureString."""

    def __init__(self, name: str) -> None:
        """Name the parameter; nothing connects before the first call."""
        self._name = name
        self._client: Any = None

    def __call__(self) -> str:
        """Return the value.

        :raises KeysUnavailable: SSM refuses or does not answer; the reason is in its facts.
        """
        import boto3  # noqa: PLC0415 - 0.3 s that a deployment without the list does not spend
        from botocore.config import Config  # noqa: PLC0415 - the same
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - the same

        try:
            if self._client is None:
                config = Config(
                    connect_timeout=_TIMEOUT_S,
                    read_timeout=_TIMEOUT_S,
                    retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                )
                self._client = boto3.session.Session().client("ssm", config=config)
            answer = self._client.get_parameter(Name=self._name, WithDecryption=True)
        except ClientError as error:
            raise KeysUnavailable(reason=str(error.response["Error"].get("Code"))) from error
        except (BotoCoreError, OSError) as error:
            raise KeysUnavailable(reason=type(error).__name__) from error
        value: str = answer["Parameter"]["Value"]
        return value
