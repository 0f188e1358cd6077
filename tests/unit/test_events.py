"""Events → what is to be done: pure, each kind's own way to write keys."""

from typing import Any

import pytest

from cutout.errors import UnknownEvent
from cutout.s3.events import plan
from cutout.s3.jobs import Job, Kind, Plan, Skip, Skipped, Step
from cutout.settings import Settings
from cutout.store import ObjectRef, Stored
from make_events import (
    eventbridge_event,
    s3_batch_event,
    s3_put_event,
    s3_test_event,
    sns_envelope,
    sns_event,
    sqs_event,
)

SETTINGS = Settings(
    input_bucket="shop-in", result_bucket="shop-out", catalogue_buckets=frozenset({"photos"})
)
KEYS = [
    "uploads/a cat.jpg",
    "uploads/a+b.jpg",
    "uploads/100% + 1.jpg",
    "uploads/a%20b%2B.jpg",
    "uploads/büro/猫 🐈.jpg",
    "uploads/a&b=c?d#e.jpg",
    "uploads/" + "é" * 508,
]


def only(planned: Plan) -> Step:
    """Return the one step of a plan."""
    (task,) = planned.tasks
    assert not task.fault
    (step,) = task.steps
    return step


def key_of(planned: Plan) -> str:
    """Return the key of a plan's one job."""
    step = only(planned)
    assert isinstance(step, Job)
    return step.source.key


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_decodes_keys_its_own_way(key: str) -> None:
    """Notifications and batch jobs encode them like a query string, EventBridge does not."""
    notification, created = s3_put_event("shop-in", key, 5), eventbridge_event("shop-in", key, 5)
    assert key_of(plan(notification, SETTINGS)) == key
    assert key_of(plan(created, SETTINGS)) == key
    assert key_of(plan(sqs_event(notification), SETTINGS)) == key
    assert key_of(plan(sqs_event(created), SETTINGS)) == key
    for schema in ("1.0", "2.0"):
        assert key_of(plan(s3_batch_event("shop-in", key, schema=schema), SETTINGS)) == key


@pytest.mark.parametrize("key", KEYS)
def test_a_topic_passes_events_on(key: str) -> None:
    """To a queue, in its envelope or raw, or to the function; each means what the event does."""
    for event in (s3_put_event("shop-in", key, 5), eventbridge_event("shop-in", key, 5)):
        expected = only(plan(event, SETTINGS))
        assert isinstance(expected, Job)
        for sent, kind in (
            (sqs_event(sns_envelope(event)), Kind.QUEUE),
            (sqs_event(event), Kind.QUEUE),
            (sns_event(event), Kind.DIRECT),
        ):
            planned = plan(sent, SETTINGS)
            assert planned.kind is kind
            assert only(planned) == expected


def test_what_a_topic_sends_besides_uploads() -> None:
    """S3's test message is nothing to do; what is not about S3 fails, and is not passed over."""
    for sent in (sqs_event(sns_envelope(s3_test_event("shop-in"))), sns_event(s3_test_event("b"))):
        step = only(plan(sent, SETTINGS))
        assert isinstance(step, Skipped)
        assert step.why is Skip.TEST_EVENT
    put = s3_put_event("shop-in", "uploads/a", 5)
    confirmation = sns_envelope(put) | {"Type": "SubscriptionConfirmation"}
    twice = sns_envelope(sns_envelope(put))
    for message in ("Hello", {"hello": "world"}, ["x"], None, sns_envelope(put)):
        for sent in (sqs_event(sns_envelope(message)), sns_event(message)):
            (task,) = plan(sent, SETTINGS).tasks
            assert (task.steps, bool(task.fault)) == ((), True)
    for message in (
        confirmation,
        twice,
        {"Type": "Notification"},
        sns_envelope(put) | {"Message": 5},
    ):
        (task,) = plan(sqs_event(message), SETTINGS).tasks
        assert (task.steps, bool(task.fault)) == ((), True)


def test_a_broken_record_of_a_topic() -> None:
    """It is a fault of its own, beside one that can be read."""
    records = sns_event(s3_put_event("shop-in", "uploads/a", 5))["Records"]
    broken: list[Any] = [{"EventSource": "aws:sns"}, {"Sns": {"Message": "["}}, {"Sns": 5}, 5, None]
    planned = plan({"Records": [*records, *broken]}, SETTINGS)
    assert planned.kind is Kind.DIRECT
    assert [bool(task.fault) for task in planned.tasks] == [False, *[True] * len(broken)]


def test_a_job_knows_the_version_and_the_etag() -> None:
    """Whichever way they are spelled."""
    first = only(plan(s3_put_event("shop-in", "uploads/a", 5), SETTINGS))
    second = only(plan(eventbridge_event("shop-in", "uploads/a", 5), SETTINGS))
    for job in (first, second):
        assert isinstance(job, Job)
        assert job.version_id == "3HL4kqtJvjVBH40Nrjfkd0TLBPzVEXAM"
        assert job.etag
        assert len(job.etag) == 32


@pytest.mark.parametrize("version_id", ["3HL4kqtJvjVBH40Nrjfkd0TLBPzVEXAM", "null", None])
@pytest.mark.parametrize("schema", ["1.0", "2.0"])
def test_a_task_of_a_batch_job_may_name_a_version(schema: str, version_id: str | None) -> None:
    """As the job's manifest says; it names no ETag."""
    event = s3_batch_event("shop-in", "uploads/a", schema=schema)
    event["tasks"][0]["s3VersionId"] = version_id
    job = only(plan(event, SETTINGS))
    assert isinstance(job, Job)
    assert (job.version_id, job.etag) == (version_id, None)


@pytest.mark.parametrize(
    ("bucket", "key", "ours"),
    [
        ("shop-in", "uploads/a", True),
        ("shop-in", "incoming/a", False),
        ("shop-in", "manifests/a", False),
        ("shop-in", "a", False),
        ("shop-in", "Uploads/a", False),
        ("shop-out", "cutouts/a", False),
        ("shop-out", "uploads/a", False),
        ("photos", "a", False),
        ("other", "uploads/a", False),
    ],
)
def test_uploads_to_the_input_bucket_only(bucket: str, key: str, *, ours: bool) -> None:
    """A result that comes back as an event, or a foreign bucket's, starts nothing."""
    step = only(plan(s3_put_event(bucket, key, 5), SETTINGS))
    assert isinstance(step, Job) is ours
    if not ours:
        assert step == Skipped(why=Skip.NOT_OURS, source=ObjectRef(bucket=bucket, key=key))


@pytest.mark.parametrize(
    ("bucket", "key", "ours"),
    [
        ("shop-in", "uploads/a", True),
        ("photos", "a", True),
        ("photos", "uploads/a", True),
        ("shop-in", "incoming/a", False),
        ("shop-out", "cutouts/a", False),
        ("other", "a", False),
    ],
)
def test_a_batch_job_may_read_the_catalogue_too(bucket: str, key: str, *, ours: bool) -> None:
    """And nothing else: the job's maker may not have the function's rights."""
    for schema in ("1.0", "2.0"):
        step = only(plan(s3_batch_event(bucket, key, schema=schema), SETTINGS))
        assert isinstance(step, Job) is ours


def test_what_is_written_is_no_source_even_in_one_bucket() -> None:
    """Where one bucket is input and catalogue's result at once, output cannot become input."""
    settings = Settings(
        input_bucket="shop-in", result_bucket="one", catalogue_buckets=frozenset({"one"})
    )
    for key, ours in {"cutouts/a.png": False, "results/a.png": False, "a.png": True}.items():
        step = only(plan(s3_batch_event("one", key, schema="1.0"), settings))
        assert isinstance(step, Job) is ours


def test_the_input_bucket_is_no_catalogue() -> None:
    """Where it is listed as one, a job still takes nothing but uploads from it."""
    settings = Settings(
        input_bucket="shop-in", result_bucket="shop-out", catalogue_buckets=frozenset({"shop-in"})
    )
    for key, ours in {"uploads/a": True, "incoming/a": False, "a": False}.items():
        step = only(plan(s3_batch_event("shop-in", key, schema="2.0"), settings))
        assert isinstance(step, Job) is ours


def test_a_batch_jobs_arguments_are_options() -> None:
    """Of schema 2.0, which has them; the head is repeated in the answer."""
    event = s3_batch_event(
        "photos", "a b.jpg", schema="2.0", arguments={"format": "webp", "crop": "true"}
    )
    event["job"]["userArguments"]["size"] = None
    planned = plan(event, SETTINGS)
    job = only(planned)
    assert isinstance(job, Job)
    assert job.arguments == (("format", "webp"), ("crop", "true"), ("size", ""))
    assert planned.kind is Kind.BATCH
    assert planned.head == {
        "invocationSchemaVersion": "2.0",
        "invocationId": event["invocationId"],
    }
    assert planned.tasks[0].name == event["tasks"][0]["taskId"]


def test_an_object_that_was_removed_or_restored() -> None:
    """Only what is created is worked on, however it was created."""
    event = s3_put_event("shop-in", "uploads/a", 5)
    for name, created in {
        "ObjectCreated:CompleteMultipartUpload": True,
        "ObjectCreated:Copy": True,
        "s3:ObjectCreated:Post": True,
        "ObjectRemoved:Delete": False,
        "ObjectTagging:Put": False,
    }.items():
        event["Records"][0]["eventName"] = name
        step = only(plan(event, SETTINGS))
        assert isinstance(step, Job) is created
        source = ObjectRef(bucket="shop-in", key="uploads/a")
        assert created or step == Skipped(why=Skip.NOT_CREATED, source=source)
    deleted = eventbridge_event("shop-in", "uploads/a", 5) | {"detail-type": "Object Deleted"}
    assert isinstance(only(plan(deleted, SETTINGS)), Skipped)


def test_a_test_event_is_nothing_to_do() -> None:
    """S3 sends it when a notification is set up, straight or through the queue."""
    skipped = Skipped(why=Skip.TEST_EVENT, source=ObjectRef(bucket="shop-in", key=""))
    assert only(plan(s3_test_event("shop-in"), SETTINGS)) == skipped
    assert only(plan(sqs_event(s3_test_event("shop-in")), SETTINGS)) == skipped


def test_records_and_messages_are_tasks_of_their_own() -> None:
    """One that cannot be read is a fault of its own, and names itself."""
    good = s3_put_event("shop-in", "uploads/a", 5)
    messages: list[Any] = [good, "not JSON", {"hello": "world"}, "[]", "null", "[" * 100_000]
    messages += [{"Records": [{"eventSource": "aws:s3"}]}, {"Records": []}]
    event = sqs_event(*messages)
    planned = plan(event, SETTINGS)
    assert planned.kind is Kind.QUEUE
    assert [task.name for task in planned.tasks] == [r["messageId"] for r in event["Records"]]
    faults = [bool(task.fault) for task in planned.tasks]
    assert faults == [False, True, True, True, True, True, True, False]
    assert planned.tasks[2].fault == "it is neither from S3 nor from EventBridge"

    broken = {"Records": [*good["Records"], {"eventSource": "aws:s3", "s3": {}}]}
    planned = plan(broken, SETTINGS)
    assert planned.kind is Kind.DIRECT
    assert [bool(task.fault) for task in planned.tasks] == [False, True]


def test_a_key_that_is_no_text() -> None:
    """An encoded key that is no UTF-8 cannot be one of S3's."""
    event = s3_put_event("shop-in", "uploads/a", 5)
    event["Records"][0]["s3"]["object"]["key"] = "uploads/%FF"
    (task,) = plan(event, SETTINGS).tasks
    assert task.fault
    job = s3_batch_event("shop-in", "uploads/a", schema="2.0")
    job["tasks"][0]["s3Key"] = "uploads/%FF"
    (task,) = plan(job, SETTINGS).tasks
    assert task.fault


@pytest.mark.parametrize("wrong", [5, 1.5, True, ["photos"], {"name": "photos"}])
@pytest.mark.parametrize("field", ["s3Bucket", "s3BucketArn", "s3Key", "s3VersionId"])
def test_a_batch_tasks_field_that_is_not_text(field: str, wrong: object) -> None:
    """It is the fault of this task, which is reported, and the other tasks of the job go on."""
    event = s3_batch_event("shop-in", "uploads/a", schema="1.0" if "Arn" in field else "2.0")
    good = dict(event["tasks"][0], taskId="good")
    event["tasks"][0][field] = wrong
    event["tasks"].append(good)
    bad, other = plan(event, SETTINGS).tasks
    assert bad.steps == ()
    assert bad.fault.startswith("a field is missing or wrong: ")
    assert (len(other.steps), other.fault) == (1, "")


def test_a_version_or_an_etag_that_is_not_text() -> None:
    """It is a fault of its record."""
    for field in ("versionId", "eTag"):
        event = s3_put_event("shop-in", "uploads/a", 5)
        event["Records"][0]["s3"]["object"][field] = {"not": "text"}
        (task,) = plan(event, SETTINGS).tasks
        assert task.fault == "a field is missing or wrong: TypeError"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"hello": "world"},
        {"Records": None},
        {"tasks": []},
        {"tasks": [{"taskId": "x"}], "invocationSchemaVersion": "1.0"},
        {
            "tasks": [{"taskId": "x"}],
            "invocationSchemaVersion": "3.0",
            "invocationId": "y",
            "job": {"id": "z"},
        },
        {
            "tasks": [{"taskId": 5, "s3Key": "a", "s3Bucket": "photos"}],
            "invocationSchemaVersion": "2.0",
            "invocationId": "y",
            "job": {"id": "z"},
        },
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
    ],
)
def test_events_of_no_kind(event: dict[str, Any]) -> None:
    """They fail as a whole: nothing is passed over in silence."""
    with pytest.raises(UnknownEvent):
        plan(event, SETTINGS)


@pytest.mark.parametrize("event", [None, "tasks", 5, [], [{"Records": []}]])
def test_an_event_that_is_no_object(event: Any) -> None:
    """As a direct call can send it."""
    with pytest.raises(UnknownEvent, match=r"it is neither from S3 nor from EventBridge$"):
        plan(event, SETTINGS)


def test_what_an_event_is_about() -> None:
    """Version and ETag both decide, as far as both sides have them; else the key alone."""
    source = ObjectRef(bucket="shop-in", key="uploads/a")
    job = Job(source=source, version_id="v1", etag="e1")
    assert job.means(Stored(etag="e1", size=1, version_id="v1"))
    assert not job.means(Stored(etag="e1", size=1, version_id="v2"))
    assert job.means(Stored(etag="e1", size=1))
    suspended = Job(source=source, version_id="null", etag="e1")
    assert suspended.means(Stored(etag="e1", size=1, version_id="null"))
    assert not suspended.means(Stored(etag="e2", size=1, version_id="null"))
    assert not job.means(Stored(etag="e2", size=1))
    plain = Job(source=source)
    assert plain.means(Stored(etag="e2", size=1, version_id="v9"))
