"""An S3 source → the keys of its result, and the stamp on it: names only, nothing is read here."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from cutout.options import Channels, Format, Options
from cutout.settings import Settings

ERROR = "error.json"
"""The extension of the file that a caller's fault leaves."""

_EXTENSIONS = (*(name.value for name in Format if name is not Format.AUTO), ERROR)
_MAX_KEY_BYTES = 1_024  # S3's limit, of UTF-8
_DIGEST_DIGITS = 16
_MAX_VALUE_BYTES = 500  # S3 takes 2 KB of metadata in all, and three values can be long


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the results of one source go: one file, whose extension is the result's.

    ``source`` names the source in metadata.
    """

    bucket: str
    prefix: str
    stem: str
    full_key: str
    source: str

    @classmethod
    def of(cls, bucket: str, key: str, settings: Settings) -> "Place":
        """Return the place of an object's results.

        It is that of the key below the upload prefix, or of a catalogue bucket's name and key.
        """
        if bucket == settings.input_bucket and key.startswith(settings.upload_prefix):
            stem = key.removeprefix(settings.upload_prefix)
        else:
            stem = f"{bucket}/{key}"
        return cls(
            bucket=settings.result_bucket,
            prefix=settings.target_prefix,
            stem=stem,
            full_key=key,
            source=_short(quote(f"{bucket}/{key}", safe="/")),
        )

    def key(self, extension: str) -> str:
        """Return the key of the result with this extension, cut where S3 would not take it."""
        key = f"{self.prefix}{self.stem}.{extension}"
        if len(key.encode()) <= _MAX_KEY_BYTES:
            return key
        digest = hashlib.sha256(self.full_key.encode()).hexdigest()[:_DIGEST_DIGITS]
        end = f"~{digest}.{extension}"
        room = _MAX_KEY_BYTES - len(self.prefix.encode()) - len(end)
        kept = self.stem.encode()[:room].decode(errors="ignore")  # never half a character
        return f"{self.prefix}{kept}{end}"

    def all_keys(self) -> list[str]:
        """Return every key that a result of the source can have."""
        return [self.key(extension) for extension in _EXTENSIONS]

    def common(self) -> str:
        """Return what all these keys begin with."""
        keys = self.all_keys()
        return "".join(signs[0] for signs in _while_equal(zip(*keys, strict=False)))

    def expected(self, options: Options | None) -> list[str]:
        """Return the keys that a result with these options can have; ``None`` for bad options."""
        if options is None:
            extensions: tuple[str, ...] = ()
        elif options.channels is Channels.ALPHA:
            extensions = (Format.PNG,)
        elif options.format is Format.AUTO:
            extensions = (Format.PNG, Format.JPG)
        else:
            extensions = (options.format,)
        return [self.key(extension) for extension in (*extensions, ERROR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a result was made of: the version of the source, and the options as they were given."""

    source: str
    etag: str
    version_id: str = ""
    options: str = ""

    def metadata(self, **more: str) -> dict[str, str]:
        """Return the stamp as S3 metadata, with ``more`` that has no part in a comparison."""
        values = {
            "source": self.source,
            "source-etag": self.etag,
            "source-version": self.version_id,
            "options": self.options,
            **more,
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> "Stamp | None":
        """Return the stamp in S3 metadata, ``None`` where there is none."""
        if not metadata.get("source") or not metadata.get("source-etag"):
            return None
        return cls(
            source=metadata["source"],
            etag=metadata["source-etag"],
            version_id=metadata.get("source-version", ""),
            options=metadata.get("options", ""),
        )

    def same_version(self, other: "Stamp | None") -> bool:
        """Tell whether both are of the same version of the same source."""
        return other is not None and (self.source, self.etag, self.version_id) == (
            other.source,
            other.etag,
            other.version_id,
        )


def fingerprint(fields: Iterable[tuple[str, str]]) -> str:
    """Return options as metadata: in one order, ASCII, and a digest where they are long."""
    return _short(urlencode(sorted(fields), errors="backslashreplace"))


def _short(text: str) -> str:
    if len(text) <= _MAX_VALUE_BYTES:
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _while_equal(columns: Iterator[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    for signs in columns:
        if len(set(signs)) > 1:
            return
        yield signs
