"""Requests that schemathesis makes from the OpenAPI document, and from what it forbids.

Whatever is sent, a reply is never a 500, and its status, headers and body are in the document. An
image that schemathesis writes is seldom one, so that half of the requests get a real one.
"""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from client import Client
from cloud import fake_remover, png
from conftest import deployment
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from urllib3 import HTTPResponse

import app
from cutout.http.connect import Connector
from cutout.http.fetch import Fetcher
from cutout.http.large_images import Transfer
from cutout.store import ObjectRef
from fake_store import Bucket, FakeStore

URL = "http://api.example"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 40
"""Requests of each kind to each route."""

UPLOADED = "incoming/0/image"
OPERATIONS = sorted((endpoint.method, endpoint.path) for endpoint in app.api().endpoints)


class Events(HTTPAdapter):
    """Sends what requests would send as events to a handler."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        body = request.body or b""
        sent = {
            name: value.decode("latin-1") if isinstance(value, bytes) else value
            for name, value in dict[str, Any](request.headers).items()
            if name.lower() not in {"x-api-key", "content-length"}
        }
        reply = self._client.send(
            str(request.method),
            f"{parts.path}?{parts.query}",
            body=body if isinstance(body, bytes) else body.encode(),
            headers=sent,
        )
        raw = HTTPResponse(
            io.BytesIO(reply.body),
            headers=dict(reply.headers),
            status=reply.status,
            preload_content=False,
        )
        return self.build_response(request, raw)


@pytest.fixture
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Speak to a deployment that has everything: buckets, URLs, and a network that is free."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    own = replace(
        app.settings,
        input_bucket="input",
        result_bucket="result",
        fetch_urls=True,
    )
    store = FakeStore({"input": Bucket(), "result": Bucket()})
    store.put(ObjectRef(bucket="input", key=UPLOADED), png())
    handler = deployment(
        fake_remover(),
        own,
        transfer=Transfer(store, own),
        fetcher=Fetcher(Connector(resolve=lambda _host, _port: [])),
    )
    return Client(handler, request.param)


@pytest.fixture
def session(client: Client) -> Iterator[requests.Session]:
    """Send to that deployment; a redirect leads out of it and is not followed."""
    with requests.Session() as session:
        session.mount(URL, Events(client))
        yield session


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=map(" ".join, OPERATIONS))
@pytest.mark.parametrize("client", ["1.0", "2.0"], indirect=True)
def test_a_reply_is_what_the_document_says(
    client: Client,
    session: requests.Session,
    method: str,
    path: str,
    mode: schemathesis.GenerationMode,
) -> None:
    """To requests that the document allows, and to others."""
    document = client.send("GET", "/openapi.json").json()
    operation = schemathesis.openapi.from_dict(document)[path][method]
    if mode is schemathesis.GenerationMode.NEGATIVE and not _can_be_wrong(operation):
        return  # nothing of it can be other than it should be

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        chance=st.integers(0, 3),
        accept=st.sampled_from(["*/*", "application/json", "image/png"]),
    )
    def holds(case: schemathesis.Case[Any], chance: int, accept: str) -> None:
        _give_an_image(case, chance)
        headers = {"Accept": accept}
        reply = case.call(base_url=URL, session=session, headers=headers, allow_redirects=False)
        case.validate_response(reply, checks=CHECKS)

    holds()


def _can_be_wrong(operation: Any) -> bool:
    """Tell whether a request has a part that can be wrong: a body or a parameter."""
    return bool(operation.body or operation.query)


def _give_an_image(case: schemathesis.Case[Any], chance: int) -> None:
    """Put a real image, or the key of one, into half of the requests that can have one."""
    if case.media_type and case.media_type.startswith(("image/", "application/octet")):
        if chance > 1:
            case.body = png()
        return
    if not isinstance(case.body, dict) or chance < 2:
        return
    body = case.body
    # Most of what is drawn gives an option or a background twice, and would be refused for that.
    case.query = {name: value for name, value in (case.query or {}).items() if name not in body}
    for name in ("bg_image_file", "bg_image_url", "bg_blur"):
        body.pop(name, None)
        case.query.pop(name, None)
    for name in ("image_file", "image_base64", "image_file_b64", "image_url", "image_key"):
        body.pop(name, None)
    if case.media_type == "multipart/form-data":
        body["image_file"] = png()  # type: ignore[assignment] # its own requests have bytes too
    elif case.path == "/v2" and chance == 3:
        body["image_key"] = UPLOADED
    else:
        name = "image_base64" if case.path == "/v2" else "image_file_b64"
        body[name] = base64.b64encode(png()).decode()
