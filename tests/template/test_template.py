"""``template.yaml`` as it is written: routes, keys, the gateway's own answers, parameters."""

import ast
import json
import re
from typing import Any

import pytest
from documents import documents

import app
from cloudformation import EVERYTHING, ROOT, TEMPLATE
from cutout.errors import CutoutError
from cutout.http.removebg import CODES

RESOURCES = TEMPLATE["Resources"]
API = RESOURCES["Api"]["Properties"]
GLOBALS = TEMPLATE["Globals"]["Function"]
FUNCTION = GLOBALS | RESOURCES["ApiFunction"]["Properties"]
ROUTES = {
    (event["Properties"]["Method"], event["Properties"]["Path"]): event["Properties"]
    for event in FUNCTION["Events"].values()
}
ENDPOINTS = {(e.method, e.path): e.keyed and e.gateway_keys for e in app.api().endpoints}

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

# These come only where API Gateway checks a key or a signature, or knows no route.
NOT_FOR_REMOVE_BG = {
    *("EXPIRED_TOKEN", "INVALID_API_KEY", "INVALID_SIGNATURE", "MISSING_AUTHENTICATION_TOKEN"),
    *("QUOTA_EXCEEDED", "RESOURCE_NOT_FOUND", "UNAUTHORIZED"),
}


def answer(kind: str) -> dict[str, Any]:
    """Return the error that a type of gateway answer holds."""
    template: str = API["GatewayResponses"][kind]["ResponseTemplates"]["application/json"]
    error: dict[str, Any] = json.loads(template)["error"]
    return error


def names(value: Any) -> set[str]:
    """Return every name in a part of the template, at any depth."""
    if isinstance(value, dict):
        return set(value).union(*map(names, value.values()))
    return set().union(*map(names, value)) if isinstance(value, list) else set()


def test_every_type_of_gateway_answer_is_given() -> None:
    """None is left to AWS's own text."""
    assert set(API["GatewayResponses"]) == set(ANSWERS)


@pytest.mark.parametrize("kind", ANSWERS)
def test_gateway_answers_are_the_contracts(kind: str) -> None:
    """Each is our envelope, with a literal status that is the status sent."""
    spec = API["GatewayResponses"][kind]
    status, code = ANSWERS[kind]
    assert not {name for name in names(spec) if name == "Ref" or name.startswith("Fn::")}
    assert list(spec["ResponseTemplates"]) == ["application/json"]
    document = json.loads(spec["ResponseTemplates"]["application/json"])
    assert list(document) == (["error"] if kind in NOT_FOR_REMOVE_BG else ["error", "errors"])
    assert list(answer(kind)) == ["code", "message", "status", "request_id"]
    assert (spec["StatusCode"], answer(kind)["status"]) == (status, status)
    assert answer(kind)["code"] == code
    assert answer(kind)["request_id"] == "$context.requestId"


@pytest.mark.parametrize("kind", sorted(set(ANSWERS) - NOT_FOR_REMOVE_BG))
def test_gateway_answers_are_read_by_remove_bgs_clients_too(kind: str) -> None:
    """The same message, in remove.bg's shape, under its code where it has one."""
    template = API["GatewayResponses"][kind]["ResponseTemplates"]["application/json"]
    (error,) = json.loads(template)["errors"]
    assert list(error) == ["title", "code", "detail"]
    assert error["title"] == answer(kind)["message"]
    assert error["code"] == CODES.get(answer(kind)["code"], answer(kind)["code"])
    assert re.fullmatch(r"[ -~]*", error["detail"])


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
    assert headers["Access-Control-Allow-Origin"] == "'*'"
    assert headers["X-Request-Id"] == "context.requestId"
    assert headers["X-Content-Type-Options"] == "'nosniff'"
    assert "X-Request-Id" in exposed
    is_429 = ANSWERS[kind][0] == 429
    assert ("Retry-After" in headers, "Retry-After" in exposed) == (is_429, is_429)
    if is_429:
        assert re.fullmatch(r"'[1-9][0-9]*'", headers["Retry-After"])


@pytest.mark.parametrize("kind", [kind for kind in ANSWERS if ANSWERS[kind][0] in {500, 502}])
def test_a_fault_of_ours_is_told_in_the_functions_words(kind: str) -> None:
    """A caller need not know which part of us failed."""
    assert answer(kind)["message"] == str(CutoutError())


def test_a_wrong_key_has_the_contracts_message() -> None:
    """The wording is part of the contract."""
    assert answer("INVALID_API_KEY")["message"] == "Missing or invalid API key."


def test_a_large_request_is_told_where_to_go() -> None:
    """Uploads are the way out."""
    assert "/v2/uploads" in answer("REQUEST_TOO_LARGE")["message"]


def test_the_routes_are_those_that_the_code_serves() -> None:
    """Each path has its own methods, and an ANY for preflights and wrong methods."""
    assert set(ROUTES) == set(ENDPOINTS) | {("ANY", path) for _, path in ENDPOINTS}


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_keys_are_required_where_the_code_checks_them(route: tuple[str, str]) -> None:
    """The template says it for each route; a preflight never has a key."""
    assert ROUTES[route]["Auth"] == {"ApiKeyRequired": ENDPOINTS.get(route, False)}
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


def test_the_variables_are_those_that_the_functions_read() -> None:
    """All of them, each for the function that reads it, by the names in ``settings``."""
    reader = ROOT / "function/cutout/settings/environment.py"
    tree = ast.parse(reader.read_text(encoding="utf-8"))
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    read = {t for t in texts if isinstance(t, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", t)}
    # Lambda sets the size of the memory and tells how it starts the function. Two are for local
    # runs: a deployment has its model in a layer and its keys in SSM.
    expected = read - {"MODEL_DIR", "API_KEY_HASHES"}
    expected -= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE"}
    places = [GLOBALS, RESOURCES["ApiFunction"]["Properties"]]
    places.append(RESOURCES["UploadFunction"]["Properties"])
    given = [name for place in places for name in place["Environment"]["Variables"]]
    assert sorted(given) == sorted(expected)


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_parameters_explain_and_limit_themselves(name: str) -> None:
    """Each has a description, a default and limits, and is used."""
    parameter = TEMPLATE["Parameters"][name]
    assert parameter["Description"]
    assert "Default" in parameter
    assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter)
    used = json.dumps([TEMPLATE[part] for part in ("Conditions", "Globals", "Resources")])
    assert f'{{"Ref": "{name}"}}' in used or f"${{{name}}}" in used


def test_what_a_parameter_must_be_includes_how_long_it_may_be() -> None:
    """CloudFormation says these words whichever limit the value breaks, the length included."""
    limits = {n: p["MaxLength"] for n, p in TEMPLATE["Parameters"].items() if "MaxLength" in p}
    assert len(limits) > 5
    limits["ApiKeyHashes"] = 63  # digests, for whoever counts no characters of a list
    for name, limit in limits.items():
        said = TEMPLATE["Parameters"][name]["ConstraintDescription"]
        assert re.search(rf"\b{limit}\b.* at most", said), name


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        *[("ModelName", text) for text in ("", "erase-s,", "erase-s, u2netp", "../models")],
        *[("ApiKeyHashes", text) for text in ("a key", "0" * 63, f"{'0' * 64}, {'1' * 64}")],
        *[("AccountLabel", text) for text in ("Zoë", "two\nlines")],
        *[("DefaultOptions", text) for text in ("format=webp bg_color=white", "bg_color=größe")],
        *[("AlarmsEmail", text) for text in ("us", "us@shop", "us@shop.example,you@shop.example")],
    ],
)
def test_what_the_stack_could_not_use_is_refused_before_the_deployment(
    name: str, refused: str
) -> None:
    """Not by the function, which would not start, or by one resource in the middle of it."""
    parameter = TEMPLATE["Parameters"][name]
    assert re.fullmatch(parameter["AllowedPattern"], refused) is None
    assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"])
    assert re.fullmatch(parameter["AllowedPattern"], EVERYTHING.get(name, "a"))


def test_the_readme_says_what_to_type_for_a_hidden_parameter() -> None:
    """The guided deployment takes no empty answer for one, whatever its default is."""
    hidden = [name for name, parameter in TEMPLATE["Parameters"].items() if "NoEcho" in parameter]
    assert hidden == ["ApiKeyHashes"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, deploy = readme.partition("## Deploy")
    assert "`ApiKeyHashes`" in deploy.partition("\n## ")[0]


def test_a_document_names_every_parameter() -> None:
    """Whoever decides on a deployment reads them, and not the template."""
    read = [path for path in documents(ROOT) if path.name != "CHANGELOG.md"]
    texts = " ".join(path.read_text(encoding="utf-8") for path in read)
    assert [name for name in TEMPLATE["Parameters"] if f"`{name}`" not in texts] == []


@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_has_its_comment(name: str) -> None:
    """One line above it says what it is for."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert re.search(rf"^  # [A-Z].*\.\n  {name}:$", text, re.MULTILINE)


BUILT = {
    name: resource["Properties"][place]
    for name, resource in RESOURCES.items()
    for place in ("CodeUri", "ContentUri")
    if place in resource["Properties"]
}


@pytest.mark.parametrize("name", BUILT)
def test_what_is_deployed_is_built_by_make(name: str) -> None:
    """``sam build`` calls a target of the folder's Makefile, and needs no Docker for it."""
    kind = RESOURCES[name]["Type"]
    assert kind in {"AWS::Serverless::Function", "AWS::Serverless::LayerVersion"}
    assert RESOURCES[name]["Metadata"] == {"BuildMethod": "makefile"}
    makefile = (ROOT / BUILT[name] / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^([^\s:]+ )*build-{name}( [^\s:]+)*:", makefile, re.MULTILINE)


@pytest.mark.parametrize(
    ("variable", "parameter"),
    [("ARCHITECTURE", "Architecture"), ("MODEL_NAME", "ModelName")],
)
def test_make_builds_what_is_deployed_by_default(variable: str, parameter: str) -> None:
    """Whoever accepts every answer of the first deployment deploys what was built."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(rf"^{variable} \?= (.*)$", makefile, re.MULTILINE) == [
        TEMPLATE["Parameters"][parameter]["Default"]
    ]


def test_the_stack_keeps_no_old_layers() -> None:
    """A published function's version keeps its own copy."""
    for name in BUILT:
        if name.endswith("Layer"):
            assert RESOURCES[name]["Properties"]["RetentionPolicy"] == "Delete"
