"""The OpenAPI 3.1 document: options table + error tree + routes → one JSON document."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_type_hints

from cutout.errors import CutoutError, InvalidOption
from cutout.http import removebg
from cutout.http.operations import ANSWERED_BY_GATEWAY, OPERATIONS, SCHEMAS, Operation
from cutout.options import OPTIONS, Option, Options

Document = dict[str, Any]

_IMAGE = {"type": "string", "format": "binary", "description": "The image's file."}
_SOURCES: Mapping[str, Document] = {
    "image_base64": {"type": "string", "description": "The image as base64, or as a data: URL."},
    "image_url": {
        "type": "string",
        "description": "Where the image is, if this deployment fetches URLs.",
    },
    "image_key": {"type": "string", "description": "The image_key that POST /v2/uploads answered."},
}


def document(
    routes: Iterable[tuple[str, str, bool]], *, defaults: Options, version: str, base_path: str
) -> Document:
    """Return the description of an API with these routes: method, path, and whether it has a key.

    ``defaults`` are what a request to ``POST /v2`` gets that says nothing; ``base_path`` is what
    stands before the paths, such as a stage.

    :raises KeyError: a route has no operation.
    """
    paths: dict[str, Document] = {}
    for method, path, keyed in routes:
        operation = _operation(OPERATIONS[method, path], keyed=keyed)
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cutout",
            "version": version,
            "description": "Removes the background of images.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_path or "/"}],
        "paths": paths,
        "components": {
            "schemas": {
                **SCHEMAS,
                **_option_schemas(defaults),
                **_removebg_schemas(),
                "Error": _error_schema(),
            },
            "securitySchemes": {
                "ApiKey": {"type": "apiKey", "name": "x-api-key", "in": "header"},
            },
        },
    }


def option_schema(option: Option, defaults: Options) -> Document:
    """Return the JSON Schema of an option's value, with its default where it has one."""
    kind = get_type_hints(Options)[option.name]
    kinds = [one for one in get_args(kind) if one is not type(None)]
    kind = kinds[0] if isinstance(kind, UnionType) else kind
    schema: Document = {"type": "string"}
    if issubclass(kind, StrEnum):
        schema["enum"] = [value.value for value in kind]
    elif kind in {bool, int}:
        schema["type"] = "boolean" if kind is bool else "integer"
    elif kind is bytes:
        schema["format"] = "binary"
    schema["description"] = f"{option.summary} Accepted: {option.accepted}."
    default = getattr(defaults, option.name)
    if default is not None:
        schema["default"] = default.value if isinstance(default, StrEnum) else default
    return schema


def _option_schemas(defaults: Options) -> dict[str, Document]:
    """Return the schemas of the bodies that carry options: a form with files, and JSON."""
    schemas = {option.name: option_schema(option, defaults) for option in OPTIONS}
    text = {name: one for name, one in schemas.items() if one.get("format") != "binary"}
    return {
        "Form": {"type": "object", "properties": {"image_file": _IMAGE, **_SOURCES, **schemas}},
        "Fields": {"type": "object", "properties": {**_SOURCES, **text}},
    }


def _removebg_schemas() -> dict[str, Document]:
    """Return the same for remove.bg's route: its defaults, and the fields that only it has."""
    schemas = _option_schemas(removebg.DEFAULTS)
    for schema in schemas.values():
        fields = schema["properties"]
        del fields["response"]
        fields["image_file_b64"] = fields.pop("image_base64")
        fields["add_shadow"] = {"type": "boolean", "description": "true: shadow_type=drop."}
        fields["api_key"] = {"type": "string", "description": "The key, if in no header."}
        for name, words in removebg.IGNORED_WORDS.items():
            told = "Accepted, and without effect."
            fields[name] = {"type": "string", "enum": list(words), "description": told}
    return {f"RemoveBg{name}": schema for name, schema in schemas.items()}


def _operation(operation: Operation, *, keyed: bool) -> Document:
    """Return one method of one path."""
    told: Document = {"operationId": operation.name, "summary": operation.summary}
    if operation.body:
        told["requestBody"] = operation.body
    told["security"] = [{"ApiKey": []}] if keyed else []
    told["responses"] = {
        **operation.replies,
        **{str(status): _refusal(status, operation.error) for status in operation.errors},
    }
    return told


def _refusal(status: int, schema: str) -> Document:
    """Return the reply of a status, with each code that it can have and what it means."""
    lines = {code: text for own, code, text in _faults() if own == status}
    lines |= ANSWERED_BY_GATEWAY.get(status, {})
    told = " ".join(f"{code}: {text}" for code, text in lines.items())
    if schema != "Error":
        told = "The request was refused."
    return {
        "description": told,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _error_schema() -> Document:
    """Return the schema of the error's envelope, with every code of the tree."""
    codes = {code for _, code, _ in _faults()}
    codes.update(*ANSWERED_BY_GATEWAY.values())
    return {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "status", "request_id"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": "string", "enum": sorted(codes)},
                    "message": {"type": "string"},
                    "status": {"type": "integer"},
                    "request_id": {"type": "string"},
                },
            }
        },
        "examples": [
            {
                "error": {
                    "code": "invalid_bg_color",
                    "message": "bg_color must be a valid hex or named color.",
                    "status": 400,
                    "request_id": "5f6b1e0e-6c0f-4f57-9d4b-7c1f6f2f9a10",
                }
            }
        ],
    }


def _faults() -> Iterator[tuple[int, str, str]]:
    """Yield status, code and meaning of every failure in the tree, an option's for each option."""
    for kind in _tree(CutoutError):
        meaning = (kind.__doc__ or "").partition("\n")[0].partition(":")[0].rstrip(".") + "."
        if kind is InvalidOption:
            names = {option.code or option.name for option in OPTIONS}
            names |= {"content_type", "add_shadow", "type", "type_level"}
            yield from ((kind.status, f"invalid_{name}", meaning) for name in sorted(names))
        elif kind is CutoutError:
            yield kind.status, kind.code, "The request failed on our side."
        else:
            yield kind.status, kind.code, meaning


def _tree(kind: type[CutoutError]) -> Iterator[type[CutoutError]]:
    """Yield a kind of failure and all kinds of it, the most general last."""
    for below in kind.__subclasses__():
        yield from _tree(below)
    yield kind
