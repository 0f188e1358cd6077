"""What is to be done for an event: jobs for the worker, grouped as the answer reports on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cutout.errors import CutoutError
from cutout.store import ObjectRef, Stored


class Kind(StrEnum):
    """How an event arrived, which decides how it is answered."""

    DIRECT = "direct"
    QUEUE = "queue"
    BATCH = "batch"


class Skip(StrEnum):
    """Why an object that an event names needs no work: known from the event or from S3."""

    NOT_OURS = "not_ours"
    NOT_CREATED = "not_created"
    TEST_EVENT = "test_event"
    FOLDER = "folder"
    SOURCE_GONE = "source_gone"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One object to work on, and the version and ETag of it that the event is about, if it says so.

    ``arguments`` are the options that come with a batch job, not parsed yet. An event about an
    upload has ``None``, and not an empty list as a job has that asks for the source's own options.
    ``refusal`` is what is wrong with them whatever the object is.
    """

    source: ObjectRef
    version_id: str | None = None
    etag: str | None = None
    arguments: tuple[tuple[str, str], ...] | None = None
    refusal: CutoutError | None = None

    @property
    def by_event(self) -> bool:
        """Whether an event about an upload asks for it, and not a batch job."""
        return self.arguments is None

    def means(self, current: Stored) -> bool:
        """Tell whether the object is still the one that the event is about.

        Version and ETag must both fit: in a bucket whose versioning is suspended every version has
        the name ``null``.
        """
        if self.version_id is not None and current.version_id not in {None, self.version_id}:
            return False
        return self.etag is None or self.etag == current.etag


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """One object, or S3's test message, for which there is nothing to do."""

    why: Skip
    source: ObjectRef


Step = Job | Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What succeeds or fails as one: a record, a message, or a task of a batch job.

    ``steps`` holds what could be read of it, and ``fault`` says why the rest could not be.
    """

    name: str
    steps: tuple[Step, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that an event asks for; ``head`` holds the fields that a batch job's answer repeats."""

    kind: Kind
    tasks: tuple[Task, ...]
    head: Mapping[str, str]
