"""``make smoke``: its requests against the local server, and against servers that are wrong."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_serve import Served, serve
from test_serve_s3 import serve as serve_s3

ROOT = Path(__file__).resolve().parents[2]
ROWS = 13


def smoke(url: str, key: str = "local") -> tuple[int, list[str], str]:
    """Return the exit status, the table's lines without its head, and what is said of faults."""
    done = subprocess.run(
        [sys.executable, ROOT / "events/local/smoke.py", url],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KEY": key},
    )
    return done.returncode, done.stdout.splitlines()[1:], done.stderr


@pytest.fixture(scope="module", params=["1.0", "2.0"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Serve the real function behind either gateway."""
    with serve("--payload", request.param) as server:
        yield server


def test_the_local_server_answers_as_expected(served: Served) -> None:
    """But for what only AWS shows, which is marked with its reason."""
    status, rows, _ = smoke(served.url)
    assert (status, len(rows)) == (0, ROWS), rows
    marked = [row for row in rows if row.startswith("--")]
    assert [row.split()[1:3] for row in marked] == [
        ["POST", "/v2/uploads"],
        ["POST", "/v2?format=png&response=url"],
        ["POST", "/v2"],
        ["HEAD", "/v2/health"],
    ]
    reasons = ["no local bucket has https"] * 2
    reasons += ["no local bucket has rights", "nothing is throttled locally"]
    for row, reason in zip(marked, reasons, strict=True):
        assert row.endswith(f"only AWS shows it: {reason}")
    assert {row.split()[0] for row in rows} == {"ok", "--"}


def test_a_default_response_by_url_is_no_fault() -> None:
    """A deployment whose requests get a URL where they say nothing still gives a PNG file."""
    with serve_s3("--s3-port", "0", DEFAULT_RESPONSE="url") as served:
        status, rows, _ = smoke(served.ready["url"])
    assert (status, len(rows)) == (0, ROWS), rows


@pytest.mark.parametrize(("served", "failing"), [("1.0", 4), ("2.0", 3)], indirect=["served"])
def test_a_wrong_key_fails(served: Served, failing: int) -> None:
    """In every row that needs one; the table still has the others.

    A REST API looks at the key before it looks at the body, so a body that is too large fails, too.
    """
    status, rows, _ = smoke(served.url, key="wrong")
    assert (status, len(rows)) == (1, ROWS)
    failed = [row for row in rows if row.startswith("FAIL")]
    assert "GET /v2/account" in failed[0]
    assert all(row.endswith("401 invalid_api_key") for row in failed)
    assert len(failed) == failing


Judge = Callable[[str, str], tuple[int, dict[str, str]]]
Say = Callable[[str, bytes], tuple[int, dict[str, object]]]


@contextmanager
def answering(judge: Judge, say: Say | None = None) -> Iterator[str]:
    """Serve what ``judge`` says of a method and a path, with a JSON object as the body.

    ``say`` gives another status and object, by the path and the body of a request.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, headers = judge(self.command, self.path)
            document: dict[str, object] = {"message": None}
            if say:
                status, document = say(self.path, sent)
            body = b"" if self.command == "HEAD" else json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_POST = do_OPTIONS = do_GET  # noqa: N815 # http.server's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 # its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/live"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [200, 403, 500])
def test_every_row_can_fail(status: int) -> None:
    """A REST API that answers everything alike is right nowhere but where that is the answer."""
    with answering(lambda *_: (status, {"x-amz-apigw-id": "a="})) as url:
        code, rows, _ = smoke(url)
    right = [row for row in rows if not row.startswith("FAIL")]
    assert (code, len(rows)) == (1, ROWS)
    assert [row.split()[1:3] for row in right] == (
        [["HEAD", "/v2/health"]] if status == 200 else []
    )


def test_a_throttle_is_seen() -> None:
    """Where some of the many are answered 429 with Retry-After, and the URL has a stage."""
    seen: list[str] = []

    def judge(method: str, path: str) -> tuple[int, dict[str, str]]:
        seen.append(f"{method} {path}")
        headers = {"x-amz-apigw-id": "a="}
        is_over = method == "HEAD" and len(seen) > 30
        return (429, headers | {"Retry-After": "1"}) if is_over else (200, headers)

    with answering(judge) as url:
        _, rows, _ = smoke(url)
    assert rows[-1].startswith("ok"), rows
    assert all(" /live/v2" in line for line in seen)


def test_an_http_api_has_no_throttle_to_show() -> None:
    """It is told apart by its header; its uploads are asked for."""
    with answering(lambda *_: (200, {"apigw-requestid": "a="})) as url:
        _, rows, _ = smoke(url)
    assert [row for row in rows if row.startswith("--")] == [rows[-1]]


@pytest.mark.parametrize("may_use_them", [True, False])
def test_whether_the_function_may_use_the_buckets_is_seen(*, may_use_them: bool) -> None:
    """By a result that it writes, and by its answer about an upload that is not there."""

    def say(path: str, sent: bytes) -> tuple[int, dict[str, object]]:
        if not may_use_them:
            return 500, {"error": {"code": "internal_error", "request_id": "x"}}
        if path.endswith("&response=url"):
            return 200, {"url": "https://bucket.example/results/a.png"}
        if b'"image_key"' in sent:
            return 400, {"error": {"code": "invalid_image_key", "request_id": "x"}}
        return 200, {}

    with answering(lambda *_: (200, {"x-amz-apigw-id": "a="}), say) as url:
        _, rows, _ = smoke(url)
    asked = [row for row in rows if "write results" in row or "what is missing" in row]
    assert [row.startswith("ok") for row in asked] == [may_use_them] * 2


def test_nobody_answers() -> None:
    """That is another status, and no table."""
    status, rows, said = smoke("http://127.0.0.1:9/live")
    assert (status, rows) == (2, [])
    assert said.startswith("Nobody answers at http://127.0.0.1:9/live")
    status, _, said = smoke("https://....../live")  # as the document writes it
    assert status == 2
    assert said.startswith("Nobody answers at https://....../live")


@pytest.mark.parametrize("url", ["", "shop.example", "http://[shop.example", "http://x/é"])
def test_what_is_no_url_is_said(url: str) -> None:
    """As when a make variable was forgotten, or is what another command said of a failure."""
    status, rows, said = smoke(url)
    assert (status, rows) == (2, [])
    assert "error: URL must be the output Url of the stack" in said


@pytest.mark.parametrize("key", ["", "two\nlines", "a key\u2026"])
def test_what_is_no_key_is_said(key: str) -> None:
    """For the same reasons; no request is sent, where nobody would answer."""
    status, rows, said = smoke("http://127.0.0.1:9", key)
    assert (status, rows) == (2, [])
    assert "error: KEY must be an API key of the deployment" in said
