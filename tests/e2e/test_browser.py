"""The API and S3 in a real browser, from a page of a third origin: CORS and redirects."""

import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import skimage.data
from PIL import Image
from test_serve_s3 import serve

from image_files import encoded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTH, HEIGHT = 1500, 1400  # px of the photo
BMP_BYTES = WIDTH * HEIGHT * 3 + 54
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

# A page of a shop that calls the API of another origin. It writes what it got into its title.
PAGE = """<!doctype html><meta charset="utf-8"><title>waiting</title><script>
async function run(api) {
  const photo = await (await fetch("photo.jpg")).blob();
  const send = (fields) => {
    const form = new FormData();
    form.append("image_file", photo, "photo.jpg");
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    return fetch(api + "/v2", { method: "POST", headers: { "x-api-key": "local" }, body: form });
  };
  const found = {};
  const attempt = async (name, work) => {
    try { found[name] = await work(); } catch (error) { found[name] = String(error); }
  };
  await attempt("inline", async () => {
    const reply = await send({ format: "png", size: "preview" });
    return [reply.status, reply.headers.get("X-Width"), (await reply.blob()).type];
  });
  await attempt("refused", async () => {
    const reply = await send({ bg_color: "bluish" });
    return [reply.status, (await reply.json()).error.code];
  });
  await attempt("redirected", async () => {
    const reply = await send({ format: "bmp" });
    return [reply.status, reply.redirected, (await reply.blob()).size];
  });
  await attempt("by_url", async () => {
    const job = await (await send({ format: "bmp", response: "url" })).json();
    return [job.format, (await (await fetch(job.url)).blob()).size];
  });
  await attempt("uploaded", async () => {
    const headers = { "x-api-key": "local" };
    const form = await (await fetch(api + "/v2/uploads", { method: "POST", headers })).json();
    const body = new FormData();
    for (const [name, value] of Object.entries(form.upload.fields)) body.append(name, value);
    body.append("file", photo);
    const stored = await fetch(form.upload.url, { method: "POST", body });
    return [stored.ok];
  });
  document.title = JSON.stringify(found);
}
run(API);
</script>"""


class Site(BaseHTTPRequestHandler):
    """The shop's own server: the page and a photo whose BMP passes the platform's limit."""

    api = ""
    photo = b""

    def do_GET(self) -> None:
        """Answer a file."""
        page = PAGE.replace("API", json.dumps(self.api)).encode()
        kind, body = ("image/jpeg", self.photo) if "photo" in self.path else ("text/html", page)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the page got of a deployment that allows the page's origin and no other."""
    photo = Image.fromarray(skimage.data.astronaut()).resize((WIDTH, HEIGHT))
    Site.photo = encoded(photo, "JPEG")
    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{site.server_port}"
    profile = tmp_path_factory.mktemp("profile")
    with serve("--s3-port", "0", ALLOWED_ORIGIN=origin) as served:
        Site.api = served.ready["url"]
        shown = subprocess.run(
            [
                *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
                *(f"--user-data-dir={profile}", "--virtual-time-budget=120000", origin),
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=180,
        ).stdout
    site.shutdown()
    site.server_close()
    title = re.search("<title>(.*)</title>", shown)
    assert title, shown
    return dict(json.loads(title[1]))


def test_a_page_reads_results_and_errors(found: dict[str, Any]) -> None:
    """The image, the headers that the API exposes, and an error's code."""
    assert found["inline"][0] == 200
    assert int(found["inline"][1]) == int((250_000 * WIDTH / HEIGHT) ** 0.5)
    assert found["inline"][2] == "image/png"
    assert found["refused"] == [400, "invalid_bg_color"]


def test_a_page_follows_the_redirect_to_a_large_result(found: dict[str, Any]) -> None:
    """After a redirect to another origin a browser sends ``Origin: null``; S3 must take that."""
    assert found["redirected"] == [200, True, BMP_BYTES]


def test_a_page_fetches_a_result_by_its_url(found: dict[str, Any]) -> None:
    """Then it sends its own origin."""
    assert found["by_url"] == ["bmp", BMP_BYTES]


def test_a_page_uploads_a_large_photo(found: dict[str, Any]) -> None:
    """By the form of ``POST /v2/uploads``."""
    assert found["uploaded"] == [True]
