"""Uploads, deletions, events and workers in any order, with faults of S3 in the middle.

Hypothesis draws the orders: some for ``test_worker``, and as many as you like for ``make fuzz``.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from s3_world import FORMATS, REMOVER, SETTINGS, SOURCE, World

from cutout.errors import StorageFailed
from cutout.s3.jobs import Job
from cutout.s3.worker import Worker
from cutout.store import PreconditionFailed
from fake_store import FakeStore

_MAX_WORKERS = 4


class Dead(BaseException):
    """The worker's process is ended at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How S3 answers a call otherwise: ``after`` it has taken effect, or instead of that."""

    error: BaseException
    after: bool = False
    methods: frozenset[str] = frozenset({"find", "list", "read", "write", "remove"})


FAILED = StorageFailed(call="test", reason="test")
ANSWERS = {
    "fails": Answer(error=FAILED),
    "answer is lost": Answer(error=FAILED, after=True),
    "another write": Answer(error=PreconditionFailed(), methods=frozenset({"write"})),
    # The answer was lost, and botocore has tried again.
    "written twice": Answer(error=PreconditionFailed(), after=True, methods=frozenset({"write"})),
    "worker dies": Answer(error=Dead()),
    "worker dies after": Answer(error=Dead(), after=True),
}


class Actor:
    """A worker at one event, in a thread of its own that goes on call by call."""

    def __init__(self, world: World, job: Job) -> None:
        self.job = job
        self.ended = False
        self.succeeded = False
        self._answer: Answer | None = None
        self._may_go = threading.Semaphore(0)
        self._waits = threading.Semaphore(0)
        store = FakeStore(world.store.buckets)
        store.before = self._before
        store.after = self._after
        self._worker = Worker(remover=REMOVER, store=store, settings=SETTINGS)
        threading.Thread(target=self._run, daemon=True).start()
        self._waits.acquire()

    def _before(self, method: str, _bucket: str) -> None:
        self._waits.release()
        self._may_go.acquire()
        if self._answer and method not in self._answer.methods:
            self._answer = None
        self._raise(after=False)

    def _after(self, _method: str, _bucket: str) -> None:
        self._raise(after=True)

    def _raise(self, *, after: bool) -> None:
        answer = self._answer
        if answer and answer.after == after:
            self._answer = None
            raise answer.error

    def _run(self) -> None:
        try:
            self._worker.work(self.job, request_id="id", left_ms=lambda: 60_000)
            self.succeeded = True
        except (StorageFailed, Dead):
            pass
        self.ended = True
        self._waits.release()

    def step(self, answer: Answer | None = None) -> None:
        """Let one call take effect or be answered otherwise, and the worker go on to the next."""
        if not self.ended:
            self._answer = answer
            self._may_go.release()
            self._waits.acquire()


class Orders(RuleBasedStateMachine):
    """Uploads, deletions, batch jobs and late events, with workers that overtake each other.

    In the end all events that did not succeed come again. Then a source that is there has one
    result, which is that of its newest version.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.jobs: list[Job] = []
        self.undone: list[Job] = []
        self.actors: list[Actor] = []
        self.by_batch_jobs: set[str] = set()

    @initialize(versioned=st.booleans())
    def make_buckets(self, *, versioned: bool) -> None:
        """Begin with or without versions."""
        self.world = World(versioned=versioned)

    @rule(shade=st.sampled_from([50, 150]), extension=st.sampled_from(FORMATS))
    def upload(self, shade: int, extension: str) -> None:
        """Upload a photo; its event is on its way."""
        self._order(self.world.upload(shade, extension))

    @rule(extension=st.sampled_from(["png", "tiff", "bmp", "nonsense"]))
    def ask_for_another_format(self, extension: str) -> None:
        """Run a batch job over what is there when its event comes."""
        self.by_batch_jobs.add(f"format={extension}")
        self._order(Job(source=SOURCE, arguments=(("format", extension),)))

    def _order(self, job: Job) -> None:
        self.jobs.append(job)
        self.undone.append(job)

    @rule()
    def delete(self) -> None:
        """Delete the source."""
        self.world.delete()

    @precondition(lambda self: self.jobs and len(self.actors) < _MAX_WORKERS)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Begin to work on any event, be it the first time or not."""
        self.actors.append(Actor(self.world, data.draw(st.sampled_from(self.jobs))))

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), calls=st.integers(1, 6))
    def go_on(self, data: st.DataObject, calls: int) -> None:
        """Let one worker make some calls."""
        actor = data.draw(st.sampled_from(self.actors))
        for _ in range(calls):
            actor.step()
        self._end(actor)

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), answer=st.sampled_from(sorted(ANSWERS)))
    def meet_a_fault(self, data: st.DataObject, answer: str) -> None:
        """Let one call of a worker be answered otherwise, or the worker die with it."""
        actor = data.draw(st.sampled_from(self.actors))
        actor.step(ANSWERS[answer])
        self._end(actor)

    def _end(self, actor: Actor) -> None:
        if not actor.ended:
            return
        self.actors.remove(actor)
        if actor.succeeded and actor.job in self.undone:
            self.undone.remove(actor.job)

    def teardown(self) -> None:
        """Let all come to an end; then there is exactly one file for a source that lives."""
        while self.actors:
            for actor in list(self.actors):
                actor.step()
                self._end(actor)
        for job in self.undone:
            self.world.work(job)
        self._check()
        for job in reversed(self.jobs):  # and all events come once more
            self.world.work(job)
        self._check()
        self._check_that_events_undo_no_batch_job()

    def _check_that_events_undo_no_batch_job(self) -> None:
        before = self._cutouts()
        for job in self.jobs:
            if job.arguments is None:
                self.world.work(job)
        if any("source-options" in metadata for metadata in before.values()):
            assert self._cutouts() == before

    def _cutouts(self) -> dict[str, Mapping[str, str]]:
        """Return the metadata of the results that are not error files."""
        held = self.world.store.buckets["out"].objects
        return {
            key: result.stored.metadata
            for key, result in held.items()
            if "error" not in result.stored.metadata
        }

    def _check(self) -> None:
        if SOURCE.key in self.world.store.buckets["in"].objects and self.jobs:
            self.world.check(self.by_batch_jobs)
