"""``template.yaml``: what it says of the API's routes, keys and own answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway import read_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = read_template(ROOT / "template.yaml")
RESOURCES = TEMPLATE["Resources"]
API = RESOURCES["Api"]["Properties"]
FUNCTION = RESOURCES["ApiFunction"]["Properties"]
ROUTES = {
    (event["Properties"]["Method"], event["Properties"]["Path"]): event["Properties"]
    for event in FUNCTION["Events"].values()
}
KEYED = {("POST", "/v2"), ("POST", "/v2/uploads"), ("GET", "/v2/account")}
KEYLESS = {("GET", "/v2/health")}

# Every type of API Gateway's documentation ("Gateway response types"), with what the contract says.
ANSWERS = {
    "ACCESS_DENIED": (403, "access_denied"),
    "API_CONFIGURATION_ERROR": (500, "internal_error"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, "internal_error"),
    "AUTHORIZER_FAILURE": (500, "internal_error"),
    "BAD_REQUEST_BODY": (400, "bad_request"),
    "BAD_REQUEST_PARAMETERS": (400, "bad_request"),
    "DEFAULT_4XX": (400, "bad_request"),
    "DEFAULT_5XX": (502, "internal_error"),
    "EXPIRED_TOKEN": (403, "access_denied"),
    "INTEGRATION_FAILURE": (502, "internal_error"),
    "INTEGRATION_TIMEOUT": (504, "timeout"),
    "INVALID_API_KEY": (401, "invalid_api_key"),
    "INVALID_SIGNATURE": (403, "access_denied"),
    "MISSING_AUTHENTICATION_TOKEN": (404, "not_found"),
    "QUOTA_EXCEEDED": (429, "quota_exceeded"),
    "REQUEST_TOO_LARGE": (413, "payload_too_large"),
    "RESOURCE_NOT_FOUND": (404, "not_found"),
    "THROTTLED": (429, "rate_limit_exceeded"),
    "UNAUTHORIZED": (401, "invalid_api_key"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported_media_type"),
    "WAF_FILTERED": (403, "access_denied"),
}


def answer(kind: str) -> dict[str, Any]:
    """Return the error that a type of gateway answer holds."""
    template: str = API["GatewayResponses"][kind]["ResponseTemplates"]["application/json"]
    error: dict[str, Any] = json.loads(template)["error"]
    return error


def test_every_type_of_gateway_answer_is_given() -> None:
    """None is left to AWS's own text."""
    assert set(API["GatewayResponses"]) == set(ANSWERS)


@pytest.mark.parametrize("kind", ANSWERS)
def test_gateway_answers_are_the_contracts(kind: str) -> None:
    """Each is our envelope, with a literal status that is the status sent."""
    spec = API["GatewayResponses"][kind]
    status, code = ANSWERS[kind]
    assert list(spec["ResponseTemplates"]) == ["application/json"]
    assert list(json.loads(spec["ResponseTemplates"]["application/json"])) == ["error"]
    assert list(answer(kind)) == ["code", "message", "status", "request_id"]
    assert (spec["StatusCode"], answer(kind)["status"]) == (status, status)
    assert answer(kind)["code"] == code
    assert answer(kind)["request_id"] == "$context.requestId"


@pytest.mark.parametrize("kind", ANSWERS)
def test_gateway_answers_have_plain_messages(kind: str) -> None:
    """A message is a sentence in ASCII, without variables, since API Gateway escapes none."""
    message = answer(kind)["message"]
    assert re.fullmatch(r"[A-Z][ -~]+\.", message)
    assert not set(message) & set('$"\\')


@pytest.mark.parametrize("kind", ANSWERS)
def test_gateway_answers_have_their_headers(kind: str) -> None:
    """A browser may read them, each names its request, and 429 says when to come again."""
    headers = API["GatewayResponses"][kind]["ResponseParameters"]["Headers"]
    exposed = headers["Access-Control-Expose-Headers"].strip("'").split(", ")
    assert headers["Access-Control-Allow-Origin"] == {"Fn::Sub": "'${AllowedOrigin}'"}
    assert headers["X-Request-Id"] == "context.requestId"
    assert "X-Request-Id" in exposed
    is_429 = ANSWERS[kind][0] == 429
    assert ("Retry-After" in headers, "Retry-After" in exposed) == (is_429, is_429)
    if is_429:
        assert re.fullmatch(r"'[1-9][0-9]*'", headers["Retry-After"])


def test_a_wrong_key_has_the_contracts_message() -> None:
    """The wording is part of the contract."""
    assert answer("INVALID_API_KEY")["message"] == "Missing or invalid API key."


def test_a_large_request_is_told_where_to_go() -> None:
    """Uploads are the way out."""
    assert "/v2/uploads" in answer("REQUEST_TOO_LARGE")["message"]


def test_the_routes_are_the_contracts() -> None:
    """Each path has its own method, and an ANY for preflights and wrong methods."""
    own = KEYED | KEYLESS
    assert set(ROUTES) == own | {("ANY", path) for _, path in own}


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_keys_are_required_where_the_contract_says_so(route: tuple[str, str]) -> None:
    """The template says it for each route; a preflight never has a key."""
    assert ROUTES[route]["Auth"] == {"ApiKeyRequired": route in KEYED}
    assert ROUTES[route]["RestApiId"] == {"Ref": "Api"}


def test_the_api_asks_for_keys_and_passes_bytes() -> None:
    """A route that says nothing of a key has one; SAM's own CORS is off, since it needs text."""
    assert API["Auth"]["ApiKeyRequired"] is True
    assert API["Auth"]["AddApiKeyRequiredToCorsPreflight"] is False
    assert API["Auth"]["UsagePlan"]["CreateUsagePlan"] == "PER_API"
    assert {"Throttle", "Quota"} <= set(API["Auth"]["UsagePlan"])
    assert API["BinaryMediaTypes"] == ["*~1*"]
    assert API["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert API["TracingEnabled"] is True
    assert "Cors" not in API


def test_the_function_is_published_with_snapstart() -> None:
    """It answers before API Gateway's 29 s are over, from a version whose model is loaded."""
    assert FUNCTION["Handler"] == "app.http_handler"
    assert FUNCTION["Runtime"] == "python3.13"
    assert FUNCTION["Timeout"] < 29
    assert FUNCTION["AutoPublishAlias"] == "live"
    assert FUNCTION["AutoPublishAliasAllProperties"] is True
    assert FUNCTION["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert FUNCTION["Layers"] == [{"Ref": "DepsLayer"}, {"Ref": "ModelLayer"}]


def test_the_variables_are_those_that_the_function_reads() -> None:
    """Each is known to ``config.py``, and the gateway's check of the key is said."""
    variables = FUNCTION["Environment"]["Variables"]
    config = (ROOT / "function/cutout/config.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', config)) | {"POWERTOOLS_LOG_LEVEL"}
    assert set(variables) <= read
    # MODEL_DIR is for local runs: a deployment has its model in the layer.
    assert read - set(variables) == {"MODEL_DIR"}
    assert variables["KEYS_CHECKED_BY"] == "gateway"


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_parameters_explain_and_limit_themselves(name: str) -> None:
    """Each has a description, a default and limits, and is used."""
    parameter = TEMPLATE["Parameters"][name]
    assert parameter["Description"]
    assert "Default" in parameter
    assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter)
    used = json.dumps([RESOURCES, TEMPLATE["Outputs"]])
    assert f'{{"Ref": "{name}"}}' in used or f"${{{name}}}" in used


@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_has_its_comment(name: str) -> None:
    """One line above it says what it is for."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert re.search(rf"^  # [A-Z].*\.\n  {name}:$", text, re.MULTILINE)


def test_layers_are_built_by_make_from_folders_of_this_repository() -> None:
    """Neither Docker nor the target's Python is needed to build them."""
    layers = [r for r in RESOURCES.values() if r["Type"] == "AWS::Serverless::LayerVersion"]
    assert len(layers) == 2
    for layer in layers:
        assert layer["Metadata"] == {"BuildMethod": "makefile"}
        assert (ROOT / layer["Properties"]["ContentUri"]).is_dir()
