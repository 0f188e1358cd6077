"""The OpenAPI document: valid, complete, and what the function does."""

from typing import Any

from client import ANY_PAYLOAD, Client
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

import app
from cutout.options import DEFAULTS, OPTIONS
from make_events import PHOTO


def fetched(client: Client) -> dict[str, Any]:
    """Return the document, which needs no key."""
    reply = client.send("GET", "/openapi.json", key=None)
    assert reply.status == 200
    document: dict[str, Any] = reply.json()
    return document


@ANY_PAYLOAD
def test_the_document_is_valid_and_has_no_absolute_url(client: Client) -> None:
    """By the specification's own schema; its server is where the paths begin."""
    document = fetched(client)
    OpenAPIV31SpecValidator(document).validate()
    expected = "/live" if client.payload == "1.0" else "/"
    assert document["servers"] == [{"url": expected}]
    assert "http" not in str(document).replace("https URL", "").replace("the http or", "")


def test_its_routes_are_those_that_the_function_answers(client: Client) -> None:
    """With a key where the function asks for one; the template's are compared with the same."""
    paths = fetched(client)["paths"]
    told = {
        (method.upper(), path): bool(operation["security"])
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    assert told == {(one.method, one.path): one.keyed for one in app.api.endpoints}


def test_every_option_is_told_with_its_default(client: Client) -> None:
    """From the one table."""
    form = fetched(client)["components"]["schemas"]["Form"]["properties"]
    for option in OPTIONS:
        schema = form[option.name]
        assert schema["description"].startswith(option.summary)
        assert option.accepted in schema["description"]
        assert schema.get("default") == getattr(DEFAULTS, option.name)
    assert form["quality"]["type"] == "integer"
    assert form["crop"]["type"] == "boolean"
    assert "avif" in form["format"]["enum"]


def test_remove_bgs_route_tells_its_own_fields_and_defaults(client: Client) -> None:
    """As a client of remove.bg knows them."""
    schemas = fetched(client)["components"]["schemas"]
    form = schemas["RemoveBgForm"]["properties"]
    assert (form["format"]["default"], form["size"]["default"]) == ("auto", "preview")
    assert {"image_file", "add_shadow", "type", "type_level", "api_key", "roi"} <= set(form)
    assert "image_file_b64" in schemas["RemoveBgFields"]["properties"]
    assert "response" not in form


def test_its_examples_are_valid(client: Client) -> None:
    """Each by its own schema."""
    schemas = fetched(client)["components"]["schemas"]
    found = [(schema, one) for schema in schemas.values() for one in schema.get("examples", ())]
    assert len(found) >= 3
    for schema, example in found:
        Draft202012Validator(schema).validate(example)


@ANY_PAYLOAD
def test_what_is_answered_is_in_the_document(client: Client) -> None:
    """Each error's status is told, and its body is as the schema says."""
    document = fetched(client)
    schemas = document["components"]["schemas"]
    for path, name in (("/v2", "Error"), ("/v1.0/removebg", "RemoveBgErrors")):
        statuses = document["paths"][path]["post"]["responses"]
        queries = ["?bg_color=bluish", "?crop=maybe", "?roi=1", "?response=fax&quality=0", ""]
        for query in queries:
            for key in (None, "local"):
                reply = client.post(path + query, key=key, body=b"x", content_type="image/jpeg")
                assert str(reply.status) in statuses
                Draft202012Validator(schemas[name]).validate(reply.json())
        image = client.post(path, body=PHOTO.read_bytes(), content_type="image/jpeg")
        assert str(image.status) in statuses
