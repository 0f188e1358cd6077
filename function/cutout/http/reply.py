"""What the API answers, as values: a result or an error → :class:`Reply`. Nothing is sent here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from urllib.parse import quote

import pybase64

from cutout.errors import CutoutError, MethodNotAllowed, envelope
from cutout.http.large_images import Link, Upload
from cutout.options import Channels, Options
from cutout.remover import Result

MAX_REPLY_BYTES = 6_291_556
"""Lambda's limit on a reply's JSON, as its runtime enforces it: 6 MiB and 100 bytes."""

# Beside the file a reply holds headers, of which X-Ignored-Params may have 1,000 bytes and the
# others about 1,500, and the names of its JSON.
_REPLY_RESERVE_BYTES = 8 * 1024

MAX_RESULT_BYTES = (MAX_REPLY_BYTES - _REPLY_RESERVE_BYTES) * 3 // 4
"""The largest file that a reply carries, by itself or in JSON: it is base64 in either."""

_MAX_IGNORED_NAMES, _MAX_IGNORED_BYTES = 20, 1_000  # the contract's


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: ``bytes`` are sent as they are, text as UTF-8."""

    status: int = 200
    body: bytes | str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(
    document: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return ``document`` as a reply."""
    return Reply(
        status=status,
        body=json.dumps(document),
        headers={**(headers or {}), "Content-Type": "application/json"},
    )


def error_reply(error: CutoutError, request_id: str) -> Reply:
    """Return the error's envelope with its status."""
    headers = {"Allow": error.detail} if isinstance(error, MethodNotAllowed) else {}
    return json_reply(envelope(error, request_id), status=error.status, headers=headers)


def image_reply(result: Result, options: Options, ignored: Sequence[str]) -> Reply:
    """Return the image's bytes, with what was found in the headers."""
    headers = {
        "Content-Type": result.file.media_type,
        "Content-Disposition": disposition(result, options),
    }
    return Reply(body=result.file.body, headers=headers | facts(result) | ignored_header(ignored))


def document_reply(result: Result, ignored: Sequence[str], request_id: str) -> Reply:
    """Return the image inside JSON."""
    image = pybase64.b64encode_as_string(result.file.body)
    document = {"image_base64": image, **_described(result), "request_id": request_id}
    return json_reply(document, headers=facts(result) | ignored_header(ignored))


def mask_reply(result: Result, ignored: Sequence[str]) -> Reply:
    """Return the matte as BackgroundErase answers JSON requests for a mask."""
    file = result.file
    mask = pybase64.b64encode_as_string(file.body)
    document = {"mask": mask, "width": file.width, "height": file.height}
    return json_reply(document, headers=facts(result) | ignored_header(ignored))


def link_reply(
    result: Result, link: Link, ignored: Sequence[str], request_id: str, *, redirects: bool
) -> Reply:
    """Return where the image is; ``redirects`` sends the client there at once."""
    where = {"url": link.url, "expires_at": link.expires_at}
    document = {**where, **_described(result), "request_id": request_id}
    headers = facts(result) | ignored_header(ignored)
    if redirects:
        # 303 and no other: whatever the request was, the image is fetched with GET.
        return json_reply(document, status=303, headers=headers | {"Location": link.url})
    return json_reply(document, headers=headers)


def upload_reply(upload: Upload, ignored: Sequence[str], request_id: str) -> Reply:
    """Return the form of an upload."""
    document = {
        "upload": {"url": upload.form.url, "fields": dict(upload.form.fields)},
        "image_key": upload.key,
        "expires_at": upload.expires_at,
        "max_bytes": upload.max_bytes,
        "request_id": request_id,
    }
    return json_reply(document, headers=ignored_header(ignored))


def file_name(result: Result, options: Options) -> str:
    """Return what a result is called where it is a file."""
    name = "matte" if options.channels is Channels.ALPHA else "cutout"
    return f"{name}.{result.file.format}"


def disposition(result: Result, options: Options) -> str:
    """Return the header that gives a result its name."""
    return f'inline; filename="{file_name(result, options)}"'


def _described(result: Result) -> dict[str, object]:
    """Return what a JSON reply says of the image, wherever the image itself is."""
    file = result.file
    return {
        "format": file.format.value,
        "width": file.width,
        "height": file.height,
        "foreground": asdict(result.report.subject),
        "coverage": round(result.report.coverage, 4),
        "confidence": round(result.report.confidence, 2),
    }


def facts(result: Result) -> dict[str, str]:
    """Return the headers that tell what was found and done."""
    report = result.report
    scale = {"X-Result-Scale": f"{result.scale:.4f}"} if result.scale < 1 else {}
    return {
        **scale,
        "X-Width": str(result.file.width),
        "X-Height": str(result.file.height),
        "X-Foreground-Top": str(report.subject.top),
        "X-Foreground-Left": str(report.subject.left),
        "X-Foreground-Width": str(report.subject.width),
        "X-Foreground-Height": str(report.subject.height),
        "X-Foreground-Coverage": f"{report.coverage:.4f}",
        "X-Matte-Confidence": f"{report.confidence:.2f}",
        "X-Model": report.model,
        "Server-Timing": ", ".join(
            f"{stage};dur={elapsed_ms:.1f}" for stage, elapsed_ms in report.stage_ms.items()
        ),
    }


def ignored_header(names: Sequence[str]) -> dict[str, str]:
    """Return the header that lists the fields that no option has, within its two limits."""
    if not names:
        return {}
    listed: list[str] = []
    for name in names[:_MAX_IGNORED_NAMES]:
        # quote() leaves "~" as it is; a JSON string may hold half a surrogate pair.
        encoded = quote(name, safe="", errors="surrogatepass").replace("~", "%7E")
        if sum(map(len, listed)) + len(listed) + len(encoded) > _MAX_IGNORED_BYTES:
            break
        listed.append(encoded)
    if len(listed) < len(names):
        listed.append(f"...+{len(names) - len(listed)}")
    return {"X-Ignored-Params": ",".join(listed)}
