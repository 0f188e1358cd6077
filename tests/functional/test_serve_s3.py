"""``make serve-s3`` as its users meet it: upload a photo, see its cutout arrive."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import pytest
import requests
from cloud import HOST, INTERNAL, Proxy, client, free_port, wait_until
from PIL import Image

from local_aws import REGION, start_local_aws

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "tests/data/photo.jpg"
KEY = {"x-api-key": "local"}


class Served:
    """A running service; ``ready`` is the line that it printed."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, str], log: IO[str]) -> None:
        self.process = process
        self.ready = ready
        self.s3 = client("s3", ready["s3"])
        self.sqs = client("sqs", ready["s3"])
        self._log = log

    def results(self) -> list[str]:
        """Return the keys in the result bucket."""
        page = self.s3.list_objects_v2(Bucket=self.ready["result_bucket"])
        return [entry["Key"] for entry in page.get("Contents", ())]

    def upload(self, key: str, body: bytes, **metadata: str) -> None:
        """Put an object into the input bucket."""
        self.s3.put_object(Bucket=self.ready["input_bucket"], Key=key, Body=body, Metadata=metadata)

    def result(self, key: str) -> bytes:
        """Return a result, once it is there."""
        wait_until(lambda: key in self.results(), seconds=30)
        answer = self.s3.get_object(Bucket=self.ready["result_bucket"], Key=key)
        body: bytes = answer["Body"].read()
        return body

    def waiting(self) -> int:
        """Return how many messages are in the queue or being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(
            QueueUrl=self.ready["queue_url"], AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def stop(self) -> tuple[int, str]:
        """End it as a terminal would; return its status and what else it printed."""
        os.killpg(self.process.pid, signal.SIGTERM)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output

    def log(self) -> str:
        """Return what it logged."""
        self._log.seek(0)
        return self._log.read()


@contextmanager
def serve(*arguments: str, **variables: str) -> Iterator[Served]:
    """Run the service in a process group of its own, as ``make`` would."""
    with (
        TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, ROOT / "events/local/serve_s3.py", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env=os.environ | variables,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                log.seek(0)
                pytest.fail(log.read())
            yield Served(process, json.loads(line), log)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve on free ports."""
    with serve("--s3-port", "0") as served:
        yield served


def opened(body: bytes) -> Image.Image:
    """Return an image, fully decoded."""
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def test_the_line_says_all_that_is_needed(served: Served) -> None:
    """Where everything is; each of it answers."""
    assert list(served.ready) == ["url", "s3", "input_bucket", "result_bucket", "queue_url"]
    health = requests.get(f"{served.ready['url']}/v2/health", timeout=30)
    assert health.json()["status"] == "ok"
    buckets = {bucket["Name"] for bucket in served.s3.list_buckets()["Buckets"]}
    assert buckets == {served.ready["input_bucket"], served.ready["result_bucket"]}
    # As the template has them.
    versions = served.s3.get_bucket_versioning(Bucket=served.ready["input_bucket"])
    assert versions["Status"] == "Enabled"


def test_the_hint_works_as_it_is_printed(tmp_path: Path) -> None:
    """It is printed before the line; one command uploads, the other fetches the cutout, too."""
    with serve("--s3-port", "0", UPLOAD_PREFIX="in/", TARGET_PREFIX="out/") as served:
        by_cli, by_python = (
            line.strip() for line in served.log().splitlines() if line.startswith("  ")
        )
        assert by_cli == (
            "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=eu-west-1 aws"
            f" s3 cp tests/data/photo.jpg s3://cutout-input/in/ --endpoint-url {served.ready['s3']}"
        )
        (tmp_path / ".venv").symlink_to(sys.prefix)
        (tmp_path / "tests").symlink_to(ROOT / "tests")
        subprocess.run(["bash", "-c", by_python], cwd=tmp_path, check=True)  # noqa: S607 # as a user
    assert opened((tmp_path / "cutout.png").read_bytes()).size == (320, 320)


def test_an_upload_becomes_a_cutout(served: Served) -> None:
    """By EventBridge's event, the queue and the worker; a photo that is none leaves its error."""
    served.upload("uploads/büro/a cat+1.jpg", PHOTO.read_bytes(), format="webp")
    served.upload("uploads/bad.jpg", b"no image")
    served.upload("elsewhere/cat.jpg", PHOTO.read_bytes())
    image = opened(served.result("cutouts/büro/a cat+1.jpg.webp"))
    assert (image.mode, image.size) == ("RGBA", (320, 320))
    error = json.loads(served.result("cutouts/bad.jpg.error.json"))["error"]
    assert error["code"] == "invalid_image"
    wait_until(lambda: served.waiting() == 0, seconds=30)
    assert sorted(served.results()) == [
        "cutouts/bad.jpg.error.json",
        "cutouts/büro/a cat+1.jpg.webp",
    ]


def test_metadata_with_underscores_in_their_names() -> None:
    """boto3 takes ``bg_color`` as it is written in Python, and S3 keeps it: no option is lost."""
    server = start_local_aws(0)
    try:
        s3 = client("s3", f"http://{HOST}:{server.port}")
        s3.create_bucket(
            Bucket="underscores", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        metadata = {"bg_color": "white", "crop-margin": "5px", "Shadow_Type": "drop"}
        s3.put_object(Bucket="underscores", Key="a.jpg", Metadata=metadata)
        kept = s3.head_object(Bucket="underscores", Key="a.jpg")["Metadata"]
    finally:
        server.shutdown()
    assert kept == {"bg-color": "white", "crop-margin": "5px", "shadow-type": "drop"}


def test_an_upload_for_a_request(served: Served) -> None:
    """The form, the key, the URL of the result: all of it real HTTP."""
    url = served.ready["url"]
    form = requests.post(f"{url}/v2/uploads", headers=KEY, timeout=30).json()
    sent = requests.post(
        form["upload"]["url"],
        data=form["upload"]["fields"],
        files={"file": PHOTO.read_bytes()},
        timeout=30,
    )
    assert sent.ok
    answer = requests.post(
        f"{url}/v2",
        headers=KEY,
        json={"image_key": form["image_key"], "response": "url"},
        timeout=60,
    )
    assert opened(requests.get(answer.json()["url"], timeout=30).content).size == (320, 320)


def test_it_ends_cleanly() -> None:
    """At SIGTERM to its group: status 0, nothing more on stdout, all ports free."""
    with serve("--s3-port", "0") as served:
        ports = [int(served.ready[name].rpartition(":")[2]) for name in ("url", "s3")]
        assert served.stop() == (0, "")
        assert "Traceback" not in served.log()
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex((HOST, port)) != 0


def test_a_port_that_is_taken() -> None:
    """Said in a line, with status 1, and nothing is printed that looks ready."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--port", "--s3-port"):
            program: list[Any] = [sys.executable, ROOT / "events/local/serve_s3.py"]
            others = {"--port": "0", "--s3-port": "0"} | {option: port}
            done = subprocess.run(
                [*program, *(part for pair in others.items() for part in pair)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stdout) == (1, "")
            assert (
                f"cannot listen on port {port}: Address already in use. Choose another port: "
                f"{option[2:].replace('-', '_').upper()}=… for make, {option} for this program\n"
            ) in done.stderr
            assert "Traceback" not in done.stderr


def test_by_way_of_a_proxy() -> None:
    """The function's calls go through one that leads to this S3, and through no other server."""
    s3_port = free_port()
    way = Proxy(f"http://{HOST}:{s3_port}")
    way.judge = lambda _: INTERNAL if len(way.calls) % 10 == 0 else None
    with serve("--s3-port", str(s3_port), AWS_ENDPOINT_URL_S3=way.url) as served:
        way.calls.clear()
        served.upload("uploads/cat.jpg", PHOTO.read_bytes())
        assert opened(served.result("cutouts/cat.jpg.png")).size == (320, 320)
        assert {"HEAD", "GET", "PUT"} <= {call.method for call in way.calls}
    way.shutdown()
    way.server_close()
    with serve("--s3-port", "0", AWS_ENDPOINT_URL_S3=way.url) as served:
        served.upload("uploads/cat.jpg", PHOTO.read_bytes())
        served.result("cutouts/cat.jpg.png")
