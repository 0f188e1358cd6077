"""An S3 source → the keys that its result can have, and the stamp on it. Nothing is read here."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from urllib.parse import quote, urlencode

from cutout import __version__
from cutout.errors import CutoutError, UnsupportedImageFormat
from cutout.options import FORMATS_OUT, Channels, Format, Options
from cutout.settings import Settings
from cutout.store import MAX_KEY_BYTES, ObjectRef, Stored

ERROR = "error.json"
"""The extension of the file that says what is wrong with a caller's image or options."""

_EXTENSIONS = (*FORMATS_OUT, ERROR)
_DIGEST_DIGITS = 16  # of a SHA-256 in hex, as the contract says of a key's (section 8)
_MAX_VALUE_BYTES = 500  # S3 accepts 2 KB of metadata altogether, and three values can be long


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the one result of a source goes; only the extension depends on the result.

    ``source`` is how the metadata of a result names the source.
    """

    bucket: str
    prefix: str
    stem: str
    full_key: str
    source: str

    @classmethod
    def of(cls, source: ObjectRef, settings: Settings) -> "Place":
        """Return the place of a source's results.

        An upload's results are named after its key below the upload prefix, those of an object in a
        catalogue bucket after the bucket and the key.
        """
        full_name = f"{source.bucket}/{source.key}"
        if settings.is_upload(source.bucket, source.key):
            stem = source.key.removeprefix(settings.upload_prefix)
        else:
            stem = full_name
        return cls(
            bucket=settings.result_bucket,
            prefix=settings.target_prefix,
            stem=stem,
            full_key=source.key,
            source=_short(quote(full_name, safe="/")),
        )

    def key(self, extension: str) -> str:
        """Return the key of the result with this extension, shortened if it is too long for S3."""
        key = f"{self.prefix}{self.stem}.{extension}"
        if len(key.encode()) <= MAX_KEY_BYTES:
            return key
        end = f"~{digest(self.full_key)}.{extension}"
        room = MAX_KEY_BYTES - len(self.prefix.encode()) - len(end)
        kept = self.stem.encode()[:room].decode(errors="ignore")  # never half a character
        return f"{self.prefix}{kept}{end}"

    def all_keys(self) -> list[str]:
        """Return every key that a result of the source can have."""
        return [self.key(extension) for extension in _EXTENSIONS]

    def common(self) -> str:
        """Return the longest prefix that all these keys share."""
        columns = zip(*self.all_keys(), strict=False)
        return "".join(signs[0] for signs in takewhile(lambda signs: len(set(signs)) == 1, columns))

    def expected(self, options: Options | CutoutError) -> list[str]:
        """Return the keys that a result with these options can have; an error has its file only."""
        if isinstance(options, CutoutError):
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
    """What a result was made of: a version of the source, and the options as they were given."""

    source: str
    etag: str
    version_id: str = ""
    options: str = ""

    @classmethod
    def of(cls, place: Place, source: Stored, options: str = "") -> "Stamp":
        """Return the stamp for a result of this version of a source."""
        return cls(
            source=place.source,
            etag=source.etag,
            version_id=source.version_id or "",
            options=options,
        )

    def metadata(self, **more: str) -> dict[str, str]:
        """Return the stamp as S3 metadata; ``more`` is added and never read as part of a stamp."""
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
        """Return the stamp in S3 metadata, or ``None`` if it has none."""
        if not metadata.get("source") or not metadata.get("source-etag"):
            return None
        return cls(
            source=metadata["source"],
            etag=metadata["source-etag"],
            version_id=metadata.get("source-version", ""),
            options=metadata.get("options", ""),
        )

    def same_version(self, other: "Stamp") -> bool:
        """Tell whether both are of the same version of the same source, whatever the options."""
        return replace(self, options="") == replace(other, options="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The files at the keys that a source's result can have; somebody else's may be among them."""

    place: Place
    files: Mapping[str, Stored]

    @property
    def own(self) -> dict[str, Stamp]:
        """The stamps of those files that are results of the source."""
        return {key: stamp for key, stamp in self._stamps() if stamp.source == self.place.source}

    def another_source_has(self, keys: Iterable[str]) -> bool:
        """Tell whether one of these keys has the result of another source."""
        others = {key for key, stamp in self._stamps() if stamp.source != self.place.source}
        return not others.isdisjoint(keys)

    def _stamps(self) -> Iterator[tuple[str, Stamp]]:
        for key, stored in self.files.items():
            stamp = Stamp.read(stored.metadata)
            if stamp is not None:
                yield key, stamp


def digest(text: str) -> str:
    """Return the first 16 hex digits of the SHA-256 of ``text`` in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]


def fingerprint(fields: Iterable[tuple[str, str]]) -> str:
    """Return options as ASCII text, sorted by name; long ones as a digest."""
    return _short(urlencode(sorted(fields), errors="backslashreplace"))


def accepted_by(settings: Settings) -> str:
    """Return what a deployment accepts, as ASCII text: while it is equal, a refusal is right."""
    pixels = f"max_pixels={settings.max_pixels} memory_pixels={settings.memory_pixels}"
    limits = f"{pixels} max_object_bytes={settings.max_object_bytes}"
    models, formats = ", ".join(settings.model_names), UnsupportedImageFormat.accepted
    return _short(f"{__version__}: {limits} {models}; {formats}")


def _short(text: str) -> str:
    if len(text) <= _MAX_VALUE_BYTES:
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
