"""A Python client that openapi-python-client makes from the document cuts a photograph out."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from client import Client
from PIL import Image
from test_serve import serve

PHOTO = Path(__file__).resolve().parents[1] / "data/photo.jpg"

PROGRAM = """
import base64, io, sys
from pathlib import Path

from cutout_client import AuthenticatedClient, models
from cutout_client.api.cutout import remove_background
from cutout_client.api.remove_bg import removebg, show_credits
from cutout_client.api.service import show_account, show_health
from cutout_client.types import File

url, photo, out = sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3])

def image():
    return File(payload=io.BytesIO(photo), file_name="photo.jpg", mime_type="image/jpeg")

client = AuthenticatedClient(
    base_url=url, token="local", prefix="", auth_header_name="x-api-key", timeout=120
)
with client:
    form = models.RemovalForm(image_file=image(), bg_color="white", crop=True, quality=80)
    (out / "form").write_bytes(remove_background.sync(client=client, body=form).payload.read())
    body = models.RemovalJson(image_base64=base64.b64encode(photo).decode(), crop_margin="5%")
    (out / "json").write_bytes(remove_background.sync(client=client, body=body).payload.read())
    webp = models.RemoveBackgroundFormat.WEBP
    raw = remove_background.sync(client=client, body=image(), format_=webp)
    (out / "raw").write_bytes(raw.payload.read())
    theirs = models.RemoveBgForm(image_file=image(), type_=models.RemoveBgFormType.PERSON)
    (out / "theirs").write_bytes(removebg.sync(client=client, body=theirs).payload.read())
    wrong = models.RemovalForm(image_file=image(), bg_color="bluish")
    print(remove_background.sync(client=client, body=wrong).error.message)
    print(show_account.sync(client=client).limits.max_pixels)
    print(show_credits.sync(client=client).data.attributes.credits_.total > 0)
    print(show_health.sync(client=client).status)
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client from the document of the deployment under test."""
    import app  # noqa: PLC0415 - as the other fixtures' handlers, after conftest has set it up

    folder = tmp_path_factory.mktemp("generated")
    document = Client(app.http_handler, "2.0").send("GET", "/openapi.json", key=None).json()
    (folder / "openapi.json").write_text(json.dumps(document))
    bin_folder = Path(sys.executable).parent  # the generator calls ruff
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate"),
            *("--path", str(folder / "openapi.json"), "--output-path", str(folder / "client")),
        ],
        env=os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # It knows no media ranges, and leaves that one kind of body out.
    told = done.stdout + done.stderr
    skipped = [line for line in told.splitlines() if line.startswith("Unsupported")]
    assert set(skipped) == {"Unsupported content type image/*"}
    assert told.count("WARNING") == len(skipped)
    return folder / "client"


def test_a_generated_client_cuts_a_photo_out(generated: Path, tmp_path: Path) -> None:
    """By a form, by JSON, by the image as the body, and by remove.bg's route."""
    with serve() as server:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, server.url, str(PHOTO), str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(generated)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "bg_color must be a valid hex or named color.",
        "50000000",
        "True",
        "ok",
    ]
    images = {path.name: Image.open(io.BytesIO(path.read_bytes())) for path in tmp_path.iterdir()}
    assert {name: image.format for name, image in images.items()} == {
        "form": "PNG",
        "json": "PNG",
        "raw": "WEBP",
        "theirs": "PNG",
    }
    with Image.open(PHOTO) as image:
        photo = image.size
    assert images["json"].size == images["raw"].size == images["theirs"].size == photo
    assert images["form"].size != photo
    alphas = {name: image.convert("RGBA").getchannel("A") for name, image in images.items()}
    assert alphas["form"].getextrema() == (255, 255)
    for name in ("json", "raw", "theirs"):
        assert alphas[name].getextrema() == (0, 255)
