"""A document that is the same for every caller → its reply: compressed, or 304 to who has it."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cutout.http.reply import Reply
from cutout.http.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Cacheable:
    """A document in both forms in which it is sent."""

    plain: bytes
    compressed: bytes

    @classmethod
    def of(cls, plain: bytes) -> "Cacheable":
        """Return the document and its gzip form, which has no time in it and so never differs."""
        return cls(plain=plain, compressed=gzip.compress(plain, mtime=0))

    def reply_to(self, request: Request, media_type: str, headers: Mapping[str, str]) -> Reply:
        """Return the document as ``request`` takes it, or 304 if the client has it already.

        ``headers`` are those of both replies.
        """
        is_compressed = request.takes_gzip()
        body = self.compressed if is_compressed else self.plain
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        both = {
            **headers,
            # Whoever has the document asks whether it has changed: a deployment can change it.
            "Cache-Control": "no-cache",
            "ETag": tag,
            "Vary": "Accept-Encoding",
        }
        if _names(request.headers.get("if-none-match", ""), tag):
            return Reply(status=304, headers=both)
        encoding = {"Content-Encoding": "gzip"} if is_compressed else {}
        return Reply(body=body, headers={**both, "Content-Type": media_type, **encoding})


def _names(condition: str, tag: str) -> bool:
    """Tell whether ``If-None-Match`` has this tag, compared as RFC 9110, 13.1.2 says."""
    tags = [one.strip().removeprefix("W/") for one in condition.split(",")]
    return tag in tags or tags == ["*"]
