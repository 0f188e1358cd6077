"""Clients of remove.bg from npm and PyPI against the local API: only their base URL is changed.

They are installed into a folder of the test, in exactly these versions. remove.bg's own Node CLI is
in no registry; what it sends is in ``tests/functional/test_removebg_requests.py``.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_serve import serve

from make_events import PHOTO

THEIRS = "https://api.remove.bg"

NODE_PROGRAM = """
const fs = require("fs");
const client = require("remove.bg");
const [photo, out] = process.argv.slice(1);

async function run() {
  const apiKey = "local", base64img = fs.readFileSync(photo).toString("base64");
  const told = await client.removeBackgroundFromImageFile(
    { path: photo, apiKey, size: "full", crop: true, outputFile: out + "/file" });
  await client.removeBackgroundFromImageBase64(
    { base64img, apiKey, size: "regular", type: "person", bg_color: "81d4fa",
      outputFile: out + "/base64" });
  const refused = [];
  for (const wrong of [{ apiKey: "wrong" }, { apiKey, bg_color: "bluish" }]) {
    await client.removeBackgroundFromImageFile({ path: photo, ...wrong })
      .catch((errors) => refused.push(errors[0].code));
  }
  delete told.base64img;
  console.log(JSON.stringify([told, refused]));
}
run();
"""

PYTHON_PROGRAM = """
import base64, sys
from pathlib import Path
from removebg import RemoveBg

photo, out = sys.argv[1:]
client = RemoveBg("local", out + "/errors.log")
client.remove_background_from_img_file(photo, bg_color="white")
text = base64.b64encode(Path(photo).read_bytes()).decode()
client.remove_background_from_base64_img(text, size="hd", new_file_name=out + "/base64")
try:
    RemoveBg("wrong", out + "/errors.log").remove_background_from_img_file(photo)
except Exception as error:
    print(error.response.status_code)
"""


def run(*command: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a program and return what it printed."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )


def point_at(module: Path, url: str) -> None:
    """Change the one line of a client that says where remove.bg is."""
    text = module.read_text(encoding="utf-8")
    assert text.count(THEIRS) == 1
    module.write_text(text.replace(THEIRS, url), encoding="utf-8")


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """Serve the API."""
    with serve() as server:
        yield server.url


def test_the_npm_package(api: str, from_npm: Callable[[str], Path], tmp_path: Path) -> None:
    """A file and base64, JSON replies, the headers that it reads, and its errors."""
    point_at(from_npm("remove.bg@1.3.0") / "remove.bg/dist/index.js", api)
    done = run("node", "--eval", NODE_PROGRAM, PHOTO, tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told, refused = json.loads(done.stdout)
    assert refused == ["auth_failed", "invalid_bg_color"]
    with Image.open(tmp_path / "file") as image:
        assert image.format == "PNG"
        assert image.getchannel("A").getextrema() == (0, 255)
        assert (told["resultWidth"], told["resultHeight"]) == tuple(map(str, image.size))
    assert (told["creditsCharged"], told["detectedType"]) == ("0", "other")
    assert all(told[name].isdecimal() for name in ("rateLimit", "rateLimitRemaining"))
    with Image.open(tmp_path / "base64") as image:
        assert (image.format, image.size) == ("JPEG", (320, 320))


def test_the_pypi_package(api: str, tmp_path: Path) -> None:
    """A file and base64 as forms, with a colour that is not given, and a wrong key."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path)
    installed = run(*pip, "removebg==0.4")
    if installed.returncode:
        pytest.skip(f"pip cannot install the client here: {installed.stderr.strip()[:200]}")
    point_at(tmp_path / "removebg/removebg.py", api)
    photo = shutil.copy(PHOTO, tmp_path / "photo.jpg")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = run(sys.executable, "-c", PYTHON_PROGRAM, photo, tmp_path, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "403\n", "")
    with Image.open(tmp_path / "photo.jpg_no_bg.png") as image:
        assert (image.format, image.size) == ("JPEG", (320, 320))  # opaque, by format=auto
    with Image.open(tmp_path / "base64") as image:
        assert image.getchannel("A").getextrema() == (0, 255)
