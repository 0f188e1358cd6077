"""Send one event file to the function, in this process: status and headers are printed.

    python events/local/invoke.py events/rest-multipart.json --out demo

A JSON body is printed, any other is written to a file in ``--out``. So is what an event about S3
leaves there: unless ``INPUT_BUCKET`` names a bucket, S3 is moto's, and a photo is wherever the
event says that an object is. The function's own log goes to stderr. The exit status is 0 where the
answer is a success.
"""

import argparse
import base64
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import Any

from context import LocalContext, prepare_import

PHOTO = Path(__file__).resolve().parents[2] / "tests" / "data" / "photo.jpg"
CATALOGUE = "shop-photos"
"""The bucket of the samples of batch jobs."""

_FIRST_ERROR_STATUS = 400


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit status."""
    parser = argparse.ArgumentParser(description="Send one event file to the function.")
    parser.add_argument(
        "event", metavar="EVENT", type=Path, nargs="?", help="such as events/rest-json.json"
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the images")
    given = parser.parse_args(arguments)
    if given.event is None:
        parser.error("name an event, such as make invoke EVENT=events/rest-multipart.json")
    s3 = None
    try:
        event = read_event(given.event)
        if "requestContext" not in event and not os.environ.get("INPUT_BUCKET"):
            s3 = stored_photos(event)
    except ValueError as error:
        parser.error(f"{given.event}: {error}")
    handler = load_handler()
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            answer = handler(event, LocalContext())
    except Exception as error:  # noqa: BLE001 - whatever it is, Lambda would report it just so
        print(f"The function raised {type(error).__name__}: {error}")
        return 1
    elapsed_ms = (time.perf_counter() - start) * 1000
    try:
        if not (isinstance(answer, dict) and "statusCode" in answer):
            print(json.dumps(answer, indent=2))
            if s3 is not None:
                _show_results(s3, given.out, given.event.stem)
            return int(_has_failures(answer))
        print(f"{answer['statusCode']} in {elapsed_ms:.0f} ms")
        _show(answer, given.out, given.event.stem)
    except OSError as error:
        sys.stdout.flush()
        parser.error(
            f"the result cannot be written: {error}. Choose another folder: OUT=… for make,"
            " --out for this program"
        )
    return int(answer["statusCode"] >= _FIRST_ERROR_STATUS)


def read_event(path: Path) -> dict[str, Any]:
    """Return the event in a file.

    :raises ValueError: the file does not exist, or does not hold a JSON object.
    """
    try:
        event = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(error.strerror) from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise ValueError("not an event, which is a JSON object")  # noqa: TRY004 - a wrong file too
    return event


def stored_photos(event: dict[str, Any]) -> Any:
    """Return a client of a new S3 in which the photo is every object that the event names.

    :raises ValueError: S3 cannot have such an object.
    """
    # To import moto takes longer than to cut out an image, and most events do not need it.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from local_aws import HOST, NAMES, REGION, point_at, start_local_aws  # noqa: PLC0415

    server = start_local_aws(0)
    point_at(f"http://{HOST}:{server.port}")
    os.environ["CATALOGUE_BUCKETS"] = CATALOGUE
    prepare_import()
    from cutout.errors import UnknownEvent  # noqa: PLC0415 - the same
    from cutout.s3.events import plan  # noqa: PLC0415 - the same
    from cutout.s3.jobs import Job  # noqa: PLC0415 - the same
    from cutout.settings import read_settings  # noqa: PLC0415 - found only now

    s3 = boto3.session.Session().client("s3")
    for bucket in (NAMES["InputBucket"], NAMES["ResultBucket"], CATALOGUE):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    with contextlib.suppress(UnknownEvent):  # the function will say so
        for task in plan(event, read_settings(os.environ)).tasks:
            for step in task.steps:
                if isinstance(step, Job):
                    source = {"Bucket": step.source.bucket, "Key": step.source.key}
                    try:
                        s3.put_object(**source, Body=PHOTO.read_bytes())
                    except (BotoCoreError, ClientError) as error:
                        raise ValueError(f"an object that S3 does not take: {error}") from error
    return s3


def load_handler() -> Callable[[dict[str, Any], LocalContext], object]:
    """Return the function's handler; what it prints goes to stderr."""
    prepare_import()
    with contextlib.redirect_stdout(sys.stderr):
        from app import lambda_handler  # noqa: PLC0415 - it reads the settings made just now
    return lambda_handler


def headers_of(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers of a proxy answer of either payload format, one pair for each value."""
    several = answer.get("multiValueHeaders") or {}
    pairs = [(name, value) for name, values in several.items() for value in values]
    return pairs + [
        pair for pair in (answer.get("headers") or {}).items() if pair[0] not in several
    ]


def _has_failures(answer: object) -> bool:
    """Tell whether a queue or a batch job is told of a failure."""
    if not isinstance(answer, dict):
        return False
    results = answer.get("results", ())
    return bool(answer.get("batchItemFailures")) or any(
        result["resultCode"] != "Succeeded" for result in results
    )


def _show_results(s3: Any, out: Path, stem: str) -> None:
    """Write what the result bucket holds into a folder, whose files cannot have any key's name."""
    bucket = os.environ["RESULT_BUCKET"]
    entries = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
    for number, entry in enumerate(entries, start=1):
        key = entry["Key"]
        path = out / f"{stem}-{number}{Path(key).suffix}"
        out.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        print(f"\ns3://{bucket}/{key}\n{path}: {entry['Size']:,} bytes")


def _show(answer: Mapping[str, Any], out: Path, stem: str) -> None:
    """Print an answer's headers and its body, or where the body was written."""
    message = Message()
    for name, value in sorted(headers_of(answer)):
        message[name] = value
        print(f"{name}: {value}")
    body = answer.get("body") or ""
    if answer.get("isBase64Encoded"):
        data = base64.b64decode(body)
        path = out / (stem + Path(message.get_filename() or "body.bin").suffix)
        out.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"\n{path}: {len(data):,} bytes")
    elif body and message.get_content_type() == "application/json":
        print(f"\n{json.dumps(json.loads(body), indent=2, ensure_ascii=False)}")
    elif body:
        print(f"\n{body}")


if __name__ == "__main__":
    sys.exit(main())
