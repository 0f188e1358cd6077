"""S3, SQS and EventBridge on this machine: moto's server, and in it what the template makes."""

import json
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

HOST = "127.0.0.1"
REGION = "eu-west-1"
NAMES = {
    "InputBucket": "cutout-input",
    "ResultBucket": "cutout-results",
    "UploadQueue": "cutout-uploads",
    "UploadDeadLetters": "cutout-dead-letters",
}

# The template's is 720 s, six times the time limit, because another worker may still be at the
# message. Here there is one worker, and somebody who waits.
VISIBILITY_S = 10


class _Handler(WSGIRequestHandler):
    """Logs no line for each call, and keeps metadata that have an underscore in their names."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""

    def make_environ(self) -> dict[str, Any]:
        """Return what the application is told of a request.

        WSGI knows no underscores in the names of headers, so werkzeug leaves out such headers. S3
        keeps ``x-amz-meta-bg_color``. Here it has a dash instead, which means the same option.
        """
        environ = super().make_environ()
        for name, value in self.headers.items():
            if name.lower().startswith("x-amz-meta-") and "_" in name:
                key = "HTTP_" + name.upper().replace("-", "_")
                environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ


def start_local_aws(port: int) -> BaseWSGIServer:
    """Serve on ``port``, on any free one if that is 0.

    :raises OSError: the port is taken, or not allowed.
    """
    application = DomainDispatcherApplication(create_backend_app)
    # With a port, werkzeug would end the program itself where it cannot have it.
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
        server = make_server(
            HOST, port, application, threaded=True, request_handler=_Handler, fd=listener.fileno()
        )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def point_at(url: str) -> None:
    """Set what a deployment with buckets sets; no call leaves this machine or has real keys."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ENDPOINT_URL_SQS": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "INPUT_BUCKET": NAMES["InputBucket"],
        "RESULT_BUCKET": NAMES["ResultBucket"],
    }


def leads_here(url: str) -> bool:
    """Tell whether ``url`` is this S3 by another way: the buckets are there, and only there."""
    s3 = boto3.session.Session().client("s3", endpoint_url=url)
    try:
        s3.head_bucket(Bucket=NAMES["InputBucket"])
    except (BotoCoreError, ClientError):
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The queue of the uploads, and how long the template lets the worker run."""

    url: str
    arn: str
    timeout_s: float


def make_resources(template: Mapping[str, Any], values: Mapping[str, str]) -> Queue:
    """Make the template's buckets, queues and rule; ``values`` are parameters that differ."""
    parameters = {n: p.get("Default", "") for n, p in template["Parameters"].items()}
    known = {**parameters, **values, **NAMES}
    resources = {
        name: _filled(resource.get("Properties", {}), known)
        for name, resource in template["Resources"].items()
    }
    session = boto3.session.Session()
    for name in ("InputBucket", "ResultBucket"):
        _make_bucket(session.client("s3"), NAMES[name], resources[name])

    sqs = session.client("sqs")
    dead = sqs.create_queue(QueueName=NAMES["UploadDeadLetters"])["QueueUrl"]
    given = resources["UploadQueue"]["RedrivePolicy"]["maxReceiveCount"]
    redrive = {"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": given}
    url = sqs.create_queue(
        QueueName=NAMES["UploadQueue"],
        Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": str(VISIBILITY_S)},
    )["QueueUrl"]

    events = session.client("events")
    pattern = json.dumps(resources["UploadRule"]["EventPattern"])
    events.put_rule(Name="uploads", EventPattern=pattern)
    arn = _arn(sqs, url)
    events.put_targets(Rule="uploads", Targets=[{"Id": "queue", "Arn": arn}])
    return Queue(url=url, arn=arn, timeout_s=float(resources["UploadFunction"]["Timeout"]))


def _make_bucket(s3: Any, name: str, properties: Mapping[str, Any]) -> None:
    where = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    if "VersioningConfiguration" in properties:
        status = properties["VersioningConfiguration"]["Status"]
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    if "EventBridgeConfiguration" in properties.get("NotificationConfiguration", {}):
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    rules = [
        {
            "AllowedOrigins": rule["AllowedOrigins"],
            "AllowedMethods": rule["AllowedMethods"],
            "AllowedHeaders": rule["AllowedHeaders"],
            "ExposeHeaders": rule["ExposedHeaders"],
            "MaxAgeSeconds": rule["MaxAge"],
        }
        for rule in properties.get("CorsConfiguration", {}).get("CorsRules", ())
    ]
    if rules:
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Return a value of the template with the names in it that are known here filled in."""
    if isinstance(value, dict):
        if value.keys() == {"Ref"} and value["Ref"] in known:
            return known[value["Ref"]]
        return {name: _filled(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known) for inner in value]
    return value


def _arn(sqs: Any, url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn
