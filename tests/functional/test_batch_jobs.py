"""Batch jobs with options of their own, and the events about the uploads that they work on."""

import itertools

import pytest
from s3_world import SOURCE, Moments, World

from cutout.s3.jobs import Job
from cutout.s3.product import Product
from cutout.s3.worker import Kept
from fake_store import nothing

BOTH = pytest.mark.parametrize("versioned", [True, False], ids=["v", "u"])


def batch_job(**arguments: str) -> Job:
    """Return what a task of a batch job asks for."""
    return Job(source=SOURCE, arguments=tuple(arguments.items()))


def made_with(world: World) -> str:
    """Return the options of the source's one result."""
    (result,) = world.store.buckets["out"].objects.values()
    return result.stored.metadata.get("options", "")


@pytest.mark.parametrize("extension", ["png", "nonsense"])
@pytest.mark.parametrize("arguments", [{"format": "tiff"}, {"format": "png", "crop": "1"}], ids=str)
@pytest.mark.parametrize("before", [True, False], ids=["again", "late"])
@BOTH
def test_an_event_after_a_job_changes_nothing(
    extension: str, arguments: dict[str, str], *, before: bool, versioned: bool
) -> None:
    """Whether it comes again or for the first time, and whatever the upload itself asks for."""
    world = World(versioned=versioned)
    event = world.upload(50, extension)
    if before:
        world.work(event)
    done = world.work(batch_job(**arguments))
    assert isinstance(done, Product)
    results = world.results
    assert results == [arguments["format"]]
    assert world.work(event) == Kept(target=f"cutouts/cat.{arguments['format']}", code="")
    assert world.results == results
    assert made_with(world) == "&".join(f"{n}={v}" for n, v in sorted(arguments.items()))


@BOTH
def test_a_new_upload_after_a_job_gets_a_result_of_its_own(*, versioned: bool) -> None:
    """Of the new photo, with its own options. So does the same photo with other options."""
    for shade, extension in ((150, "png"), (50, "bmp")):
        world = World(versioned=versioned)
        world.work(world.upload(50, "png"))
        world.work(batch_job(format="tiff"))
        world.work(world.upload(shade, extension))
        world.check()


def test_the_same_photo_uploaded_again_in_a_bucket_with_versions() -> None:
    """It is another version, which no job has worked on."""
    world = World()
    world.work(world.upload(50, "png"))
    world.work(batch_job(format="tiff"))
    world.work(world.upload(50, "png"))
    world.check()
    assert world.results == ["png"]


@BOTH
def test_a_later_job_decides(*, versioned: bool) -> None:
    """One without options restores what the uploads ask for, and an event changes nothing then."""
    world = World(versioned=versioned)
    event = world.upload(50, "png")
    jobs = [{"format": "tiff"}, {"format": "bmp"}, {"quality": "7"}, {}, {"format": "tiff"}]
    for arguments in jobs:
        world.work(batch_job(**arguments))
        assert made_with(world) == "&".join(
            f"{name}={value}" for name, value in sorted({"format": "png", **arguments}.items())
        )
        done = world.work(event)
        assert isinstance(done, Kept)


@BOTH
def test_results_are_made_again_by_an_option_with_its_default_value(*, versioned: bool) -> None:
    """As after the model has changed: in one step, so that there is a result at every moment."""
    world = World(versioned=versioned)
    event = world.upload(50, "png")
    world.work(event)
    missing = []
    world.store.after = lambda _method, _bucket: missing.append(world.results != ["png"])
    for arguments in ({"quality": "90"}, {}):
        assert isinstance(world.work(batch_job(**arguments)), Product)
        assert isinstance(world.work(batch_job(**arguments)), Kept)
    assert not any(missing)
    assert missing


@pytest.mark.parametrize("extension", ["png", "tiff", "bmp"])
@BOTH
def test_an_event_mends_what_a_job_could_not_do(extension: str, *, versioned: bool) -> None:
    """An error file of a job is no cutout, so the upload's own options are tried."""
    world = World(versioned=versioned)
    event = world.upload(50, extension)
    world.work(batch_job(roi="0 0 9999px 9999px"))
    assert world.results == ["error.json"]
    world.work(event)
    world.check()
    assert world.results == [extension]


@pytest.mark.parametrize("extension", ["png", "tiff", "nonsense"])
@pytest.mark.parametrize("ordered", ["png", "tiff"])
@pytest.mark.parametrize("event_is_slow", [True, False], ids=["event", "job"])
@BOTH
def test_an_event_and_a_job_at_the_same_time(
    extension: str, ordered: str, *, event_is_slow: bool, versioned: bool
) -> None:
    """Whichever of them begins first, and at whatever call the other overtakes it."""
    for number in itertools.count(1):
        world = World(versioned=versioned)
        event, job = world.upload(50, extension), batch_job(format=ordered, quality="50")
        slow, fast = (event, job) if event_is_slow else (job, event)

        def overtake(world: World = world, fast: Job = fast) -> None:
            world.work(fast)

        moments = Moments({number: overtake})
        world.store.before = moments
        done = world.work(slow)
        world.store.before = nothing
        if moments.number < number:
            assert number > 5
            return
        # What is told is true: the event tells of its own result only where it was written, which
        # is before call 5, and the job replaced it at once under the same key.
        was_written = number == 5 and ordered == extension
        assert isinstance(done, Kept if event_is_slow and not was_written else Product), number
        assert done.target == f"cutouts/cat.{ordered}", number
        world.work(event)
        assert world.results == [ordered], number
        assert made_with(world) == f"format={ordered}&quality=50", number
