"""Events about S3 objects → :class:`Plan`: what is to be done, and how to report on it.

Pure: nothing is read or written here. Each kind of event writes keys its own way, so each has its
own reader: notifications and S3 Batch Operations encode them as a query string does, EventBridge
gives them as they are.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

from cutout.errors import UnknownEvent
from cutout.settings import RESULTS_PREFIX, Settings
from cutout.store import ObjectRef, Stored

_BUCKET_ARN = ":s3:::"  # after the partition: aws, aws-cn, aws-us-gov


class Kind(StrEnum):
    """How an event came, and so what it takes for an answer."""

    DIRECT = "direct"
    QUEUE = "queue"
    BATCH = "batch"


class Skip(StrEnum):
    """Why an object that an event names is not worked on."""

    NOT_OURS = "not_ours"
    NOT_CREATED = "not_created"
    TEST_EVENT = "test_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One object to work on: the version that the event names, or that has its ETag.

    ``arguments`` are options that come with the event, as they came.
    """

    source: ObjectRef
    etag: str | None = None
    sequencer: str | None = None
    arguments: tuple[tuple[str, str], ...] = ()

    def means(self, current: Stored) -> bool:
        """Tell whether the object is still what the event was about.

        Both count: where versioning is suspended, one version after the other is named ``null``.
        """
        version = self.source.version_id
        if version is not None and current.version_id not in {None, version}:
            return False
        return self.etag is None or self.etag == current.etag


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """One object, or message, that is left alone."""

    why: Skip
    bucket: str = ""
    key: str = ""


Step = Job | Skipped

_Reader = Callable[[Any, Settings], Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is reported on as one: a record, a message, or a task of a batch job.

    A ``fault`` says why it cannot be read, or what of it besides the ``steps``.
    """

    name: str
    steps: tuple[Step, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that an event asks for; ``head`` is what an answer to a batch job repeats."""

    kind: Kind
    tasks: tuple[Task, ...]
    head: Mapping[str, str]


def plan(event: Mapping[str, Any], settings: Settings) -> Plan:
    """Return what an event asks for.

    :raises UnknownEvent: it is no event about S3 objects.
    """
    if "tasks" in event:
        return _batch(event, settings)
    records = event.get("Records")
    if isinstance(records, list) and records and _is_message(records[0]):
        tasks = tuple(_message(record, settings) for record in records)
        return Plan(kind=Kind.QUEUE, tasks=tasks, head={})
    read, parts = _reader(event)
    # A task each, so that those that fail are counted.
    tasks = tuple(_task(str(n), read, [part], settings) for n, part in enumerate(parts))
    return Plan(kind=Kind.DIRECT, tasks=tasks, head={})


def _is_message(record: object) -> bool:
    return isinstance(record, dict) and record.get("eventSource") == "aws:sqs"


def _message(record: Mapping[str, Any], settings: Settings) -> Task:
    """Return the task of one SQS message.

    :raises UnknownEvent: it has no id, so that nothing can be said of it.
    """
    if not _is_message(record) or not isinstance(record.get("messageId"), str):
        raise UnknownEvent(reason="a record of a queue has no messageId")
    name = record["messageId"]
    try:
        read, parts = _reader(json.loads(record["body"]))
    except UnknownEvent as error:
        return Task(name=name, fault=str(error))
    except (KeyError, TypeError, ValueError, RecursionError):
        return Task(name=name, fault="the message is no JSON")
    return _task(name, read, parts, settings)


def _task(name: str, read: _Reader, parts: list[Any], settings: Settings) -> Task:
    """Return the task of an event's parts; what cannot be read of them is the task's fault."""
    steps: list[Step] = []
    faults: list[str] = []
    for part in parts:
        try:
            steps.append(read(part, settings))
        except UnknownEvent as error:
            faults.append(str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            faults.append(f"a field is missing or wrong: {type(error).__name__}")
    return Task(name=name, steps=tuple(steps), fault="; ".join(dict.fromkeys(faults)))


def _reader(event: Any) -> tuple[_Reader, list[Any]]:
    """Return what reads a notification or an EventBridge event, and the parts that it reads.

    :raises UnknownEvent: it is neither.
    """
    if isinstance(event, dict):
        if event.get("Event") == "s3:TestEvent":
            return _from_test_event, [event]
        if event.get("source") == "aws.s3" and "detail" in event:
            return _from_eventbridge, [event]
        if isinstance(event.get("Records"), list):
            return _from_notification, event["Records"]
    raise UnknownEvent(reason="it is neither S3's nor EventBridge's")


def _from_test_event(event: Mapping[str, Any], _settings: Settings) -> Step:
    return Skipped(why=Skip.TEST_EVENT, bucket=str(event.get("Bucket", "")))


def _from_notification(record: Mapping[str, Any], settings: Settings) -> Step:
    if record.get("eventSource") != "aws:s3":
        raise UnknownEvent(reason="a record is not S3's")
    bucket, entry = _text(record["s3"]["bucket"]["name"]), record["s3"]["object"]
    key = unquote_plus(entry["key"], errors="strict")
    if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
        return Skipped(why=Skip.NOT_CREATED, bucket=bucket, key=key)
    ref = ObjectRef(bucket=bucket, key=key, version_id=_version(entry.get("versionId")))
    job = Job(source=ref, etag=_etag(entry), sequencer=entry.get("sequencer"))
    return _ours(job, settings)


def _from_eventbridge(event: Mapping[str, Any], settings: Settings) -> Step:
    bucket, entry = _text(event["detail"]["bucket"]["name"]), event["detail"]["object"]
    key = _text(entry["key"])  # raw: a plus sign is a plus sign
    if event["detail-type"] != "Object Created":
        return Skipped(why=Skip.NOT_CREATED, bucket=bucket, key=key)
    ref = ObjectRef(bucket=bucket, key=key, version_id=_version(entry.get("version-id")))
    job = Job(source=ref, etag=_etag(entry), sequencer=entry.get("sequencer"))
    return _ours(job, settings)


def _text(value: object) -> str:
    """Return what is text.

    :raises TypeError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError
    return value


def _version(value: object) -> str | None:
    """Return a version, ``None`` where it is null or empty.

    :raises TypeError: it is no text.
    """
    return _text(value or "") or None


def _etag(entry: Mapping[str, Any]) -> str | None:
    """Return the ETag, which notifications spell ``eTag`` and EventBridge ``etag``."""
    etag = entry.get("eTag") or entry.get("etag")
    return etag.strip('"') if etag else None


def _batch(event: Mapping[str, Any], settings: Settings) -> Plan:
    """Return the plan of an S3 Batch Operations invocation.

    :raises UnknownEvent: it is of another schema, or cannot be answered.
    """
    try:
        schema = event["invocationSchemaVersion"]
        head = {"invocationSchemaVersion": schema, "invocationId": event["invocationId"]}
        named = [(task["taskId"], task) for task in event["tasks"]]
        given = event["job"].get("userArguments") or {} if schema == "2.0" else {}
        arguments = tuple((str(n), "" if v is None else str(v)) for n, v in given.items())
    except (KeyError, TypeError, AttributeError) as error:
        raise UnknownEvent(reason="a batch job's invocation lacks a field") from error
    if schema not in ("1.0", "2.0"):
        raise UnknownEvent(reason=f"schema {str(schema)[:20]} is not 1.0 or 2.0")
    tasks = tuple(_batch_task(name, task, arguments, settings) for name, task in named)
    return Plan(kind=Kind.BATCH, tasks=tasks, head=head)


def _batch_task(
    name: str, task: Mapping[str, Any], arguments: tuple[tuple[str, str], ...], settings: Settings
) -> Task:
    try:
        bucket = task.get("s3Bucket") or task["s3BucketArn"].rpartition(_BUCKET_ARN)[2]
        key = unquote_plus(task["s3Key"], errors="strict")
        ref = ObjectRef(bucket=bucket, key=key, version_id=_version(task.get("s3VersionId")))
        catalogue = settings.catalogue_buckets
        return Task(
            name=name, steps=(_ours(Job(source=ref, arguments=arguments), settings, catalogue),)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Task(name=name, fault=f"a field is missing or wrong: {type(error).__name__}")


def _ours(job: Job, settings: Settings, catalogue: frozenset[str] = frozenset()) -> Step:
    """Return the job, or that its object is none of the deployment's sources.

    What the deployment writes is never a source, so output cannot become input.

    :raises ValueError: the key is no UTF-8.
    """
    bucket, key = job.source.bucket, job.source.key
    key.encode()
    written = bucket == settings.result_bucket and key.startswith(
        (settings.target_prefix, RESULTS_PREFIX)
    )
    uploaded = bucket == settings.input_bucket and key.startswith(settings.upload_prefix)
    if (uploaded or (bucket in catalogue and bucket != settings.input_bucket)) and not written:
        return job
    return Skipped(why=Skip.NOT_OURS, bucket=bucket, key=key)
