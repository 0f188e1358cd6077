"""The worker against S3 in memory: every call × every answer, two moments at once, any order."""

import contextlib
import itertools
from collections.abc import Callable

import pytest
from hypothesis import settings
from s3_orders import Orders
from s3_world import SOURCE, Moments, World

from cutout.errors import StorageFailed
from cutout.s3.jobs import Job
from cutout.store import ObjectGone, PreconditionFailed
from fake_store import nothing

BOTH = pytest.mark.parametrize("versioned", [True, False], ids=["v", "u"])


@pytest.mark.parametrize(
    "formats", list(itertools.product(["png", "tiff"], repeat=3)), ids="-".join
)
@BOTH
def test_two_more_uploads_at_any_two_moments(
    formats: tuple[str, str, str], *, versioned: bool
) -> None:
    """Each is worked on at once by another worker; the last one's result is the only one."""
    for first, second in itertools.combinations(range(1, 14), 2):
        world = World(versioned=versioned)
        world.work(world.upload(50, "png"))

        def replace(shade: int, extension: str, world: World = world) -> Callable[[], object]:
            return lambda: world.work(world.upload(shade, extension))

        job = world.upload(150, formats[0])
        moments = Moments({first: replace(50, formats[1]), second: replace(150, formats[2])})
        world.store.before = moments
        world.work(job)
        world.store.before = nothing
        if moments.number < first:
            return
        world.check()


@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
@pytest.mark.parametrize(
    ("wanted", "key"), [("png", "cutouts/cat.png"), ("nonsense", "cutouts/cat.error.json")]
)
def test_an_older_result_never_replaces_a_newer_one(wanted: str, key: str, *, before: bool) -> None:
    """Not even for a moment: with a batch job at one moment and a newer upload at another."""
    for first, second in itertools.combinations(range(1, 16), 2):
        world = World()
        if before:
            world.work(world.upload(20, wanted))
        job = world.upload(50, wanted)
        written: list[str] = []

        def note(method: str, _bucket: str, world: World = world, log: list[str] = written) -> None:
            if method == "write":
                result = world.store.buckets["out"].objects[key]
                log.append(result.stored.metadata["source-version"])

        def work_with_options(world: World = world) -> None:
            world.work(Job(source=SOURCE, arguments=(("quality", "50"),)))

        def upload(world: World = world) -> None:
            world.work(world.upload(150, wanted))

        moments = Moments({first: work_with_options, second: upload})
        world.store.before, world.store.after = moments, note
        world.work(job)
        assert written == sorted(written), (first, second)
        if moments.number < first:
            return


def test_a_worker_looks_at_the_source_before_it_removes_anything() -> None:
    """The earlier photo has come back, with the old ETag; and the worker dies after a removal."""
    world = World()
    world.work(world.upload(50, "png"))
    job = world.upload(150, "tiff")
    looks = [0]
    removed: list[bool] = []

    def before(method: str, bucket: str) -> None:
        if removed:
            raise StorageFailed(call=method, reason="dead")
        if looks[0] == 3:  # of one file before the write, and of two after it
            looks[0] += 1
            world.store.before, hook = nothing, world.store.before
            world.work(world.upload(50, "png"))
            world.store.before = hook
        looks[0] += (method, bucket) == ("find", "out")
        if method == "remove":
            removed.append(True)

    world.store.before = before
    with contextlib.suppress(StorageFailed):
        world.work(job)
    world.store.before = nothing
    assert looks[0] > 3
    world.work(job)
    world.check()


# --------------------------------------------------------------------------- faults


FAILED, GONE = StorageFailed(call="test", reason="test"), ObjectGone()
ANSWERS: list[tuple[str, str, Exception]] = [
    ("find", "before", FAILED),
    ("find", "before", GONE),
    ("list", "before", FAILED),
    ("read", "before", FAILED),
    ("read", "before", GONE),
    ("read", "before", PreconditionFailed()),
    ("write", "before", FAILED),
    ("write", "before", GONE),
    ("write", "before", PreconditionFailed()),
    ("write", "after", FAILED),
    ("write", "after", PreconditionFailed()),  # the answer was lost, and botocore tried again
    ("remove", "before", FAILED),
    ("remove", "after", FAILED),
]
SCENES = [
    ("", "png"),
    ("png", "png"),
    ("png", "tiff"),
    ("png", "nonsense"),
    ("png", "damaged"),
    ("nonsense", "png"),
    ("damaged", "nonsense"),
]


@pytest.mark.parametrize(
    ("method", "when", "answer"),
    ANSWERS,
    ids=[f"{m}-{w}-{type(a).__name__}" for m, w, a in ANSWERS],
)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene[0] or 'none'}-{scene[1]}")
def test_a_call_is_answered_otherwise(
    scene: tuple[str, str], method: str, when: str, answer: Exception
) -> None:
    """Once, whichever call of the kind it is; or always, so that the event has to come again."""
    for number in [*range(1, 8), 0]:
        world = World()
        if scene[0]:
            world.work(world.upload(50, scene[0]))
        job = world.upload(150, scene[1])
        left = [number]

        def judge(called: str, bucket: str, left: list[int] = left, number: int = number) -> None:
            # That the source itself is gone is believed: S3 is strongly consistent.
            if called == method and not (bucket == "in" and answer is GONE and method == "find"):
                left[0] -= 1
                if left[0] == 0 or number == 0:
                    raise answer

        setattr(world.store, when, judge)
        try:
            world.work(job)
        except StorageFailed:
            assert number == 0 or answer is FAILED
        else:
            world.check()
        setattr(world.store, when, nothing)
        world.work(job)
        world.check()


# --------------------------------------------------------------------------- any order


TestOrders = Orders.TestCase
TestOrders.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True
)
