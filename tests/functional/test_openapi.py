"""The OpenAPI document: valid, complete, and what the function does."""

import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from client import ANY_PAYLOAD, Client, HttpReply, multipart
from cloud import Cloud
from conftest import deployment
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from PIL import Image

import app
from cutout.errors import RoiExceedsBounds, RoiRegionEmpty
from cutout.http.large_images import Transfer
from cutout.options import DEFAULTS, OPTIONS, Option
from cutout.settings import Settings
from cutout.store import Store
from image_files import encoded
from make_events import PHOTO, clear_png

JPEG = PHOTO.read_bytes()
Document = dict[str, Any]


def fetched(client: Client) -> Document:
    """Return the document, which needs no key."""
    reply = client.send("GET", "/openapi.json", key=None)
    assert reply.status == 200
    document: Document = reply.json()
    return document


def resolved(document: Document, node: Document) -> Document:
    """Return a part of the document, or the part that it refers to."""
    while "$ref" in node:
        found: Any = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def validator(document: Document, schema: Document) -> Draft202012Validator:
    """Return what validates by a schema that may refer to others of the document."""
    return Draft202012Validator({**schema, "components": document["components"]})


def check(document: Document, method: str, path: str, reply: HttpReply) -> None:
    """Hold a reply against the document: its status, its headers, its type and its body."""
    told = document["paths"][path][method.lower()]["responses"]
    assert str(reply.status) in told, (reply.status, reply.body[:300])
    response = resolved(document, told[str(reply.status)])

    headers = {name.lower(): resolved(document, one) for name, one in response["headers"].items()}
    sent = dict(reply.headers)
    media_type = sent.pop("content-type", "")
    assert sent.keys() <= headers.keys(), sent.keys() - headers.keys()
    for name, header in headers.items():
        assert name in sent or not header["required"], name
        if name in sent:
            value: object = sent[name]
            if header["schema"].get("type") in {"integer", "number"}:
                value = float(sent[name]) if "." in sent[name] else int(sent[name])
            validator(document, header["schema"]).validate(value)

    content = response.get("content", {})
    if not content:
        assert reply.body == b""
    elif media_type.startswith("image/"):
        assert "image/*" in content
    else:
        assert media_type in content
    if media_type == "application/json" and content:
        validator(document, content[media_type]["schema"]).validate(reply.json())


@ANY_PAYLOAD
def test_the_document_is_valid_and_has_no_absolute_url(client: Client) -> None:
    """By the specification's own schema; its server is where the paths begin."""
    document = fetched(client)
    OpenAPIV31SpecValidator(document).validate()
    expected = "/live" if client.payload == "1.0" else "/"
    assert document["servers"] == [{"url": expected}]
    assert not re.search(r"https?://(?!bucket\.example/)[a-z]", str(document))


def test_it_is_made_once_for_each_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing and compressing it takes ten times as long as answering, and it never changes."""
    made: list[bytes] = []

    def compress(plain: bytes, *, mtime: int) -> bytes:
        made.append(plain)
        return gzip_compress(plain, mtime=mtime)

    gzip_compress = gzip.compress
    monkeypatch.setattr(gzip, "compress", compress)
    handler = deployment(app.remover)
    rest, http = Client(handler, "1.0"), Client(handler, "2.0")
    assert fetched(rest) == fetched(rest)
    assert len(made) == 1
    assert fetched(http)["servers"] != fetched(rest)["servers"]
    assert len(made) == 2


def test_its_routes_are_those_that_the_function_answers(client: Client) -> None:
    """With a key where the function asks for one; the template's are compared with the same."""
    paths = fetched(client)["paths"]
    told = {
        (method.upper(), path): bool(operation["security"])
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    assert told == {(one.method, one.path): one.keyed for one in app.api().endpoints}


def test_remove_bgs_routes_take_a_bearers_key_too(client: Client) -> None:
    """Either of two is enough there; the other routes look into one header only."""
    document = fetched(client)
    assert set(document["components"]["securitySchemes"]) == {"ApiKey", "Bearer"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            names = {name for way in operation["security"] for name in way}
            assert ("Bearer" in names) == path.startswith("/v1.0/")
            assert all(len(way) == 1 for way in operation["security"])


def test_every_option_is_told_with_its_default(client: Client) -> None:
    """From the one table, but for what this deployment does not have."""
    form = fetched(client)["components"]["schemas"]["RemovalForm"]["properties"]
    for option in OPTIONS:
        if option.name == "bg_image_url":
            assert option.name not in form
            continue
        schema = form[option.name]
        assert schema["description"].startswith(option.summary)
        assert option.accepted in schema["description"]
        assert schema.get("default") == getattr(DEFAULTS, option.name)
        assert schema.items() >= option.schema.items()
    assert form["model"]["enum"] == ["erase-s"]
    assert form["quality"]["type"] == "integer"
    assert (form["quality"]["minimum"], form["quality"]["maximum"]) == (1, 100)
    assert form["crop"]["type"] == "boolean"
    assert "avif" in form["format"]["enum"]


@pytest.mark.parametrize(
    ("path", "name", "others"),
    [
        ("/v2", "RemovalForm", set()),
        ("/v1.0/removebg", "RemoveBgForm", {"image_file_b64", "api_key"}),
    ],
)
def test_the_query_string_has_the_same_options_without_defaults(
    client: Client, path: str, name: str, others: set[str]
) -> None:
    """A client that sent the defaults there and in the body would give each option twice."""
    document = fetched(client)
    form = document["components"]["schemas"][name]["properties"]
    parameters = document["paths"][path]["post"]["parameters"]
    files = {"image_file", "bg_image_file"}
    assert {one["name"] for one in parameters} == form.keys() - files - others
    for parameter in parameters:
        assert parameter["in"] == "query"
        assert "default" not in parameter["schema"]
        whole = {**parameter["schema"], "description": parameter["description"]}
        assert whole.items() <= form[parameter["name"]].items()


@pytest.mark.parametrize("fetches", [False, True])
@pytest.mark.parametrize("stores", [False, True])
def test_the_sources_are_those_of_the_deployment(*, fetches: bool, stores: bool) -> None:
    """It does not offer what is off."""
    settings = Settings(input_bucket="in", result_bucket="out", fetch_urls=fetches)
    transfer = Transfer(Store(), settings) if stores else None
    client = Client(deployment(app.remover, settings, transfer=transfer))
    schemas = fetched(client)["components"]["schemas"]
    fields = schemas["RemovalJson"]["properties"]
    assert "image_base64" in fields
    assert ("image_url" in fields, "bg_image_url" in fields) == (fetches, fetches)
    assert "bg_image_file" not in fields
    assert ("image_key" in fields) == stores
    assert ("required" in schemas["RemovalJson"]) == (not fetches and not stores)
    theirs = schemas["RemoveBgJson"]["properties"]
    assert ("image_url" in theirs, "image_key" in theirs) == (fetches, False)


def test_remove_bgs_route_tells_its_own_fields_and_defaults(client: Client) -> None:
    """As a client of remove.bg knows them."""
    schemas = fetched(client)["components"]["schemas"]
    form = schemas["RemoveBgForm"]["properties"]
    assert (form["format"]["default"], form["size"]["default"]) == ("auto", "preview")
    assert {"image_file", "add_shadow", "type", "type_level", "api_key", "roi"} <= set(form)
    assert "image_file_b64" in schemas["RemoveBgJson"]["properties"]
    assert "response" not in form
    for color, fits in {
        "81d4fa77": True,
        "#F008": True,
        "white": True,
        "": True,
        "#12345": False,
    }.items():
        assert Draft202012Validator(form["bg_color"]).is_valid(color) == fits


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_what_the_schema_of_an_option_admits_is_accepted(option: Option) -> None:
    """Every value of it, the examples first; a region may still be empty or too large."""
    for example in option.schema.get("examples", ()):  # type: ignore[attr-defined] # a list
        assert Draft202012Validator(option.schema).is_valid(example)
        option.value(example)

    @given(wire=_values(option.schema))
    def accepted(wire: object) -> None:
        try:
            option.value(wire)
        except (RoiExceedsBounds, RoiRegionEmpty):
            assert option.name == "roi"

    accepted()


def _values(schema: Any) -> st.SearchStrategy[object]:
    """Return the values that the schema of an option admits."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "binary":
        return st.binary(min_size=1)
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    pattern = schema["pattern"]
    return st.from_regex(pattern, fullmatch=pattern.endswith("$")).filter(
        lambda text: len(text) <= schema.get("maxLength", 10_000) and not text.endswith("\n")
    )


@pytest.mark.parametrize(
    ("name", "values", "others"),
    [
        ("bg_color", ["#FFF", "ffffff", "rebeccapurple"], ["#FFFF", "bluish", "", "white ", "25"]),
        ("crop_margin", ["0", "5%", "50%", "500px", "1px 2px", "1% 2% 3px 4.5%"], ["51%", "501px"]),
        ("crop_margin", ["10px 0"], ["1px 2px 3px", "10", "-1px", "1px  2px 3px 4px 5px"]),
        ("scale", ["original", "10%", "99.5%", "100%"], ["9%", "9.9%", "101%", "100.1%", "80"]),
        ("position", ["center", "0%", "20% 80%", "100% 0%"], ["left", "101%", "1% 2% 3%"]),
        ("roi", ["0 0 100% 100%", "0px 0px 10.5px 20px"], ["0 0 101% 100%", "1 2 3 4", "0 0 1px"]),
        ("bg_image_url", ["https://a.example/b.jpg"], ["ftp://a.example/b.jpg", "a.jpg"]),
    ],
)
def test_the_bounds_of_an_option_are_in_its_schema(
    name: str, values: list[str], others: list[str]
) -> None:
    """What is usual is admitted, and what is refused is not."""
    (option,) = (option for option in OPTIONS if option.name == name)
    schema = Draft202012Validator(option.schema)
    assert [value for value in values if not schema.is_valid(value)] == []
    assert [value for value in others if schema.is_valid(value)] == []


def test_its_examples_are_valid(client: Client) -> None:
    """Each by its own schema."""
    document = fetched(client)
    found = list(_examples(document))
    assert len(found) >= 20
    for schema, example in found:
        validator(document, schema).validate(example)


def _examples(node: Any) -> Iterator[tuple[Document, object]]:
    """Yield each example with its schema."""
    if isinstance(node, dict):
        if "properties" in node or "type" in node:
            yield from ((node, example) for example in node.get("examples", ()))
        for below in node.values():
            yield from _examples(below)
    elif isinstance(node, list):
        for below in node:
            yield from _examples(below)


@ANY_PAYLOAD
def test_the_examples_of_requests_are_answered(client: Client) -> None:
    """They are whole: whoever sends one gets a cutout."""
    document = fetched(client)
    for path, name in (("/v2", "RemovalJson"), ("/v1.0/removebg", "RemoveBgJson")):
        (example,) = document["components"]["schemas"][name]["examples"]
        reply = client.json(path + "?on_empty=image", example)
        assert reply.status == 200, reply.body
        check(document, "POST", path, reply)


@ANY_PAYLOAD
def test_refusals_are_in_the_document(client: Client) -> None:
    """Each error's status and headers are told, and its body is as the schema says."""
    document = fetched(client)
    for path in ("/v2", "/v1.0/removebg"):
        queries = ["?bg_color=bluish", "?crop=maybe", "?roi=1", "?response=fax&quality=0", ""]
        for query in queries:
            for key in (None, "local"):
                reply = client.post(path + query, key=key, body=b"x", content_type="image/jpeg")
                assert reply.status >= 400
                check(document, "POST", path, reply)
        for body, media_type in ((b"", "text/plain"), (bytes(4_700_000), "image/jpeg")):
            check(document, "POST", path, client.post(path, body=body, content_type=media_type))
        clear = multipart(image_file=("a.png", clear_png(64, 64)), on_empty="error")
        check(document, "POST", path, client.post(path, **clear))
    check(document, "POST", "/v2/uploads", client.post("/v2/uploads"))
    for method, path in (("GET", "/v2/account"), ("GET", "/v1.0/account"), ("POST", "/v2/uploads")):
        check(document, method, path, client.send(method, path, key=None))


def test_faults_of_ours_are_in_the_document(broken: Client, without_model: Client) -> None:
    """Those of a network that fails, and of a model that is not there."""
    for client, status in ((broken, 500), (without_model, 503)):
        for path in ("/v2", "/v1.0/removebg"):
            reply = client.post(path, **multipart(image_file=("a.jpg", JPEG)))
            assert reply.status == status
            check(fetched(client), "POST", path, reply)
    reply = without_model.send("GET", "/v2/health?deep=1")
    assert reply.status == 503
    check(fetched(without_model), "GET", "/v2/health", reply)


@ANY_PAYLOAD
def test_answers_are_in_the_document(client: Client) -> None:
    """Images, JSON, masks, accounts, and the document itself."""
    document = fetched(client)
    json_only = {"Accept": "application/json"}
    for path in ("/v2", "/v1.0/removebg"):
        for query, headers in (("?colour=red", {}), ("?format=zip", {}), ("?crop=1", json_only)):
            photo = multipart(image_file=("a.jpg", JPEG))
            reply = client.post(path + query, headers=headers, **photo)
            assert reply.status == 200
            check(document, "POST", path, reply)
    (example,) = document["components"]["schemas"]["RemovalJson"]["examples"]
    mask = client.json("/v2?channels=alpha", example)
    assert list(mask.json()) == ["mask", "width", "height"]
    check(document, "POST", "/v2", mask)
    for path in ("/v2/account", "/v2/health", "/v1.0/account", "/openapi.json"):
        check(document, "GET", path, client.send("GET", path))
    for path in ("/v2/health", "/openapi.json"):
        check(document, "HEAD", path, client.send("HEAD", path))


def test_what_only_a_direct_call_meets_is_not_told(client: Client) -> None:
    """Over HTTP it is API Gateway that cannot read a request, and says so in its own words."""
    replies = fetched(client)["paths"]["/v2/health"]["get"]["responses"]
    told = "bad_request: API Gateway cannot read the request."
    assert replies["400"]["description"].endswith(told)


def codes_told(operation: Document) -> set[str]:
    """Return the codes that an operation's refusals name."""
    replies = operation["responses"].items()
    told = " ".join(reply["description"] for status, reply in replies if status > "4")
    return set(re.findall(r"\b([a-z]+_[a-z_]+|timeout): ", told))


def test_remove_bgs_routes_tell_only_what_they_answer(client: Client) -> None:
    """They have neither image_key nor response, and the account takes no image and no option."""
    paths = fetched(client)["paths"]
    told = codes_told(paths["/v1.0/removebg"]["post"])
    assert {"auth_failed", "file_too_large", "invalid_size", "missing_source"} <= told
    assert not told & {
        *("invalid_image_key", "invalid_response", "result_too_large", "storage_disabled"),
        "invalid_deep",
    }
    told = codes_told(paths["/v1.0/account"]["get"])
    assert told == {
        *("access_denied", "auth_failed", "bad_request", "internal_error", "quota_exceeded"),
        *("rate_limit_exceeded", "timeout"),
    }


@ANY_PAYLOAD
def test_the_first_clients_field_is_told_but_not_offered(client: Client) -> None:
    """A generated client that offered it beside ``image_base64`` would get masks by mistake."""
    document = fetched(client)
    (example,) = document["components"]["schemas"]["RemovalJson"]["examples"]
    assert "The field image" in document["paths"]["/v2"]["post"]["description"]
    fields = {"image": example["image_base64"]}
    for mask in (client.json("/v2", fields), client.form("/v2", fields)):
        assert list(mask.json()) == ["mask", "width", "height"]
        check(document, "POST", "/v2", mask)
    for name in ("RemovalForm", "RemovalJson", "RemovalUrlencoded"):
        assert "image" not in document["components"]["schemas"][name]["properties"]


@ANY_PAYLOAD
def test_the_document_is_compressed_and_not_sent_twice(client: Client) -> None:
    """As the pages are, for the page that reads it at every visit."""
    plain = client.send("GET", "/openapi.json", key=None)
    gzipped = {"Accept-Encoding": "gzip"}
    small = client.send("GET", "/openapi.json", key=None, headers=gzipped)
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert len(small.body) * 5 < len(plain.body)
    for reply, headers in ((plain, {}), (small, gzipped)):
        assert reply.headers["cache-control"] == "no-cache"
        assert reply.headers["vary"] == "Accept-Encoding"
        known = {"If-None-Match": reply.headers["etag"], **headers}
        again = client.send("GET", "/openapi.json", key=None, headers=known)
        assert (again.status, again.body) == (304, b"")
        check(plain.json(), "GET", "/openapi.json", again)


def test_links_and_uploads_are_in_the_document(cloud: Cloud) -> None:
    """A link by itself, one that redirects, and the form of an upload."""
    settings = replace(cloud.settings, api_key_hashes=app.settings.api_key_hashes)
    client = Client(deployment(app.remover, settings, transfer=Transfer(cloud.store, settings)))
    document = fetched(client)
    link = client.post("/v2?response=url", **multipart(image_file=("a.jpg", JPEG)))
    assert list(link.json())[:2] == ["url", "expires_at"]
    check(document, "POST", "/v2", link)
    check(document, "POST", "/v2/uploads", client.json("/v2/uploads?x=1", {}))
    photo = Image.open(io.BytesIO(JPEG)).resize((1300, 1300))
    large = multipart(image_file=("a.jpg", encoded(photo, "JPEG")))
    redirect = client.post("/v2?format=bmp", **large)  # 1300 * 1300 px of 3 bytes
    assert redirect.status == 303
    check(document, "POST", "/v2", redirect)
    json_only = {"Accept": "application/json"}
    instead = client.post("/v2?format=bmp", headers=json_only, **large)
    assert (instead.status, list(instead.json())[:2]) == (200, ["url", "expires_at"])
    check(document, "POST", "/v2", instead)
    told = document["paths"]["/v2"]["post"]["responses"]["200"]["description"]
    assert "with response=auto where the reply is JSON and cannot carry the cutout" in told
