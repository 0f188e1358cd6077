"""``make invoke`` with every sample of ``events/``, as its caller sees it."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from gateway import Request
from http_gateway import HttpGateway
from make_events import EVENTS, ROOT, Sample, s3_batch_event, samples, text_of
from rest_gateway import RestGateway
from sam_template import read_template

SAMPLES = samples()
INVOKE = EVENTS / "local" / "invoke.py"

# As a caller's is: without the settings that other tests make.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in {"KEYS_CHECKED_BY", "API_KEY_HASHES", "INPUT_BUCKET", "RESULT_BUCKET"}
}

# One process for all: what each prints, and its exit status.
ALL = """
import contextlib, io, json, sys
from pathlib import Path
import invoke
runs = {}
paths = [path for kind in ("rest", "http") for path in Path(sys.argv[1]).glob(kind + "-*.json")]
for path in sorted(paths):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = invoke.main([str(path), "--out", sys.argv[2]])
    runs[path.name] = [status, out.getvalue()]
print(json.dumps(runs))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the program."""

    exit_status: int
    printed: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that were printed."""
        lines = self.printed.partition("\n\n")[0].splitlines()[1:]
        return dict(line.split(": ", 1) for line in lines)

    @property
    def body(self) -> str:
        """What was printed of the body."""
        return self.printed.partition("\n\n")[2]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the images are written to."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def runs(out: Path) -> dict[str, Run]:
    """Return the runs of all samples, by the file's name."""
    done = subprocess.run(
        [sys.executable, "-c", ALL, str(EVENTS), str(out)],
        cwd=EVENTS / "local",
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {
        name: Run(exit_status=status, printed=printed)
        for name, (status, printed) in json.loads(done.stdout).items()
    }


def test_the_files_are_what_the_script_makes() -> None:
    """The samples are made, not edited: `python tests/make_events.py` writes them."""
    files = {path.name: path.read_text(encoding="utf-8") for path in EVENTS.glob("*.json")}
    assert files == {name: text_of(sample.event) for name, sample in SAMPLES.items()}


def shape(value: object) -> object:
    """Return the names in an event, at every depth, but for those that a client chooses."""
    if not isinstance(value, dict):
        return None
    chosen = {"headers", "multiValueHeaders", "queryStringParameters"}
    chosen |= {"multiValueQueryStringParameters"}
    return {name: None if name in chosen else shape(inner) for name, inner in value.items()}


@pytest.mark.parametrize(
    ("name", "query", "body"),
    [("rest-json.json", "", b"{}"), ("rest-raw.json", "a=1", b"?"), ("rest-health.json", "", b"")],
)
def test_the_local_rest_api_sends_what_aws_sends(name: str, query: str, body: bytes) -> None:
    """The events of `make serve` have the fields of the samples: no more, no fewer."""
    sample = SAMPLES[name].event
    gateway = RestGateway.of(read_template(ROOT / "template.yaml"))
    request = Request(method=sample["httpMethod"], path=sample["path"], query=query, body=body)
    assert shape(gateway.event(request)) == shape(sample)


@pytest.mark.parametrize(
    ("name", "query", "media_type"),
    [("http-json.json", "", "application/json"), ("http-raw.json", "a=1", "image/jpeg")],
)
def test_the_local_http_api_sends_what_aws_sends(name: str, query: str, media_type: str) -> None:
    """So do those of `make serve PAYLOAD=2.0`; a field that a request lacks is left out."""
    sample = SAMPLES[name].event
    headers = (("Content-Type", media_type), ("X-Api-Key", "local"))
    request = Request(method="POST", path="/v2", query=query, headers=headers, body=b"{}")
    event = HttpGateway().event(request)
    assert shape(event) == shape(sample)
    assert event["isBase64Encoded"] is sample["isBase64Encoded"]


@pytest.mark.parametrize(
    ("name", "sample"), [(n, sample) for n, sample in SAMPLES.items() if sample.status is not None]
)
def test_each_sample_gets_its_answer(name: str, sample: Sample, runs: dict[str, Run]) -> None:
    """The status is printed first, an error's code in its body; only a success exits with 0."""
    run = runs[name]
    assert sample.status is not None
    assert run.printed.startswith(f"{sample.status} in "), run.printed[:500]
    assert run.exit_status == int(sample.status >= 400)
    assert run.headers["Access-Control-Allow-Origin"] == "*"
    if sample.code is not None:
        error = json.loads(run.body)["error"]
        assert error["code"] == sample.code
        assert error["status"] == sample.status
        assert error["request_id"] == sample.event["requestContext"]["requestId"]
        assert run.headers["X-Request-Id"] == error["request_id"]


@pytest.mark.parametrize(
    ("name", "file", "image_format", "mode"),
    [
        ("rest-multipart.json", "rest-multipart.png", "PNG", "RGBA"),
        ("rest-json.json", "rest-json.png", "PNG", "RGB"),
        ("rest-raw.json", "rest-raw.webp", "WEBP", "RGBA"),
        ("http-multipart.json", "http-multipart.png", "PNG", "RGBA"),
        ("http-json.json", "http-json.png", "PNG", "RGB"),
        ("http-raw.json", "http-raw.jpg", "JPEG", "RGB"),
    ],
)
def test_images_are_written(
    name: str, file: str, image_format: str, mode: str, runs: dict[str, Run], out: Path
) -> None:
    """An image is named after its event, with the extension of its format."""
    path = out / file
    assert runs[name].body == f"{path}: {path.stat().st_size:,} bytes\n"
    with Image.open(path) as image:
        assert (image.format, image.mode) == (image_format, mode)
        assert str(image.width) == runs[name].headers["X-Width"]


def test_both_payload_formats_give_the_same_bytes(runs: dict[str, Run], out: Path) -> None:
    """The gateway's flavour changes nothing in the image."""
    assert "rest-multipart.json" in runs
    assert (out / "rest-multipart.png").read_bytes() == (out / "http-multipart.png").read_bytes()


def run_invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a caller does."""
    command = [sys.executable, str(INVOKE), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, check=False, capture_output=True, text=True
    )


CAT, TEST = "cutouts/a cat.jpg.png", "cutouts/test+b 100%.png.png"
RESULTS = {
    "s3-eventbridge.json": [TEST],
    "s3-put.json": [CAT],
    "s3-removed.json": [],
    "s3-several.json": [CAT, "cutouts/büro/100% + 1.png.png"],
    "s3-test.json": [],
    "s3batch-1.json": ["cutouts/shop-photos/2026/a cat.jpg.png"],
    "s3batch-2.json": ["cutouts/shop-photos/2026/a cat.jpg.webp"],
    "sns-s3.json": [CAT],
    "sqs-eventbridge.json": [TEST],
    "sqs-s3.json": [CAT],
    "sqs-several.json": [CAT, TEST],
    "sqs-sns.json": [CAT],
}


def test_samples_about_s3_leave_their_results(tmp_path: Path) -> None:
    """Each in an S3 of its own that holds the photo; the answer is printed, then each result."""

    def invoked(name: str) -> subprocess.CompletedProcess[str]:
        return run_invoke(f"events/{name}", "--out", str(tmp_path / name))

    with ThreadPoolExecutor(4) as pool:
        runs = dict(zip(RESULTS, pool.map(invoked, RESULTS), strict=True))
    assert {n for n, sample in SAMPLES.items() if sample.status is None} == RESULTS.keys()
    for name, done in runs.items():
        # One message of this one is no JSON, and is to come again.
        assert done.returncode == (name == "sqs-several.json"), done.stderr
        answer, *results = done.stdout.split("\n\ns3://cutout-results/")
        assert [result.splitlines()[0] for result in results] == RESULTS[name]
        for number, result in enumerate(results, start=1):
            path, _, size = result.splitlines()[1].rpartition(": ")
            assert Path(path).stem == f"{name.removesuffix('.json')}-{number}"
            with Image.open(path) as image:
                assert image.size == (320, 320)
            assert size == f"{Path(path).stat().st_size:,} bytes"
        if name.startswith("s3batch"):
            (report,) = json.loads(answer)["results"]
            assert report["resultCode"] == "Succeeded"
        elif name.startswith("sqs"):
            assert len(json.loads(answer)["batchItemFailures"]) == done.returncode
        else:
            assert json.loads(answer) is None


def test_the_program_runs_from_the_root() -> None:
    """What it prints on stdout is the answer; the function's log is on stderr."""
    done = run_invoke("events/rest-health.json")
    assert done.returncode == 0
    assert done.stdout.startswith("200 in ")
    assert json.loads(done.stdout.partition("\n\n")[2])["status"] == "ok"
    assert '"message":"answered"' in done.stderr.replace(" ", "")


def test_an_event_must_be_named() -> None:
    """Where none is, the refusal shows the command of `make` that names one."""
    done = run_invoke()
    assert done.returncode == 2
    message = "error: name an event, such as make invoke EVENT=events/rest-multipart.json\n"
    assert done.stderr.endswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        ("{", "not JSON: Expecting property name"),
        ("[1]", "not an event, which is a JSON object"),
        (
            json.dumps(s3_batch_event("shop-photos", "", schema="1.0")),
            "an object that S3 does not take: Parameter validation failed",
        ),
    ],
)
def test_a_wrong_file_is_named(content: str | None, message: str, tmp_path: Path) -> None:
    """One line says which file and what is wrong with it."""
    path = tmp_path / "event.json"
    if content is not None:
        path.write_text(content)
    done = run_invoke(str(path))
    assert done.returncode == 2
    assert f"{path}: {message}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("event", ["events/rest-raw.json", "events/s3-put.json"])
def test_a_folder_that_cannot_be_written_is_named(event: str, tmp_path: Path) -> None:
    """After the answer, with the way to choose another one."""
    (tmp_path / "taken").touch()
    done = run_invoke(event, "--out", str(tmp_path / "taken"))
    assert done.returncode == 2
    assert done.stdout.startswith(("200 in ", "null"))
    assert f"'{tmp_path / 'taken'}'. Choose another folder: OUT=… for make" in done.stderr
    assert "Traceback" not in done.stderr
