"""The sample events of ``events/``: this program writes them, a test compares them.

    python tests/make_events.py

Every field that AWS sends is there. Accounts, addresses and ids are invented and stable.
"""

import base64
import hashlib
import json
import struct
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

Event = dict[str, Any]
Query = Sequence[tuple[str, str]]

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "events"
PHOTO = Path(__file__).resolve().parent / "data" / "photo.jpg"
"""Eileen Collins by NASA (public domain), scikit-image's astronaut at 320 x 320 px."""

PHOTO_ETAG = hashlib.md5(PHOTO.read_bytes(), usedforsecurity=False).hexdigest()
"""What S3 calls the ETag of an object that is the photo and was put in one piece."""

KEY = "local"
BOUNDARY = "------------------------d74496d66958873eabcdef"
_ACCOUNT = "123456789012"
_REGION = "eu-west-1"
_API = "a1b2c3d4e5"
_STAGE = "live"
_SOURCE_IP = "203.0.113.57"  # RFC 5737: of no one
_AGENT = "curl/8.5.0"
_TIME = datetime(2026, 9, 1, 10, 0, 0, tzinfo=UTC)
_TIME_MS = int(_TIME.timestamp() * 1000)
_TOPIC = f"arn:aws:sns:{_REGION}:{_ACCOUNT}:shop-uploads"
_SUBSCRIPTION = f"{_TOPIC}:{uuid.uuid5(uuid.NAMESPACE_URL, _TOPIC)}"
_TIME_ISO = _TIME.strftime("%Y-%m-%dT%H:%M:%S.000Z")
_TIME_TEXT = _TIME.strftime("%d/%b/%Y:%H:%M:%S %z")

# Paths that the template declares; any other reaches the function only through a greedy route.
_DECLARED = {"/v2", "/v2/uploads", "/v2/account", "/v2/health"} | {
    *("/v1.0/removebg", "/v1.0/account", "/openapi.json", "/", "/docs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request as a client sends it; ``name`` makes its ids.

    ``base_path`` is what a custom domain has before the paths of the API.
    """

    name: str
    method: str = "POST"
    path: str = "/v2"
    base_path: str = ""
    headers: Mapping[str, str]
    query: Query = ()
    body: bytes = b""
    key: str | None = KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One file of ``events/``.

    ``status`` is that of the answer (``None``: it is none of HTTP's), ``code`` the error's.
    """

    event: Event
    status: int | None
    code: str | None = None


def rest_event(request: Request) -> Event:
    """Return the request as API Gateway's REST API sends it: payload format 1.0.

    Every media type is binary there, so a body is always base64.
    """
    headers = _sorted_headers(
        {
            **_sent_headers(request),
            "Host": f"{_API}.execute-api.{_REGION}.amazonaws.com",
            "User-Agent": _AGENT,
            "X-Amzn-Trace-Id": _trace_id(request.name),
            "X-Forwarded-For": _SOURCE_IP,
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
        }
    )
    several: dict[str, list[str]] = {}
    for name, value in request.query:
        several.setdefault(name, []).append(value)
    greedy = request.path not in _DECLARED
    resource = "/{proxy+}" if greedy else request.path
    identity: dict[str, str | None] = dict.fromkeys(
        [
            *("cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "sourceIp"),
            *("principalOrgId", "accessKey", "cognitoAuthenticationType"),
            *("cognitoAuthenticationProvider", "userArn", "userAgent", "user"),
        ]
    )
    identity |= {"sourceIp": _SOURCE_IP, "userAgent": _AGENT}
    if request.key is not None:
        identity |= {"apiKey": request.key, "apiKeyId": "k7w2m9x4qa"}
    return {
        "resource": resource,
        "path": request.base_path + request.path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": {"proxy": request.path.lstrip("/")} if greedy else None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": _letters(resource, 6),
            "resourcePath": resource,
            "httpMethod": request.method,
            "extendedRequestId": _extended_id(request.name),
            "requestTime": _TIME_TEXT,
            "path": f"{request.base_path or f'/{_STAGE}'}{request.path}",
            "accountId": _ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": _STAGE,
            "domainPrefix": _API,
            "requestTimeEpoch": _TIME_MS,
            "requestId": str(uuid.uuid5(uuid.NAMESPACE_URL, request.name)),
            "identity": identity,
            "domainName": f"{_API}.execute-api.{_REGION}.amazonaws.com",
            "deploymentId": "d4e5f6",
            "apiId": _API,
        },
        "body": base64.b64encode(request.body).decode() if request.body else None,
        "isBase64Encoded": bool(request.body),
    }


def http_api_event(request: Request) -> Event:
    """Return the request as API Gateway's HTTP API sends it: payload format 2.0.

    Text stays text there, any other body is base64.
    """
    headers = _sorted_headers(
        {
            **_sent_headers(request),
            "content-length": str(len(request.body)),
            "host": f"{_API}.execute-api.{_REGION}.amazonaws.com",
            "user-agent": _AGENT,
            "x-amzn-trace-id": _trace_id(request.name),
            "x-forwarded-for": _SOURCE_IP,
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        }
    )
    joined: dict[str, str] = {}
    for name, value in request.query:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    route = "$default"  # the only route of the template's HTTP API
    event: Event = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": request.path,
        "rawQueryString": urlencode(request.query),
        "headers": headers,
        "queryStringParameters": joined,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": _API,
            "domainName": f"{_API}.execute-api.{_REGION}.amazonaws.com",
            "domainPrefix": _API,
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": _SOURCE_IP,
                "userAgent": _AGENT,
            },
            "requestId": _extended_id(request.name),
            "routeKey": route,
            "stage": "$default",
            "time": _TIME_TEXT,
            "timeEpoch": _TIME_MS,
        },
    }
    if not joined:
        del event["queryStringParameters"]
    if request.body:
        is_text = headers.get("content-type", "").startswith(("text/", "application/json"))
        event["body"] = (request.body if is_text else base64.b64encode(request.body)).decode()
        event["isBase64Encoded"] = not is_text
    else:
        event["isBase64Encoded"] = False
    return event


def s3_put_event(bucket: str, key: str, size: int) -> Event:
    """Return the notification of an upload, as S3 sends it to a function, queue or topic."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": _REGION,
                "eventTime": _TIME_ISO,
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AIDAEXAMPLEUPLOADER01"},
                "requestParameters": {"sourceIPAddress": _SOURCE_IP},
                "responseElements": {
                    "x-amz-request-id": hashlib.sha256(key.encode()).hexdigest()[:16].upper(),
                    "x-amz-id-2": base64.b64encode(hashlib.sha384(key.encode()).digest()).decode(),
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "UploadsToCutouts",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A3NL1KOZZKEXAMPLE"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(key, safe="/"),  # as S3 does: a space is a plus sign
                        "size": size,
                        "eTag": PHOTO_ETAG,
                        "versionId": "3HL4kqtJvjVBH40Nrjfkd0TLBPzVEXAM",
                        "sequencer": "0066D43A2C5B7E91F0",
                    },
                },
            }
        ]
    }


def s3_test_event(bucket: str) -> Event:
    """Return what S3 sends when a notification is set up."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": _TIME_ISO,
        "Bucket": bucket,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": base64.b64encode(hashlib.sha384(bucket.encode()).digest()).decode(),
    }


def eventbridge_event(bucket: str, key: str, size: int) -> Event:
    """Return EventBridge's event of an upload; its key is not encoded."""
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": _ACCOUNT,
        "time": _TIME.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": _REGION,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {
                "key": key,
                "size": size,
                "etag": PHOTO_ETAG,
                "version-id": "3HL4kqtJvjVBH40Nrjfkd0TLBPzVEXAM",
                "sequencer": "0066D43A2C5B7E91F0",
            },
            "request-id": hashlib.sha256(key.encode()).hexdigest()[:16].upper(),
            "requester": _ACCOUNT,
            "source-ip-address": _SOURCE_IP,
            "reason": "PutObject",
        },
    }


def sqs_event(*bodies: object) -> Event:
    """Return the messages as Lambda takes them from the queue; a body that is no text is JSON."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {
        "Records": [
            {
                "messageId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number} {text}")),
                "receiptHandle": base64.b64encode(hashlib.sha512(text.encode()).digest()).decode(),
                "body": text,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(_TIME_MS),
                    "SenderId": "AIDAEXAMPLEUPLOADER01",
                    "ApproximateFirstReceiveTimestamp": str(_TIME_MS + 12),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:cutout-uploads",
                "awsRegion": _REGION,
            }
            for number, text in enumerate(texts)
        ]
    }


def sns_envelope(message: object) -> Event:
    """Return what a topic sends to a queue for a message, unless raw message delivery is on."""
    text = json.dumps(message)
    host = f"https://sns.{_REGION}.amazonaws.com"
    return {
        "Type": "Notification",
        "MessageId": str(uuid.uuid5(uuid.NAMESPACE_URL, text)),
        "TopicArn": _TOPIC,
        "Subject": "Amazon S3 Notification",
        "Message": text,
        "Timestamp": _TIME_ISO,
        "SignatureVersion": "1",
        "Signature": base64.b64encode(hashlib.sha512(text.encode()).digest()).decode(),
        "SigningCertURL": f"{host}/SimpleNotificationService-example.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={_SUBSCRIPTION}",
    }


def sns_event(message: object) -> Event:
    """Return a topic's message as Lambda hands it to the function; two names differ in a letter."""
    envelope = sns_envelope(message)
    envelope["SigningCertUrl"] = envelope.pop("SigningCertURL")
    envelope["UnsubscribeUrl"] = envelope.pop("UnsubscribeURL")
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": _SUBSCRIPTION,
                "Sns": {**envelope, "MessageAttributes": {}},
            }
        ]
    }


def s3_batch_event(
    bucket: str, key: str, *, schema: str, arguments: Mapping[str, str] | None = None
) -> Event:
    """Return the invocation for one object by an S3 Batch Operations job."""
    job: Event = {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, bucket))}
    where = {"s3BucketArn": f"arn:aws:s3:::{bucket}"}
    if schema == "2.0":
        job["userArguments"] = dict(arguments or {})
        where = {"s3Bucket": bucket}
    return {
        "invocationSchemaVersion": schema,
        "invocationId": base64.b64encode(hashlib.sha256(key.encode()).digest()).decode(),
        "job": job,
        "tasks": [
            {
                "taskId": base64.b64encode(hashlib.sha384(key.encode()).digest()).decode(),
                "s3Key": quote_plus(key, safe="/"),
                "s3VersionId": None,
                **where,
            }
        ],
    }


def multipart(
    fields: Sequence[tuple[str, str]], image: bytes | None = None, filename: str = "photo.jpg"
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a form as curl's ``-F`` sends it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in fields
    ]
    if image is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image_file"; '
        head += f'filename="{quote(filename)}"\r\nContent-Type: image/jpeg\r\n\r\n'
        parts.insert(0, head.encode() + image)
    body = b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    return {"accept": "*/*", "content-type": f"multipart/form-data; boundary={BOUNDARY}"}, body


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and has nothing to show for it."""
    return _png(width, height, b"")


def clear_png(width: int, height: int) -> bytes:
    """Return a PNG that is transparent all over, so that no model finds a subject in it."""
    return _png(width, height, bytes(1 + 4 * width) * height)


def _png(width: int, height: int, lines: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # RGBA of 8 bits each
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def samples() -> dict[str, Sample]:
    """Return every sample by its file's name."""
    rest = {
        f"rest-{request.name}.json": Sample(event=rest_event(request), status=status, code=code)
        for request, status, code in _rest_requests()
    }
    http_api = {
        f"http-{request.name}.json": Sample(event=http_api_event(request), status=status, code=code)
        for request, status, code in _http_api_requests()
    }
    storage = {name: Sample(event=event, status=None) for name, event in _storage_events()}
    return rest | http_api | storage


def _storage_events() -> Iterator[tuple[str, Event]]:
    bucket, key, size = "cutout-input", "uploads/a cat.jpg", PHOTO.stat().st_size
    put = s3_put_event(bucket, key, size)
    another = s3_put_event(bucket, "uploads/büro/100% + 1.png", size)
    created = eventbridge_event(bucket, "uploads/test+b 100%.png", size)
    removed = s3_put_event(bucket, key, size)
    removed["Records"][0]["eventName"] = "ObjectRemoved:DeleteMarkerCreated"
    yield "s3-put.json", put
    yield "s3-several.json", {"Records": put["Records"] + another["Records"]}
    yield "s3-removed.json", removed
    yield "s3-test.json", s3_test_event(bucket)
    yield "s3-eventbridge.json", created
    yield "sqs-s3.json", sqs_event(put)
    yield "sqs-eventbridge.json", sqs_event(created)
    yield "sqs-several.json", sqs_event(put, created, s3_test_event(bucket), "not JSON")
    yield "sqs-sns.json", sqs_event(sns_envelope(put))
    yield "sns-s3.json", sns_event(put)
    yield "s3batch-1.json", s3_batch_event("shop-photos", "2026/a cat.jpg", schema="1.0")
    arguments = {"format": "webp", "bg_color": "white"}
    second = s3_batch_event("shop-photos", "2026/a cat.jpg", schema="2.0", arguments=arguments)
    yield "s3batch-2.json", second


def text_of(event: Event) -> str:
    """Return an event as its file holds it."""
    return json.dumps(event, indent=2) + "\n"


def main() -> None:
    """Write every sample to ``events/``, and take away those that are no more."""
    table = samples()
    for path in EVENTS.glob("*.json"):
        if path.name not in table:
            path.unlink()
    for name, sample in table.items():
        (EVENTS / name).write_text(text_of(sample.event), encoding="utf-8")
    print(f"{len(table)} events in {EVENTS.relative_to(ROOT)}/")


Expected = tuple[Request, int, str | None]


def _rest_requests() -> Iterator[Expected]:
    photo = PHOTO.read_bytes()
    form, body = multipart([("format", "png")], photo)
    yield Request(name="multipart", headers=form, body=body), 200, None
    fields = {"image_base64": base64.b64encode(photo).decode(), "bg_color": "#FFFFFF"}
    yield _json("json", fields), 200, None
    yield (
        _raw("raw", photo, [("format", "webp"), ("crop", "true"), ("crop_margin", "5%")]),
        200,
        None,
    )
    yield Request(name="health", method="GET", path="/v2/health", headers=_ANY, key=None), 200, None
    head = Request(name="health-head", method="HEAD", path="/v2/health", headers=_ANY, key=None)
    yield head, 200, None
    moved = replace(head, name="custom-domain", method="GET", base_path="/cutout")
    yield moved, 200, None
    fields = {"image_base64": base64.b64encode(photo).decode(), "size": "preview"}
    yield _typed("form", _FORM, urlencode(fields).encode()), 200, None
    yield _json("mask", {**fields, "channels": "alpha"}), 200, None
    yield _raw("fit", photo, [("response", "fit"), ("despill", "false")]), 200, None
    yield Request(name="account", method="GET", path="/v2/account", headers=_ANY), 200, None
    form, body = multipart([("size", "auto"), ("bg_color", "81d4fa77"), ("type", "")], photo)
    theirs = Request(name="removebg", path="/v1.0/removebg", headers=form, body=body)
    yield theirs, 200, None
    credit = replace(theirs, name="removebg-account", method="GET", path="/v1.0/account", body=b"")
    yield replace(credit, headers=_ANY), 200, None
    yield Request(name="options", method="OPTIONS", headers=_PREFLIGHT, key=None), 204, None
    yield from _rest_errors(photo)


def _rest_errors(photo: bytes) -> Iterator[Expected]:
    form, body = multipart([("bg_color", "bluish")], photo[:1000])
    yield Request(name="error-bad-color", headers=form, body=body), 400, "invalid_bg_color"
    form, body = multipart([("format", "jpeg2000")], photo[:1000])
    yield Request(name="error-bad-format", headers=form, body=body), 400, "invalid_format"
    form, body = multipart([("format", "png"), ("format", "jpg")], photo[:1000])
    yield Request(name="error-duplicate-option", headers=form, body=body), 400, "duplicate_option"
    form, body = multipart([("bg_color", "white"), ("bg_blur", "20")], photo[:1000])
    yield (
        Request(name="error-multiple-backgrounds", headers=form, body=body),
        400,
        "multiple_bg_sources",
    )
    form, body = multipart([("format", "png")])
    yield Request(name="error-missing-image", headers=form, body=body), 400, "missing_image"
    two = {"image_base64": "/9j/", "image_url": "https://shop.example/cat.jpg"}
    yield _json("error-multiple-sources", two), 400, "multiple_sources"
    yield _json("error-invalid-base64", {"image_base64": "not base64!"}), 400, "invalid_base64"
    cut_json = b'{"image_base64": "/9j/'
    yield _typed("error-invalid-json", "application/json", cut_json), 400, "invalid_json"
    latin = _typed("error-invalid-form", _FORM, b"note=gr%FCn")
    yield latin, 400, "invalid_form"
    form, body = multipart([("format", "png")])
    cut_form = Request(name="error-invalid-multipart", headers=form, body=body[:-6])
    yield cut_form, 400, "invalid_multipart"
    form, body = multipart([("format", "png")], photo[: len(photo) // 2])
    yield Request(name="error-broken-image", headers=form, body=body), 400, "invalid_image"
    yield _raw("error-too-small", huge_png(1, 1)), 400, "image_too_small"
    yield _raw("error-too-large", huge_png(10_000, 5_001)), 413, "image_too_large"
    nothing = clear_png(64, 64)
    yield (
        _raw("error-unknown-foreground", nothing, [("on_empty", "error")]),
        422,
        "unknown_foreground",
    )
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    yield _raw("error-unsupported-image-format", svg), 415, "unsupported_image_format"
    text = _typed("error-unsupported-media-type", "text/plain", b"a photo of a cat")
    yield text, 415, "unsupported_media_type"
    stored = {"image_key": "incoming/0b54ac1ef97d/cat.jpg"}
    yield _json("error-storage-disabled", stored), 400, "storage_disabled"
    linked = {"image_url": "https://shop.example/cat.jpg"}
    yield _json("error-url-disabled", linked), 400, "image_url_disabled"
    unknown = Request(name="error-unknown-route", method="GET", path="/v3", headers=_ANY, key=None)
    yield unknown, 404, "not_found"
    method = Request(name="error-method", method="DELETE", headers=_ANY, key=None)
    yield method, 405, "method_not_allowed"


def _http_api_requests() -> Iterator[Expected]:
    photo = PHOTO.read_bytes()
    form, body = multipart([("format", "png")], photo)
    yield Request(name="multipart", headers=form, body=body), 200, None
    fields = {"image_base64": base64.b64encode(photo).decode(), "bg_color": "#FFFFFF"}
    yield _json("json", fields), 200, None
    yield _raw("raw", photo, [("format", "jpg"), ("bg_color", "#0a7")]), 200, None
    form, body = multipart([("format", "png")], photo)
    no_key = Request(name="error-missing-key", headers=form, body=body, key=None)
    yield no_key, 401, "invalid_api_key"
    form, body = multipart([("bg_color", "bluish")], photo[:1000])
    yield Request(name="error-bad-color", headers=form, body=body), 400, "invalid_bg_color"


_ANY = {"accept": "*/*"}
_FORM = "application/x-www-form-urlencoded"
_PREFLIGHT = {
    "accept": "*/*",
    "access-control-request-headers": "x-api-key",
    "access-control-request-method": "POST",
    "origin": "https://shop.example",
}


def _json(name: str, fields: Mapping[str, object]) -> Request:
    return _typed(name, "application/json", json.dumps(fields).encode())


def _raw(name: str, image: bytes, query: Query = ()) -> Request:
    media_type = "image/png" if image.startswith(b"\x89PNG") else "image/jpeg"
    if image.startswith(b"<svg"):
        media_type = "image/svg+xml"
    return _typed(name, media_type, image, query)


def _typed(name: str, media_type: str, body: bytes, query: Query = ()) -> Request:
    """Return a request to cut out, whose body has this type."""
    headers = {**_ANY, "content-type": media_type}
    return Request(name=name, headers=headers, query=query, body=body)


def _sent_headers(request: Request) -> dict[str, str]:
    key = {} if request.key is None else {"x-api-key": request.key}
    return {**request.headers, **key}


def _sorted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(headers.items(), key=lambda header: header[0].lower()))


def _trace_id(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"Root=1-{_TIME_MS // 1000:08x}-{digest[:24]}"


def _extended_id(name: str) -> str:
    """Return fifteen letters and the sign ``=``, as API Gateway makes its extended ids."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest())[:15].decode() + "="


def _letters(text: str, length: int) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:length]


if __name__ == "__main__":
    main()
