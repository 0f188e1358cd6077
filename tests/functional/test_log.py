"""The log and the metrics, and what counts on their names: the runbook, the dashboard, alarms."""

import base64
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import Client
from cloud import (
    DENIED,
    Cloud,
    Proxy,
    always,
    break_down,
    fake_remover,
    free_port,
    is_source_read,
    messages,
    png,
)
from conftest import deployment, logger_to

import app
from context import LocalContext
from cutout.errors import StorageFailed
from cutout.http.large_images import Transfer
from cutout.store import Patience, Store
from make_events import Request, rest_event

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / ".github/RUNBOOK.md").read_text(encoding="utf-8")
TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")

S3_README = (ROOT / "function/cutout/s3/README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```text\n(.*?)```", RUNBOOK + S3_README, re.DOTALL)
_WORDS = {"fields", "filter", "sort", "stats", "by", "as", "and", "or", "like", "desc", "asc"}
_FUNCTIONS = {"count", "avg", "pct", "max", "sum", "bin", "ispresent", "latest"}
_ADDED_BY_CLOUDWATCH = {"@timestamp", "@message"}


def event(path: str, body: bytes) -> dict[str, Any]:
    """Return a REST API's event with an image as its body."""
    headers = {"Content-Type": "image/png"}
    request = Request(
        name=path,
        method="POST",
        path=path,
        headers=headers,
        query=[("format", "jpg")],
        body=body,
        key="local",
    )
    return rest_event(request)


def lines_of(text: str) -> list[dict[str, Any]]:
    """Return what stands in JSON lines."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def lose_s3() -> None:
    """Fail as the work does where S3 refuses."""
    raise StorageFailed(call="PutObject", reason="SlowDown")


def names_in(value: object, name: str = "") -> Iterator[str]:
    """Yield the names that CloudWatch gives a line's fields: an object's own name is none."""
    if isinstance(value, dict):
        for inner in value:
            yield from names_in(value[inner], f"{name}.{inner}" if name else inner)
    else:
        yield name


@pytest.fixture
def logged(cloud: Cloud) -> list[dict[str, Any]]:
    """Return what both handlers log: of a result, of a refusal, and of a fault of ours."""
    log = io.StringIO()
    logger = logger_to(log)
    broken = fake_remover(break_down)
    for remover, body in ((app.remover, png()), (app.remover, b"junk"), (broken, png())):
        handler = deployment(remover, logger=logger)
        logger.inject_lambda_context(handler, clear_state=True)(event("/v2", body), LocalContext())
    upload = cloud.put("uploads/cat.png", png())
    cloud.handle(messages(upload.created()))
    cloud.remover = broken
    cloud.handle(messages(cloud.put("uploads/cat.png", png(50)).created()))
    cloud.remover = fake_remover(lose_s3)
    cloud.handle(messages(cloud.put("uploads/cat.png", png(60)).created()))
    return lines_of(log.getvalue()) + cloud.lines()


def test_one_line_tells_the_whole_request(logged: list[dict[str, Any]]) -> None:
    """What was asked, what it cost, by which model, and how it ended."""
    good, bad, failed = (line for line in logged if line["message"] == "answered")
    assert {"method", "path", "status", "elapsed_ms", "request_id", "cold_start"} <= good.keys()
    assert (good["status"], good["photo_px"], good["body_bytes"]) == (200, 144, len(png()))
    assert good["reply_bytes"] > 0
    assert good["model"] == app.remover.model
    assert 0 <= good["confidence"] <= 1
    assert list(good["stage_ms"]) == ["decode", "matte", "compose", "encode"]
    assert (bad["status"], bad["code"], bad["kind"]) == (400, "invalid_image", "InvalidImage")
    assert "stage_ms" not in bad
    assert (failed["status"], failed["code"], failed["kind"]) == (
        500,
        "internal_error",
        "RuntimeError",
    )


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_name_what_is_logged(logged: list[dict[str, Any]], query: str) -> None:
    """A query about a field that no line has finds nothing, and says nothing."""
    known = {name for line in logged for name in names_in(line)} | _ADDED_BY_CLOUDWATCH
    words = re.findall(r"@?[a-z_]\w*(?:\.\w+)*", re.sub(r'"[^"]*"|\b\d+\w*', "", query))
    named = set(words) - set(re.findall(r"\bas (\w+)", query)) - _WORDS - _FUNCTIONS
    assert named
    assert named - known == set()
    values = re.findall(r'message = "(\w+)"', query)
    assert set(values) <= {line["message"] for line in logged}


def test_the_runbook_explains_every_kind_that_it_names() -> None:
    """Each is a class of the tree or of Python."""
    kinds = re.findall(r"^\| `([A-Z]\w+)` \|", RUNBOOK, re.MULTILINE)
    errors = (ROOT / "function/cutout/errors.py").read_text(encoding="utf-8")
    assert len(kinds) > 5
    assert [kind for kind in kinds if f"class {kind}(" not in errors] == ["ImportError"]


def test_the_runbook_shows_the_facts_that_it_says_to_read() -> None:
    """Whoever is woken by the alarm has no request_id by which to look for the line."""
    (query,) = (text for text in QUERIES if "by code, kind" in text and '"failed"' in text)
    facts = set(re.findall(r"`(facts\.\w+)`", RUNBOOK))
    assert facts
    assert [fact for fact in facts if fact not in query] == []
    assert "request_id" in query


def test_the_runbook_names_every_alarm() -> None:
    """Whoever is woken by one finds what to do."""
    alarms = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm", TEMPLATE, re.MULTILINE)
    assert len(alarms) > 5
    assert [alarm for alarm in alarms if f"`{alarm}`" not in RUNBOOK] == []


def test_the_dashboard_shows_what_is_measured(capfd: pytest.CaptureFixture[str]) -> None:
    """By exactly the names and dimensions that the code sends: another one would stay empty."""
    app.http_handler(event("/v2", png()), LocalContext())
    app.http_handler(event("/v2", b"junk"), LocalContext())
    deployment(fake_remover(break_down))(event("/v2", png()), LocalContext())
    sent: dict[str, set[str]] = {}
    for line in lines_of(capfd.readouterr().out):
        for group in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in group["Metrics"]:
                sent[metric["Name"]] = set(group["Dimensions"][0])
    shown = {name: {"service"} for name in re.findall(r'\["Cutout", "(\w+)", "service"', TEMPLATE)}
    for dimensions, name in re.findall(r'\{Cutout,([\w,]+)\} MetricName=\\?"(\w+)', TEMPLATE):
        shown[name] = set(dimensions.split(","))
    assert {"DecodeTime", "MatteTime", "ComposeTime", "EncodeTime", "Errors", "Faults"} == set(
        shown
    )
    assert {name: sent.get(name) for name in shown} == shown


HOSTILE = (
    "a\u2028b",
    "a\u2029b",
    "a\x85b",
    "a\r\nb",
    "a\x1c\x0b\x0cb",
    "a\x00\x1b[31m\x7f\x9bb",
    "a\ud800b",
    "büro/猫",
)
SENDER = """
import json, sys
import app
from context import LocalContext

for event in json.load(sys.stdin):
    app.http_handler(event, LocalContext(timeout_s=60))
"""


def test_a_line_is_one_line_to_every_reader() -> None:
    """Whatever is in a path, and in the id of a direct call: each answer has its line, whole."""
    events = []
    for text in HOSTILE:
        sent = event("/v2", b"")
        sent["resource"] = f"/{text}"
        sent["requestContext"]["requestId"] = text
        events.append(sent)
    done = subprocess.run(
        [sys.executable, "-c", SENDER],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'function'}{os.pathsep}{ROOT / 'events/local'}"},
        input=json.dumps(events).encode(),
        check=True,
        capture_output=True,
    )
    assert done.stderr == b""
    printed = done.stdout.decode()
    assert not re.search("[\x7f-\x9f\u2028\u2029]", printed)
    assert "büro/猫" in printed
    lines = [json.loads(line) for line in printed.splitlines()]
    answered = [line for line in lines if line.get("message") == "answered"]
    assert [line["path"] for line in answered] == [f"/{text}" for text in HOSTILE]
    assert [line["request_id"] for line in answered] == list(HOSTILE)


SECRETS = {
    "key": "a-key-that-nobody-may-see",
    "text": "a-field-that-nobody-may-see",
    "agent": "a-header-that-nobody-may-see",
    "upload": "signature-that-nobody-may-see",
}


@pytest.mark.parametrize("payload", ["1.0", "2.0"])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_nothing_of_the_callers_is_logged(payload: str, status: int) -> None:
    """No key, no header, no field, no query, no URL and no byte of the image, whatever happens."""
    log = io.StringIO()
    logger = logger_to(log)
    remover = fake_remover(break_down) if status == 500 else app.remover
    client = Client(deployment(remover, logger=logger), payload)
    image = base64.b64encode(png()).decode()
    document = {"image_base64": image, SECRETS["text"]: SECRETS["text"]}
    if status == 400:
        document |= {"bg_color": SECRETS["text"], "image_url": f"https://x/?s={SECRETS['upload']}"}
    reply = client.json(
        f"/v2?note={SECRETS['text']}",
        document,
        headers={"User-Agent": SECRETS["agent"], "Cookie": SECRETS["agent"]},
        key=SECRETS["key"] if status == 401 else "local",
    )
    assert reply.status == status
    text = log.getvalue()
    assert text
    assert [secret for secret in SECRETS.values() if secret in text] == []
    assert image[:24] not in text


@pytest.mark.parametrize("is_reachable", [True, False])
def test_a_key_that_s3_refuses_is_not_logged(
    cloud: Cloud, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, is_reachable: bool
) -> None:
    """What S3 and its client say of a failure names the object; the log has the call and a code."""
    proxy.judge = always(DENIED, is_source_read)
    if not is_reachable:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    key = f"incoming/{SECRETS['text']}"
    cloud.put(key, png())
    log = io.StringIO()
    logger = logger_to(log)
    settings = dataclasses.replace(cloud.settings, api_key_hashes=app.settings.api_key_hashes)
    store = Store(Patience(silence_s=4, retries=0))
    client = Client(
        deployment(app.remover, settings, logger=logger, transfer=Transfer(store, settings))
    )
    assert client.json("/v2", {"image_key": key}).error()["code"] == "internal_error"
    assert SECRETS["text"] not in log.getvalue()
    failed, _ = lines_of(log.getvalue())
    assert failed["kind"] == "StorageFailed"
    assert failed["facts"] == (
        {"call": "GetObject", "reason": "AccessDenied"}
        if is_reachable
        else {"call": "HeadObject", "reason": "EndpointConnectionError"}
    )
