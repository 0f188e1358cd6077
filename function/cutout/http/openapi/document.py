"""The OpenAPI 3.1 document: options table + error tree + routes → one JSON document."""

from collections.abc import Iterable, Mapping
from typing import Any

from cutout.http.headers import ALWAYS_SENT, HEADERS
from cutout.http.openapi.operations import OPERATIONS, Operation
from cutout.http.openapi.refusals import ERRORS
from cutout.http.openapi.replies import REPLIES, Schema
from cutout.http.openapi.requests import (
    Deployment,
    query_parameters,
    removal_schemas,
    removebg_schemas,
)

_TAGS = {
    "Cutout": "Removing backgrounds.",
    "remove.bg": "Removing backgrounds, with the names and the errors of remove.bg.",
    "Service": "The key, the limits, the state of the service.",
    "Pages": "For people with a browser.",
}


def document(
    routes: Iterable[tuple[str, str, bool]],
    *,
    deployment: Deployment,
    version: str,
    base_path: str,
) -> dict[str, Any]:
    """Return the description of an API with these routes: method, path, and whether it has a key.

    ``base_path`` is what stands before the paths, such as a stage.

    :raises KeyError: a route has no operation.
    """
    requests = {**removal_schemas(deployment), **removebg_schemas(deployment)}
    paths: dict[str, Any] = {}
    for method, path, keyed in routes:
        operation = _operation(OPERATIONS[method, path], requests, keyed=keyed)
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cutout",
            "version": version,
            "description": "Removes the background of images.",
            "contact": {"name": "Whoever runs this deployment"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_path or "/"}],
        "tags": [{"name": name, "description": told} for name, told in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {**requests, **REPLIES, **ERRORS},
            "headers": {
                name: {**header, "required": name in ALWAYS_SENT}
                for name, header in HEADERS.items()
            },
            "securitySchemes": {
                "ApiKey": {"type": "apiKey", "name": "x-api-key", "in": "header"},
                "Bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(
    operation: Operation, requests: Mapping[str, Schema], *, keyed: bool
) -> dict[str, Any]:
    """Return one method of one path; ``requests`` are the schemas of the bodies."""
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "security": [{name: []} for name in operation.keys] if keyed else [],
    }
    parameters = [*operation.parameters]
    parameters += query_parameters(requests[operation.options]) if operation.options else []
    if parameters:
        told["parameters"] = parameters
    if operation.body:
        told["requestBody"] = operation.body
    return told | {"responses": operation.replies}
