"""What the routes take: options table + image sources → JSON Schemas of bodies and queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cutout.http import removebg
from cutout.http.large_images import MEDIA_TYPE
from cutout.http.openapi.replies import Schema
from cutout.options import OPTIONS, Option, Options
from cutout.settings import INCOMING_PREFIX
from cutout.store import MAX_KEY_BYTES

# White, with one red pixel.
_TINY_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAF0lEQVR4nGM4ISf3//9/xv///zMwMAAANsUHAPcppx8A"
    "AAAASUVORK5CYII="
)
_FILE = {"type": "string", "format": "binary"}
_BASE64 = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "The image as base64, or as a data: URL.",
}
_IMAGE_KEY = {
    "type": "string",
    "pattern": f"^{INCOMING_PREFIX}",
    "maxLength": MAX_KEY_BYTES,
    "description": "The image_key that POST /v2/uploads answered.",
}
_ONLY_IN_BODIES = {"image_base64", "image_file_b64", "image_url", "image_key", "api_key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What of a deployment shows in its requests.

    ``defaults`` are what a request to ``POST /v2`` gets that says nothing. Without storage there is
    no ``image_key``, and ``fetches_urls`` is whether an image can be given as a URL. ``models`` are
    the names that the option ``model`` can have.
    """

    defaults: Options
    has_storage: bool
    fetches_urls: bool
    models: Sequence[str]


def option_schema(option: Option, defaults: Options) -> dict[str, Any]:
    """Return the JSON Schema of an option's value, with its default where it has one."""
    schema = {
        **option.schema,
        "description": f"{option.summary} Accepted: {option.accepted}.",
    }
    default = getattr(defaults, option.name)
    if default is not None:
        schema["default"] = default.value if isinstance(default, StrEnum) else default
    return schema


def removal_schemas(deployment: Deployment) -> dict[str, Schema]:
    """Return the schemas of the bodies of ``POST /v2``."""
    options = _options(deployment, deployment.defaults)
    texts = _without_files(options)
    sources: dict[str, Schema] = {"image_base64": _BASE64}
    if deployment.fetches_urls:
        sources["image_url"] = _url_schema()
    if deployment.has_storage:
        sources["image_key"] = _IMAGE_KEY
    required = {} if sources.keys() - {"image_base64"} else {"required": ["image_base64"]}
    fields = {"type": "object", "properties": {**sources, **texts}, **required}
    example = {"image_base64": _TINY_PNG, "format": "webp", "bg_color": "white"}
    return {
        "RemovalForm": {
            "type": "object",
            "required": ["image_file"],
            "properties": {"image_file": {**_FILE, "description": "The image."}, **options},
        },
        "RemovalJson": {**fields, "examples": [example]},
        "RemovalUrlencoded": {**fields, "examples": [example]},
        "UploadRequest": {
            "type": "object",
            "properties": {
                "content_type": {
                    "type": "string",
                    "pattern": f"^(?:|{MEDIA_TYPE.pattern})$",
                    "description": "The one type of image that the form then takes.",
                }
            },
            "examples": [{"content_type": "image/jpeg"}],
        },
    }


def removebg_schemas(deployment: Deployment) -> dict[str, Schema]:
    """Return the schemas of the bodies of remove.bg's route: its defaults, names and fields."""
    options = _options(deployment, removebg.DEFAULTS)
    del options["response"]
    options["bg_color"] = {**options["bg_color"], "pattern": _color_with_alpha(options["bg_color"])}
    told, shadow = "Accepted, and without effect.", removebg.ADD_SHADOW
    fields: dict[str, Schema] = {
        "image_file_b64": _BASE64,
        **({"image_url": _url_schema()} if deployment.fetches_urls else {}),
        **options,
        shadow.name: {**shadow.schema, "description": shadow.summary},
        "api_key": {"type": "string", "description": "The key, if it is in no header."},
        **{
            name: {"type": "string", "enum": list(words), "description": told}
            for name, words in removebg.IGNORED_WORDS.items()
        },
    }
    texts = {"type": "object", "properties": _without_files(fields)}
    example = {"image_file_b64": _TINY_PNG, "size": "auto", "type": "product"}
    file = {**_FILE, "description": "The image."}
    return {
        "RemoveBgForm": {"type": "object", "properties": {"image_file": file, **fields}},
        "RemoveBgJson": {**texts, "examples": [example]},
        "RemoveBgUrlencoded": {**texts, "examples": [example]},
    }


def query_parameters(body: Schema) -> list[dict[str, Any]]:
    """Return the options that a form's body can have as parameters of the query string.

    They have no defaults: a generated client would send them beside those of the body, and an
    option may be given only once.
    """
    return [
        {
            "name": name,
            "in": "query",
            "description": whole["description"],
            "schema": {
                key: value for key, value in whole.items() if key not in {"description", "default"}
            },
        }
        for name, whole in body["properties"].items()
        if name not in _ONLY_IN_BODIES
    ]


def _options(deployment: Deployment, defaults: Options) -> dict[str, Schema]:
    """Return the schema of each option that the deployment has."""
    schemas: dict[str, Schema] = {
        option.name: option_schema(option, defaults)
        for option in OPTIONS
        if deployment.fetches_urls or option.name != "bg_image_url"
    }
    names = list(deployment.models)
    # No "default": a generated client would send it, and go on when the deployment has another.
    schemas["model"] = {**schemas["model"], "enum": names, "x-default": names[0]}
    return schemas


def _without_files(fields: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: schema for name, schema in fields.items() if schema.get("format") != "binary"}


def _url_schema() -> Schema:
    """Return the schema of ``image_url``, which is that of the background's URL."""
    (option,) = (option for option in OPTIONS if option.name == "bg_image_url")
    return {**option.schema, "description": "The http or https URL of the image."}


def _color_with_alpha(schema: Schema) -> str:
    """Return the pattern of a colour that may have an alpha too, or be empty."""
    with_alpha = "^(?:|#?(?:[0-9A-Fa-f]{4}|[0-9A-Fa-f]{8})|"
    return str(schema["pattern"]).replace("^(?:", with_alpha, 1)
