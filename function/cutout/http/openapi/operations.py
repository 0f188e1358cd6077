"""What each route takes and answers: one row for each route."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cutout.http.headers import CACHEABLE, CHARGES, EVERY_REPLY, PAGE, RESULT_FACTS
from cutout.http.openapi.refusals import (
    GENERAL_CODES,
    REMOVAL_CODES,
    REMOVEBG_CODES,
    refusals,
    removebg_refusals,
)
from cutout.http.openapi.replies import header_references

_KEY_CODES = GENERAL_CODES | {"invalid_api_key"}
_REMOVEBG_KEY_CODES = GENERAL_CODES | {"auth_failed"}
_UPLOAD_CODES = _KEY_CODES | {
    "duplicate_option",
    "invalid_content_type",
    "invalid_base64",
    "invalid_form",
    "invalid_json",
    "invalid_multipart",
    "payload_too_large",
    "storage_disabled",
    "unsupported_media_type",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row. ``options`` names the schema of the body whose options may be in the query too.

    ``keys`` are the ways in which a keyed route takes its key, any of which is enough.
    """

    name: str
    tag: str
    summary: str
    description: str
    replies: Mapping[str, Any]
    body: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[Mapping[str, Any], ...] = ()
    options: str = ""
    keys: tuple[str, ...] = ("ApiKey",)


def _schema(*names: str) -> dict[str, Any]:
    """Return what refers to one schema, or to any of several."""
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return {"schema": references[0] if len(references) == 1 else {"anyOf": references}}


def _reply(
    description: str, content: Mapping[str, Any] | None = None, headers: tuple[str, ...] = ()
) -> dict[str, Any]:
    reply = {
        "description": description,
        "headers": header_references((*EVERY_REPLY, "Cache-Control", *headers)),
    }
    return reply | ({"content": content} if content else {})


def _json(description: str, name: str, *headers: str) -> dict[str, Any]:
    return _reply(description, {"application/json": _schema(name)}, headers)


def _cacheable(  # noqa: PLR0913 - the parts of a row, by name
    *, path: str, name: str, tag: str, summary: str, description: str, what: str
) -> dict[tuple[str, str], Operation]:
    """Return the rows of a document that is the same for everybody, under GET and HEAD."""
    headers = PAGE if tag == "Pages" else CACHEABLE
    media_type = "text/html; charset=utf-8" if tag == "Pages" else "application/json"
    schema = {"type": "string"} if tag == "Pages" else _DOCUMENT
    return {
        (method, path): Operation(
            name=f"{verb}{name}",
            tag=tag,
            summary=told,
            description=description,
            replies={
                "200": _reply(what, content, (*headers, "Content-Encoding")),
                "304": _reply("Unchanged since If-None-Match.", headers=headers),
                **refusals(GENERAL_CODES),
            },
        )
        for method, verb, told, content in (
            ("GET", "show", summary, {media_type: {"schema": schema}}),
            ("HEAD", "head", "As GET, without a body.", None),
        )
    }


def _page(name: str, path: str, summary: str) -> dict[tuple[str, str], Operation]:
    """Return the rows of a page for people."""
    return _cacheable(
        path=path,
        name=name,
        tag="Pages",
        summary=summary,
        description="Needs no key. The page loads nothing from elsewhere.",
        what="The page.",
    )


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {"image/*": _BINARY, "application/octet-stream": _BINARY}
# Some generators know images only as application/octet-stream, and would read JSON into them.
_IMAGES = {"application/octet-stream": _BINARY, "image/*": _BINARY, "application/zip": _BINARY}
_DOCUMENT = {"type": "object", "required": ["openapi", "info", "paths"]}
_RESULT = (*RESULT_FACTS, "Content-Disposition", "X-Ignored-Params", "X-Result-Scale")
_RAN_DEEPLY = GENERAL_CODES | {"duplicate_option", "invalid_deep", "model_unavailable"}
_DEEP = {
    "name": "deep",
    "in": "query",
    "description": "true: runs the model, at most once in ten seconds.",
    "schema": {"type": "boolean"},
}


def _bodies(name: str) -> dict[str, Any]:
    return {
        "multipart/form-data": _schema(f"{name}Form"),
        "application/json": _schema(f"{name}Json"),
        "application/x-www-form-urlencoded": _schema(f"{name}Urlencoded"),
        **_FILES,
    }


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("POST", "/v2"): Operation(
        name="removeBackground",
        tag="Cutout",
        summary="Removes the background of one image.",
        description="Options are in the body or in the query string, each of them once. The reply "
        "is the image. It is JSON where Accept names application/json and neither an image nor "
        "*/*, and for channels=alpha in a JSON request whose Accept names no image. The field "
        "image, in JSON or a form that is not multipart, is that of BackgroundErase's first "
        "clients: it holds an image in base64, and the reply is the mask as JSON. No schema has "
        "it, so that generated clients offer image_base64 only.",
        options="RemovalUrlencoded",
        body={"required": True, "content": _bodies("Removal")},
        replies={
            "200": _reply(
                "The cutout, or the link to it: with response=url, and with response=auto where "
                "the reply is JSON and cannot carry the cutout. The image's Content-Type is its "
                "own, such as image/png.",
                {**_IMAGES, "application/json": _schema("Cutout", "Mask", "Link")},
                _RESULT,
            ),
            "303": _json(
                "The cutout is too large for a reply, and is at Location.",
                "Link",
                "Location",
                "X-Ignored-Params",
                *RESULT_FACTS,
            ),
            **refusals(REMOVAL_CODES),
        },
    ),
    ("POST", "/v2/uploads"): Operation(
        name="makeUpload",
        tag="Cutout",
        summary="Gives a form that takes an image too large for a request.",
        description="Send the image to upload.url as multipart/form-data, with the fields of "
        "upload.fields before the file. Then give its image_key to POST /v2.",
        body={"required": False, "content": {"application/json": _schema("UploadRequest")}},
        replies={
            "200": _json("The form and the image_key.", "Upload", "X-Ignored-Params"),
            **refusals(_UPLOAD_CODES),
        },
    ),
    ("GET", "/v2/account"): Operation(
        name="showAccount",
        tag="Service",
        summary="Tests the API key, and tells the deployment's limits.",
        description="Clients call it to test their key.",
        replies={"200": _json("The key is valid.", "Account"), **refusals(_KEY_CODES)},
    ),
    ("GET", "/v2/health"): Operation(
        name="showHealth",
        tag="Service",
        summary="Tells the version and the model.",
        description="Needs no key. With deep=1 it is 503 where the model does not work.",
        parameters=(_DEEP,),
        replies={"200": _json("The service answers.", "Health"), **refusals(_RAN_DEEPLY)},
    ),
    ("HEAD", "/v2/health"): Operation(
        name="headHealth",
        tag="Service",
        summary="Tells that the service answers.",
        description="As GET, without a body.",
        parameters=(_DEEP,),
        replies={"200": _reply("The service answers."), **refusals(_RAN_DEEPLY)},
    ),
    ("POST", "/v1.0/removebg"): Operation(
        name="removebg",
        tag="remove.bg",
        keys=("ApiKey", "Bearer"),
        summary="Removes the background of one image, for clients of remove.bg.",
        description="Field names, defaults, headers and errors are those of remove.bg. The result "
        "is always in the reply, scaled down where it would not fit.",
        options="RemoveBgUrlencoded",
        body={"required": True, "content": _bodies("RemoveBg")},
        replies={
            "200": _reply(
                "The cutout. The image's Content-Type is its own, such as image/png.",
                {**_IMAGES, "application/json": _schema("RemoveBgCutout")},
                (*_RESULT, *CHARGES, "X-Type"),
            ),
            **removebg_refusals(REMOVEBG_CODES),
        },
    ),
    ("GET", "/v1.0/account"): Operation(
        name="showCredits",
        tag="remove.bg",
        keys=("ApiKey", "Bearer"),
        summary="Tells that there are credits left, for clients of remove.bg.",
        description="Nothing is counted: the numbers are always the same.",
        replies={
            "200": _json("The account.", "RemoveBgAccount", *CHARGES[1:]),
            **removebg_refusals(_REMOVEBG_KEY_CODES),
        },
    ),
    **_cacheable(
        path="/openapi.json",
        name="OpenApi",
        tag="Service",
        summary="Returns this document.",
        description="Needs no key.",
        what="The document.",
    ),
    **_page("Playground", "/", "Shows a page on which the service can be tried."),
    **_page("Reference", "/docs", "Shows this document as a page."),
}
"""Method and path → what is told of them."""
