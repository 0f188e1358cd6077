"""The built function and layers in AWS's runtime emulator, on the deployment's Python."""

import base64
import dataclasses
import gzip
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import skimage
import sklearn
from client import ANY_PAYLOAD, Client, Handler, HttpReply, multipart
from cloud import Cloud, batch, failures, messages
from PIL import Image
from test_serve import serve

import app
from context import LocalContext
from cutout.options import parse_options
from emulator import Emulator, EmulatorError, Pool, pinned
from gateway import LOCAL_KEY, MAX_REPLY_BYTES
from image_files import encoded, heic_of
from lambda_build import ROOT, Mounts, build_mounts
from lambda_function import FunctionFailed, FunctionLate
from make_events import Sample, samples

STARTS = 7
PHOTOS = {
    "jpeg": ROOT / "tests/data/photo.jpg",
    "landscape": Path(sklearn.__file__).parent / "datasets/images/china.jpg",
    "png": Path(skimage.__file__).parent / "data/astronaut.png",
}
SAMPLES = {name: sample for name, sample in samples().items() if sample.status}


def comparable(reply: HttpReply) -> HttpReply:
    """Return the reply without the one header that tells times."""
    headers = {n: v for n, v in reply.headers.items() if n != "server-timing"}
    return dataclasses.replace(reply, headers=headers)


def enlarged(width: int, height: int) -> bytes:
    """Return the landscape as a JPEG of this size."""
    with Image.open(PHOTOS["landscape"]) as photo:
        return encoded(photo.resize((width, height)), "JPEG")


def difference(reply: HttpReply, other: HttpReply) -> str:
    """Say in how many values, and by how much, the pictures of two replies differ."""
    one, two = (np.asarray(Image.open(io.BytesIO(r.body))).astype(int) for r in (reply, other))
    if one.shape != two.shape:
        return f"{one.shape} and {two.shape}"
    off = np.abs(one - two)
    return f"{(off > 0).sum()} of {off.size} values are off, by {off.max()} at most"


def faults(mounts: Mounts, **settings: Any) -> Emulator:
    """Return an emulator of a function that goes wrong on request."""
    return Emulator(mounts, "faults.handler", task=Path(__file__).parent, **settings)


@pytest.fixture(scope="module")
def faulty(mounts: Mounts) -> Iterator[Emulator]:
    """Run that function."""
    with faults(mounts, timeout_s=2) as emulator:
        yield emulator


# ---- the same answers as from the source


@ANY_PAYLOAD
@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("target", ["png", "webp", "jpg"])
def test_forms_give_the_bytes_of_the_source(
    client: Client, source: Handler, photo: str, target: str
) -> None:
    """A multipart request is answered byte for byte as by the code in this checkout."""
    image = ("photo", PHOTOS[photo].read_bytes())
    form = multipart(image_file=image, format=target, size="preview")
    reply = client.post("/v2", **form)
    assert reply.status == 200
    own = Client(source, client.payload).post("/v2", **form)
    assert comparable(reply) == comparable(own), difference(reply, own)


@ANY_PAYLOAD
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_are_those_of_the_source(client: Client, source: Handler, path: str) -> None:
    """Their files are in what is built."""
    theirs = Client(source, client.payload).send("GET", path, key=None)
    assert comparable(client.send("GET", path, key=None)) == comparable(theirs)
    small = client.send("GET", path, key=None, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(small.body) == theirs.body


@pytest.mark.parametrize("options", [{}, {"bg_color": "#FFFFFF"}, {"channels": "alpha"}])
def test_documents_give_the_bytes_of_the_source(
    client: Client, source: Handler, options: Mapping[str, str]
) -> None:
    """So is a JSON request."""
    image = base64.b64encode(PHOTOS["landscape"].read_bytes()).decode()
    document = {"image_base64": image, **options}
    reply = client.json("/v2", document)
    # A mask that was asked for in JSON comes in JSON.
    kind = "application/json" if options.get("channels") == "alpha" else "image/png"
    assert (reply.status, reply.headers["content-type"]) == (200, kind)
    assert comparable(reply) == comparable(Client(source).json("/v2", document))


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_sample_events_are_answered_as_by_the_source(
    http_emulator: Emulator, source: Handler, sample: Sample
) -> None:
    """Every sample event, those of all errors among them, has the same answer."""

    def without_times(reply: dict[str, Any]) -> dict[str, Any]:
        for headers in (reply.get("headers"), reply.get("multiValueHeaders")):
            (headers or {}).pop("Server-Timing", None)
        return reply

    reply = without_times(http_emulator.handle(sample.event))
    assert reply["statusCode"] == sample.status
    assert reply == without_times(source(sample.event, LocalContext()))
    if sample.code:
        assert json.loads(reply["body"])["error"]["code"] == sample.code


# ---- the limits


def test_a_result_over_the_limit_is_refused_by_us(client: Client) -> None:
    """The caller gets our 413 and its advice, not the platform's failure."""
    photo = enlarged(1600, 1200)
    reply = client.post("/v2?format=bmp", body=photo, content_type="image/jpeg")
    error = reply.error()
    assert (reply.status, error["code"]) == (413, "result_too_large")
    assert "format=webp" in error["message"]


def test_the_platform_refuses_what_is_larger(faulty: Emulator) -> None:
    """Which is why we refuse first: this limit is real, and its answer is no use to a caller."""
    fits = faulty.handle({"do": "write", "bytes": MAX_REPLY_BYTES - 2})  # its two quotes
    assert len(fits) == MAX_REPLY_BYTES - 2
    with pytest.raises(FunctionFailed, match=r"Function\.ResponseSizeTooLarge"):
        faulty.handle({"do": "write", "bytes": MAX_REPLY_BYTES - 1})


# ---- what goes wrong


def test_a_crash_is_a_failure_and_the_next_event_is_served(faulty: Emulator) -> None:
    """The function starts anew by itself."""
    before = faulty.handle({"do": "nothing"})
    with pytest.raises(FunctionFailed, match=r"Runtime\.ExitError"):
        faulty.handle({"do": "crash"})
    assert faulty.handle({"do": "nothing"})["pid"] != before["pid"]


def test_a_timeout_is_a_failure_and_the_next_event_is_served(faulty: Emulator) -> None:
    """The function is killed at its time limit."""
    began_s = time.monotonic()
    with pytest.raises(FunctionFailed, match=r"Task timed out after 2\.00 seconds"):
        faulty.handle({"do": "hang"})
    assert time.monotonic() - began_s < 10
    assert faulty.handle({"do": "nothing"})


def test_an_exception_is_a_failure_with_its_name(faulty: Emulator) -> None:
    """The platform sees it, so that it tries again or keeps the event."""
    with pytest.raises(
        FunctionFailed, match=r'"errorMessage": "it went wrong", "errorType": "LookupError"'
    ):
        faulty.handle({"do": "raise"})


def test_no_model_is_said_and_not_crashed_on(mounts: Mounts, tmp_path: Path) -> None:
    """The function starts, and answers with the contract's 503."""
    variables = {"MODEL_DIR": str(tmp_path)}
    with Emulator(mounts, "app.http_handler", variables=variables) as emulator:
        reply = Client(emulator.handle).send("GET", "/v2/health?deep=1")
        assert (reply.status, reply.error()["code"]) == (503, "model_unavailable")
    assert any("no model" in line for line in emulator.log)


@pytest.mark.parametrize("handler", ["app.upload_handler", "app.lambda_handler"])
def test_s3_events_without_a_bucket_are_failures(mounts: Mounts, handler: str) -> None:
    """Nothing is swallowed: the platform keeps the event, direct or in a queue's message."""
    with Emulator(mounts, handler) as emulator:
        for name in ("s3-put.json", "sqs-s3.json"):
            with pytest.raises(FunctionFailed, match='"errorType": "StorageDisabled"'):
                emulator.handle(samples()[name].event)


@pytest.fixture
def cloud(s3_url: str) -> Cloud:
    """Make a deployment's two buckets."""
    return Cloud.make(s3_url, f"e{uuid.uuid4().hex[:12]}")


def _storage(cloud: Cloud, s3_url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_S3": s3_url,
        "INPUT_BUCKET": cloud.settings.input_bucket,
        "RESULT_BUCKET": cloud.settings.result_bucket,
    }


def test_uploads_are_worked_on_with_the_runtimes_boto3(
    mounts: Mounts, cloud: Cloud, s3_url: str
) -> None:
    """It is older than the tests' own, and its conditional writes and deletes have to be there."""
    with Emulator(mounts, "app.upload_handler", variables=_storage(cloud, s3_url)) as emulator:
        for extension in ("webp", "png"):  # the second one replaces the first
            photo = PHOTOS["jpeg"].read_bytes()
            uploaded = cloud.put("uploads/büro/a cat+1.jpg", photo, format=extension)
            bad = cloud.put("uploads/bad.jpg", b"no image")
            event = messages(uploaded.notification(), bad.created(), "no event")
            assert emulator.handle(event) == failures(2)
            result = f"cutouts/büro/a cat+1.jpg.{extension}"
            assert sorted(cloud.keys()) == ["cutouts/bad.jpg.error.json", result]
            assert emulator.handle(uploaded.notification()) is None
        answer = emulator.handle(batch(uploaded.task(schema="2.0"), schema="2.0"))
        assert answer["results"][0]["resultCode"] == "Succeeded"
    options, _ = parse_options([])
    direct = app.remover.remove(photo, options, budget_ms=100_000)
    assert cloud.get("cutouts/büro/a cat+1.jpg.png")["Body"] == direct.file.body


def test_results_by_url_with_the_runtimes_boto3(
    mounts: Mounts, cloud: Cloud, s3_url: str, variables: Mapping[str, str]
) -> None:
    """An upload's form, its key as the source, and a URL as the answer."""
    storage = {**variables, **_storage(cloud, s3_url)}
    with Emulator(mounts, "app.http_handler", variables=storage) as emulator:
        client = Client(emulator.handle)
        form = client.post("/v2/uploads").json()
        photo = {"file": PHOTOS["jpeg"].read_bytes()}
        fields = form["upload"]["fields"]
        assert requests.post(form["upload"]["url"], data=fields, files=photo, timeout=30).ok
        document = client.json("/v2", {"image_key": form["image_key"], "response": "url"}).json()
    assert requests.get(document["url"], timeout=30).content.startswith(b"\x89PNG")


def test_one_handler_tells_the_events_apart(mounts: Mounts) -> None:
    """``app.lambda_handler`` answers HTTP too."""
    with Emulator(mounts, "app.lambda_handler") as emulator:
        assert Client(emulator.handle).send("GET", "/v2/health").status == 200


# ---- the layers


def test_the_function_runs_on_what_the_layers_hold(faulty: Emulator, mounts: Mounts) -> None:
    """The Python is the one said, and each package is the layer's, its plugins included."""
    names = ["aws_lambda_powertools", "multipart", "numpy", "onnxruntime", "pillow_heif"]
    names += ["PIL.Image", "PIL._avif", "PIL._imagingcms", "PIL._imagingmath", "PIL._webp"]
    found = faulty.handle({"do": "import", "names": names})
    assert ".".join(map(str, found["version"])) == mounts.python_version
    assert set(found["files"]) == set(names)
    assert all(file.startswith(f"{mounts.opt}/python/") for file in found["files"].values())


def test_boto3_is_the_runtimes(faulty: Emulator, mounts: Mounts) -> None:
    """No layer carries it, as on Lambda."""
    found = faulty.handle({"do": "import", "names": ["boto3"]})
    assert found["files"]["boto3"].startswith(f"{mounts.runtime}/")


def _heic() -> bytes:
    with Image.open(PHOTOS["jpeg"]) as photo:
        return heic_of(photo)


def test_heic_is_read_with_its_layer(client: Client) -> None:
    """The layer of its own is found."""
    assert client.post("/v2", body=_heic(), content_type="image/heic").status == 200


def test_heic_is_unsupported_without_its_layer(variables: Mapping[str, str]) -> None:
    """A deployment may leave it out; all else goes on."""
    mounts = build_mounts(heic=False)
    with Emulator(mounts, "app.http_handler", variables=variables) as emulator:
        client = Client(emulator.handle)
        reply = client.post("/v2", body=_heic(), content_type="image/heic")
        limits = client.send("GET", "/v2/account").json()["limits"]
    assert (reply.status, reply.error()["code"]) == (415, "unsupported_image_format")
    assert "heic" not in limits["formats_in"]


def test_the_mounts_stay_as_they_are(mounts: Mounts, variables: Mapping[str, str]) -> None:
    """Lambda's are read-only, so nothing may count on writing there."""

    def contents() -> list[tuple[Path, int, int]]:
        files = [path for root in (mounts.task, mounts.opt) for path in root.rglob("*")]
        return sorted((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files)

    before = contents()
    with Emulator(mounts, "app.http_handler", variables=variables) as emulator:
        reply = Client(emulator.handle).post(
            "/v2", body=PHOTOS["jpeg"].read_bytes(), content_type="image/jpeg"
        )
        assert reply.status == 200
    assert contents() == before


# ---- the emulator


def test_a_pool_serves_events_at_the_same_time(mounts: Mounts) -> None:
    """One emulator takes one event at a time; several stand side by side."""
    pool = Pool(lambda: faults(mounts), 2, wait_s=30)
    try:
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(pool, [b'{"do": "nothing"}'] * 8))
        assert all("pid" in json.loads(answer) for answer in answers)
    finally:
        pool.stop()


def test_a_pool_refuses_who_waits_too_long(mounts: Mounts) -> None:
    """As API Gateway does, which waits for 29 s."""
    pool = Pool(lambda: faults(mounts, timeout_s=3), 1, wait_s=0.5)
    try:
        with ThreadPoolExecutor(1) as clients:
            busy = clients.submit(pool, b'{"do": "hang"}')
            time.sleep(0.2)
            with pytest.raises(FunctionLate):
                pool(b'{"do": "nothing"}')
            with pytest.raises(FunctionFailed, match="timed out"):
                busy.result()
    finally:
        pool.stop()


def is_running(pid: int) -> bool:
    """Tell whether the process does anything; who has ended may wait for its parent to look."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def test_nothing_is_left_after_a_stop(mounts: Mounts) -> None:
    """The emulator and the function end together, even in the middle of an event."""
    emulator = faults(mounts)
    with emulator:
        emulator.handle({"do": "nothing"})
        pid = emulator.function_pid()
    with pytest.raises(EmulatorError, match="not running"):
        emulator.function_pid()
    assert not is_running(pid)


def test_a_dead_emulator_is_replaced_and_leaves_nothing(mounts: Mounts) -> None:
    """It panics at times; its function would live on."""
    made: list[Emulator] = []

    def make() -> Emulator:
        made.append(faults(mounts))
        return made[-1]

    pool = Pool(make, 1, wait_s=30)
    try:
        orphan = json.loads(pool(b'{"do": "nothing"}'))["pid"]
        os.kill(os.getsid(orphan), signal.SIGKILL)
        with pytest.raises(FunctionFailed, match="the emulator has gone"):
            pool(b'{"do": "nothing"}')
        assert not is_running(orphan)
        assert json.loads(pool(b'{"do": "nothing"}'))["pid"] == made[0].function_pid()
    finally:
        pool.stop()


# ---- the numbers


def test_a_cold_start_is_reported(mounts: Mounts, report: Callable[[str], None]) -> None:
    """The emulator reports INIT: imports, the model and a first answer. Its time is printed.

    How long it is stays for the reader. The processor time is what it takes on a core of its own,
    as on Lambda: here other programs share the core, and make INIT longer.
    """
    event = samples()["rest-health.json"].event
    init_ms, cpu_ms = [], []
    for _ in range(STARTS):
        with Emulator(mounts, "app.http_handler", prefix=pinned()) as emulator:
            emulator.handle(event)
            init_ms += emulator.init_ms()
            cpu_ms.append(emulator.cpu_ms())
    report(
        f"cold start, {STARTS} times on one core: INIT REPORT {min(init_ms):.0f} to"
        f" {max(init_ms):.0f} ms, median {statistics.median(init_ms):.0f} ms; processor time"
        f" {statistics.median(cpu_ms):.0f} ms"
    )
    assert len(init_ms) == STARTS


def test_a_warm_request_and_its_memory(
    mounts: Mounts, variables: Mapping[str, str], report: Callable[[str], None]
) -> None:
    """A photo of 12 MP fits well into the memory that the template gives."""
    photos = {
        "640x427": (PHOTOS["landscape"].read_bytes(), 5),
        "4000x3000": (enlarged(4000, 3000), 2),
    }
    with Emulator(mounts, "app.http_handler", prefix=pinned(), variables=variables) as emulator:
        client = Client(emulator.handle)
        for size, (image, times) in photos.items():
            client.post("/v2?format=webp", body=image, content_type="image/jpeg")
            began_ms = emulator.cpu_ms()
            for _ in range(times):
                reply = client.post("/v2?format=webp", body=image, content_type="image/jpeg")
                assert reply.status == 200
            spent_ms = (emulator.cpu_ms() - began_ms) / times
            report(
                f"warm request, {size} to webp on one core: processor time {spent_ms:.0f} ms,"
                f" peak memory so far {emulator.peak_rss_mb():.0f} MB"
            )
        assert emulator.peak_rss_mb() < 1000


# ---- the local gateway, and SAM


def test_the_local_gateway_serves_the_built_function() -> None:
    """``make serve RIE=1``: real HTTP in, several clients at once, and a clean end."""
    with serve("--emulated") as server:

        def post(size: str) -> requests.Response:
            with PHOTOS["landscape"].open("rb") as photo:
                return requests.post(
                    f"{server.url}/v2",
                    files={"image_file": photo},
                    data={"size": size},
                    headers={"x-api-key": LOCAL_KEY},
                    timeout=60,
                )

        assert requests.get(f"{server.url}/v2/health", timeout=60).status_code == 200
        with ThreadPoolExecutor(4) as clients:
            replies = list(clients.map(post, ["preview", "huge"] * 3))
        assert [reply.status_code for reply in replies] == [200, 400] * 3
        assert replies[0].content.startswith(b"\x89PNG")
        assert replies[1].json()["error"]["code"] == "invalid_size"
        status, _, log = server.stop()
    assert status == 0
    assert "INIT REPORT" in log
    assert "Traceback" not in log


def test_sam_builds_the_template(tmp_path: Path) -> None:
    """``make build`` is ``sam build``, without Docker, and makes every folder of the template."""
    build = tmp_path / "build"
    done = subprocess.run(
        ["make", "build", f"ARGS=--build-dir {build}", f"PYTHON={sys.executable}"],  # noqa: S607 # as a user does
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for function in ("ApiFunction", "UploadFunction"):
        assert (build / function / "app.py").is_file()
        assert (build / function / "cutout/remover.py").is_file()
    assert (build / "DepsLayer/python/onnxruntime/__init__.py").is_file()
    assert (build / "HeifLayer/python/pillow_heif/__init__.py").is_file()
    assert (build / "ModelLayer/models/erase-s/card.toml").is_file()
