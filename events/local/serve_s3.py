"""The whole service on this machine: the API, and S3 whose uploads are worked on.

``make serve-s3 PORT=3000 S3_PORT=5555`` runs it. S3, SQS and EventBridge are moto's
(:mod:`local_aws`), and nothing in them outlives the program. When all of it is ready, one line of
JSON is printed; the log goes to stderr. Only this machine can reach it. The API key is ``local``.
Where ``AWS_ENDPOINT_URL_S3`` names a proxy in front of this S3, the function's calls go through it.
"""

import argparse
import contextlib
import importlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import boto3

from context import LocalContext, prepare_import, set_variables
from http_gateway import HttpGateway
from lambda_function import FunctionFailed, FunctionLate, InProcess, Invoke
from local_aws import NAMES, REGION, Queue, leads_here, make_resources, point_at, start_local_aws
from rest_gateway import RestGateway
from sam_template import read_template
from server import (
    GRACE_S,
    HOST,
    Service,
    cannot_listen,
    listening,
    log,
    on_signals,
    port_number,
    run_and_exit,
)

if TYPE_CHECKING:
    from gateway import Gateway

ROOT = Path(__file__).resolve().parents[2]

_HTTP_WAIT_S = 29.0
_PATIENCE_S = 60.0
_POLL_S = 1
_PHOTO = "tests/data/photo.jpg"  # of this repository

Handler = Callable[[Any, Any], Any]


class Poller(threading.Thread):
    """Takes messages from the queue and calls the function with them, as Lambda does."""

    def __init__(self, queue: Queue, invoke: Invoke) -> None:
        """Poll once started, until stopped."""
        super().__init__(daemon=True)
        self._sqs = boto3.session.Session().client("sqs")
        self._queue = queue
        self._invoke = invoke
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Take no more messages; wait a while for the one at hand."""
        self._stopping.set()
        self.join(GRACE_S)

    def run(self) -> None:
        """Work on one message after the other."""
        while not self._stopping.is_set():
            try:
                self._poll()
            except Exception as error:  # noqa: BLE001 # whatever it is, Lambda would poll on
                log(f"polling failed: {type(error).__name__}: {error}")
                self._stopping.wait(_POLL_S)

    def _poll(self) -> None:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue.url,
            MaxNumberOfMessages=1,  # the template's BatchSize
            WaitTimeSeconds=_POLL_S,
            AttributeNames=["All"],
        )
        for message in answer.get("Messages", ()):
            if self._failed(message):
                log(f"message {message['MessageId']} failed, and will come again")
                continue
            self._sqs.delete_message(
                QueueUrl=self._queue.url, ReceiptHandle=message["ReceiptHandle"]
            )
            log(f"message {message['MessageId']} done")

    def _failed(self, message: dict[str, Any]) -> bool:
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue.arn,
            "awsRegion": REGION,
        }
        try:
            answer = json.loads(self._invoke(json.dumps({"Records": [record]}).encode()))
        except (FunctionFailed, FunctionLate):
            return True
        return bool(answer["batchItemFailures"])


def load_handlers(upload_timeout_s: float) -> Handler:
    """Import ``app``; return both of its handlers as one."""
    prepare_import()
    app = importlib.import_module("app")

    def handler(event: Any, context: Any) -> Any:
        if "requestContext" in event:
            return app.http_handler(event, context)
        return app.upload_handler(event, LocalContext(timeout_s=upload_timeout_s))

    return handler


def run(arguments: argparse.Namespace, output: TextIO) -> int:
    """Serve until a signal comes; return the exit status."""
    wait_for_signal = on_signals()
    template = read_template(ROOT / "template.yaml")
    gateway: Gateway = HttpGateway()
    if arguments.payload == "1.0":
        gateway = RestGateway.of(template)
    set_variables(checked_by="gateway" if arguments.payload == "1.0" else "function")
    prefix = os.environ.setdefault(
        "UPLOAD_PREFIX", template["Parameters"]["UploadPrefix"]["Default"]
    )
    target = os.environ.setdefault(
        "TARGET_PREFIX", template["Parameters"]["TargetPrefix"]["Default"]
    )
    with contextlib.ExitStack() as stack:
        try:
            local_aws = start_local_aws(arguments.s3_port)
        except OSError as error:
            log(cannot_listen(arguments.s3_port, error, option="--s3-port", variable="S3_PORT"))
            return 1
        s3_url = f"http://{HOST}:{local_aws.port}"
        queue = _make_resources(template, s3_url, prefix)
        # Both kinds of event run in one thread, one at a time: the function keeps its log's
        # fields and its metrics for the whole process, as in a Lambda environment.
        invoke = InProcess(load_handlers(queue.timeout_s), wait_s=_HTTP_WAIT_S)
        service = Service(gateway=gateway, invoke=invoke, patience_s=_PATIENCE_S)
        try:
            url = stack.enter_context(listening(arguments.port, service))
        except OSError as error:
            log(cannot_listen(arguments.port, error, option="--port", variable="PORT"))
            return 1
        stack.enter_context(_polling(queue, invoke))
        ready = {
            "url": url,
            "s3": s3_url,
            "input_bucket": NAMES["InputBucket"],
            "result_bucket": NAMES["ResultBucket"],
            "queue_url": queue.url,
        }
        log(_hint(s3_url, prefix, target))
        print(json.dumps(ready), file=output, flush=True)
        wait_for_signal()
    return 0


def _make_resources(template: dict[str, Any], s3_url: str, prefix: str) -> Queue:
    """Make buckets, queue and rule, and lead the function to them, by a proxy if one is named."""
    own_way = os.environ.get("AWS_ENDPOINT_URL_S3")
    point_at(s3_url)
    queue = make_resources(template, {"UploadPrefix": prefix})
    if own_way and leads_here(own_way):
        os.environ["AWS_ENDPOINT_URL_S3"] = own_way
        log(f"the function reaches S3 by {own_way}")
    return queue


@contextlib.contextmanager
def _polling(queue: Queue, invoke: Invoke) -> Iterator[None]:
    poller = Poller(queue, invoke)
    poller.start()
    yield
    poller.stop()


def _hint(s3_url: str, prefix: str, target: str) -> str:
    """Return how to upload something with the AWS CLI, and how to fetch its cutout without it."""
    bucket, results = NAMES["InputBucket"], NAMES["ResultBucket"]
    cutout = f"{target}photo.jpg.png"
    # Version 1 of the AWS CLI does not read AWS_REGION.
    return (
        f"the API key is local. Upload a photo, and its cutout comes to s3://{results}/{target}:\n"
        f"  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION={REGION} "
        f"aws s3 cp {_PHOTO} s3://{bucket}/{prefix} --endpoint-url {s3_url}\n"
        "without the AWS CLI, and fetch the cutout:\n"
        f"  .venv/bin/python -c \"import boto3; s3 = boto3.client('s3', endpoint_url='{s3_url}', "
        f"region_name='{REGION}', aws_access_key_id='local', aws_secret_access_key='local'); "
        f"s3.upload_file('{_PHOTO}', '{bucket}', '{prefix}photo.jpg'); "
        f"s3.get_waiter('object_exists').wait(Bucket='{results}', Key='{cutout}'); "
        f"s3.download_file('{results}', '{cutout}', 'cutout.png')\""
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--port", type=port_number, default=3000, help="the API's; 0 for any free one"
    )
    parser.add_argument(
        "--s3-port", type=port_number, default=5555, help="S3's; 0 for any free one"
    )
    parser.add_argument("--payload", choices=("1.0", "2.0"), default="1.0", help="format of events")
    return parser.parse_args()


def main() -> None:
    """Run the program."""
    run_and_exit(lambda output: run(_arguments(), output))


if __name__ == "__main__":
    main()
