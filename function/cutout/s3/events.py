"""Events about S3 objects → :class:`~cutout.s3.jobs.Plan`: what is to be done.

Nothing is read or written here. Every kind of event has a reader of its own, because they spell
keys differently: notifications and S3 Batch Operations encode them like a query string, and
EventBridge does not encode them. Notifications and EventBridge's events come as they are, or in
messages of SQS or SNS.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from cutout.errors import CutoutError, InvalidOption, UnknownEvent, told_name
from cutout.options import parse_object_options, spelled
from cutout.s3.jobs import Job, Kind, Plan, Skip, Skipped, Step, Task
from cutout.settings import RESULTS_PREFIX, Settings
from cutout.store import ObjectRef

_BUCKET_ARN = ":s3:::"  # after the partition: aws, aws-cn, aws-us-gov

_Arguments = tuple[tuple[str, str], ...]
_Reader = Callable[[Any, Settings], Step]


def plan(event: Mapping[str, Any], settings: Settings) -> Plan:
    """Return what an event asks for.

    :raises UnknownEvent: it is not about S3 objects, or it cannot be answered.
    """
    if isinstance(event, dict) and "tasks" in event:
        return _batch(event, settings)
    listed = event.get("Records") if isinstance(event, dict) else None
    records: list[Any] = listed if isinstance(listed, list) else []
    first = records[0] if records else None
    # Every record is a task of its own, so that those that fail can be counted or named.
    if _is_queued(first):
        tasks = tuple(_message(_message_id(record), record, settings) for record in records)
        return Plan(kind=Kind.QUEUE, tasks=tasks, head={})
    if isinstance(first, dict) and first.get("EventSource") == "aws:sns":
        tasks = tuple(_message(str(n), record, settings) for n, record in enumerate(records))
        return Plan(kind=Kind.DIRECT, tasks=tasks, head={})
    read, parts = _reader(event)
    tasks = tuple(_task(str(n), read, [part], settings) for n, part in enumerate(parts))
    return Plan(kind=Kind.DIRECT, tasks=tasks, head={})


def _is_queued(record: object) -> bool:
    return isinstance(record, dict) and record.get("eventSource") == "aws:sqs"


def _message_id(record: Mapping[str, Any]) -> str:
    """Return the id by which a message of a queue is reported.

    :raises UnknownEvent: it has none.
    """
    if not _is_queued(record) or not isinstance(record.get("messageId"), str):
        raise UnknownEvent(reason="a record of a queue has no messageId")
    name: str = record["messageId"]
    return name


def _message(name: str, record: Mapping[str, Any], settings: Settings) -> Task:
    """Return the task of one message, of SQS or of SNS."""
    try:
        read, parts = _reader(_carried(record))
    except UnknownEvent as error:
        return Task(name=name, fault=str(error.facts["reason"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        return Task(name=name, fault="the message holds no JSON")
    return _task(name, read, parts, settings)


def _carried(record: Mapping[str, Any]) -> Any:
    """Return the event that a message carries.

    SNS puts it into an envelope, which a queue gets too, unless raw message delivery is on.
    """
    carried = record["Sns"] if "Sns" in record else json.loads(record["body"])
    if isinstance(carried, dict) and carried.get("Type") == "Notification":
        carried = json.loads(carried["Message"])
    return carried


def _task(name: str, read: _Reader, parts: list[Any], settings: Settings) -> Task:
    """Return the task of an event's parts; its fault names those that cannot be read."""
    steps: list[Step] = []
    faults: list[str] = []
    for part in parts:
        try:
            steps.append(read(part, settings))
        except UnknownEvent as error:
            faults.append(str(error.facts["reason"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            faults.append(f"a field is missing or wrong: {type(error).__name__}")
    return Task(name=name, steps=tuple(steps), fault="; ".join(dict.fromkeys(faults)))


def _reader(event: Any) -> tuple[_Reader, list[Any]]:
    """Return the reader for a notification or an EventBridge event, and the parts for it to read.

    :raises UnknownEvent: the event is neither.
    """
    if isinstance(event, dict):
        if event.get("Event") == "s3:TestEvent":
            return _from_test_event, [event]
        if event.get("source") == "aws.s3" and "detail" in event:
            return _from_eventbridge, [event]
        if isinstance(event.get("Records"), list):
            return _from_notification, event["Records"]
    raise UnknownEvent(reason="it is neither from S3 nor from EventBridge")


def _from_test_event(event: Mapping[str, Any], _settings: Settings) -> Step:
    source = ObjectRef(bucket=str(event.get("Bucket", "")), key="")
    return Skipped(why=Skip.TEST_EVENT, source=source)


def _from_notification(record: Mapping[str, Any], settings: Settings) -> Step:
    if record.get("eventSource") != "aws:s3":
        raise UnknownEvent(reason="a record is not from S3")
    bucket, entry = _text(record["s3"]["bucket"]["name"]), record["s3"]["object"]
    key = unquote_plus(entry["key"], errors="strict")
    source = ObjectRef(bucket=bucket, key=key)
    if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
        return Skipped(why=Skip.NOT_CREATED, source=source)
    version_id = _optional(entry.get("versionId"))
    etag = _optional(entry.get("eTag"))
    return _ours(Job(source=source, version_id=version_id, etag=etag), settings)


def _from_eventbridge(event: Mapping[str, Any], settings: Settings) -> Step:
    bucket, entry = _text(event["detail"]["bucket"]["name"]), event["detail"]["object"]
    key = _text(entry["key"])  # not encoded: a plus sign is a plus sign
    source = ObjectRef(bucket=bucket, key=key)
    if event["detail-type"] != "Object Created":
        return Skipped(why=Skip.NOT_CREATED, source=source)
    version_id = _optional(entry.get("version-id"))
    etag = _optional(entry.get("etag"))
    return _ours(Job(source=source, version_id=version_id, etag=etag), settings)


def _text(value: object) -> str:
    """Return a value that must be text.

    :raises TypeError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError
    return value


def _optional(value: object) -> str | None:
    """Return a version or an ETag, without quotes; ``None`` if it is absent or empty.

    :raises TypeError: it is not text.
    """
    return _text(value or "").strip('"') or None


def _batch(event: Mapping[str, Any], settings: Settings) -> Plan:
    """Return the plan of an S3 Batch Operations invocation.

    :raises UnknownEvent: its schema is unknown, or it lacks what an answer needs.
    """
    try:
        schema = event["invocationSchemaVersion"]
        head = {"invocationSchemaVersion": schema, "invocationId": event["invocationId"]}
        named = [(_text(task["taskId"]), task) for task in event["tasks"]]
        given = event["job"].get("userArguments") or {} if schema == "2.0" else {}
        arguments = tuple((str(n), "" if v is None else str(v)) for n, v in given.items())
    except (KeyError, TypeError, AttributeError) as error:
        raise UnknownEvent(reason="a batch job's invocation lacks a field") from error
    if schema not in ("1.0", "2.0"):
        raise UnknownEvent(reason=f"schema {str(schema)[:20]} is not 1.0 or 2.0")
    read = partial(_from_batch, arguments, _refusal(arguments, settings))
    tasks = tuple(_task(name, read, [task], settings) for name, task in named)
    return Plan(kind=Kind.BATCH, tasks=tasks, head=head)


def _refusal(arguments: _Arguments, settings: Settings) -> CutoutError | None:
    """Return what is wrong with a job's options, whatever the object is; ``None`` if nothing is.

    A name that no option has is wrong too. ``response`` means nothing here, so any value is right.
    """
    named = [(spelled(name), value) for name, value in arguments]
    fields = [field for field in named if field[0] != "response"]
    try:
        _, unknown = parse_object_options(fields, settings.model_names)
    except CutoutError as error:
        return error
    if unknown:
        # The error's code holds the name and goes into the metadata of the error file, for which S3
        # takes printable ASCII only. A dash from a word processor is such a name's usual fault.
        name = told_name(unknown[0])
        return InvalidOption(option=name, accepted="left out: there is no such option")
    return None


def _from_batch(
    arguments: _Arguments, refusal: CutoutError | None, task: Mapping[str, Any], settings: Settings
) -> Step:
    bucket = _text(task.get("s3Bucket") or task["s3BucketArn"].rpartition(_BUCKET_ARN)[2])
    source = ObjectRef(bucket=bucket, key=unquote_plus(task["s3Key"], errors="strict"))
    version_id = _optional(task.get("s3VersionId"))
    job = Job(source=source, version_id=version_id, arguments=arguments, refusal=refusal)
    return _ours(job, settings, settings.catalogue_buckets)


def _ours(job: Job, settings: Settings, catalogue: frozenset[str] = frozenset()) -> Step:
    """Return the job, or why nothing is done: its object is not a source of the deployment.

    What the deployment itself writes is never a source, so that output cannot become input.

    :raises ValueError: the key cannot be encoded as UTF-8.
    """
    bucket, key = job.source.bucket, job.source.key
    key.encode()
    written = bucket == settings.result_bucket and key.startswith(
        (settings.target_prefix, RESULTS_PREFIX)
    )
    listed = bucket in catalogue and bucket != settings.input_bucket
    if (settings.is_upload(bucket, key) or listed) and not written:
        return job
    return Skipped(why=Skip.NOT_OURS, source=job.source)
