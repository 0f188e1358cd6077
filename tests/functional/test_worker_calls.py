"""The worker's calls to S3, one after the other, and what each outcome is."""

import gc
import json

import pytest
from cloud import fake_remover
from PIL import Image
from s3_world import REMOVER, SETTINGS, SOURCE, World

from cutout.errors import InvalidImage, OutOfTime, StorageFailed, UnknownForeground
from cutout.image.decode import Photo
from cutout.report import Report
from cutout.s3.jobs import Job, Skip
from cutout.s3.product import Product
from cutout.s3.worker import Done, Kept, Worker
from cutout.store import ObjectGone, ObjectRef, PreconditionFailed, Stored
from fake_store import FakeStore, nothing
from image_files import encoded

LOOK = ["find in", "list out"]
MAKE = ["read in", "write out", "list out"]


def calls_of(world: World, job: Job) -> tuple[list[str], Done]:
    """Return the calls that an event takes, and what became of it."""
    calls: list[str] = []
    world.store.before = lambda method, bucket: calls.append(f"{method} {bucket}")
    done = world.work(job)
    world.store.before = nothing
    return calls, done


def put_result(world: World, extension: str, **metadata: str) -> Stored:
    """Put a file where a result of the source could be."""
    ref = ObjectRef(bucket="out", key=f"cutouts/cat.{extension}")
    return world.store.put(ref, extension.encode(), **metadata)


def test_a_new_upload_and_its_event_again() -> None:
    """Five calls for the work, three for the repetition."""
    world = World()
    job = world.upload(50, "png")
    calls, done = calls_of(world, job)
    assert calls == [*LOOK, *MAKE]
    assert isinstance(done, Product)
    assert isinstance(done.made, Report)
    assert (done.target, done.content.media_type) == ("cutouts/cat.png", "image/png")
    calls, again = calls_of(world, job)
    assert calls == [*LOOK, "find out"]
    assert again == Kept(target="cutouts/cat.png", code="")


def test_a_photo_that_cannot_be_read() -> None:
    """The caller finds the error as over HTTP, with the id of the request."""
    world = World()
    stored = world.store.put(SOURCE, b"not an image")
    job = Job(source=SOURCE, etag=stored.etag)
    calls, done = calls_of(world, job)
    assert calls == [*LOOK, *MAKE]
    assert isinstance(done, Product)
    assert isinstance(done.made, InvalidImage)
    assert done.target == "cutouts/cat.error.json"
    error = json.loads(done.content.body)["error"]
    assert (error["code"], error["request_id"]) == ("invalid_image", "1")
    assert done.content.metadata["error"] == "invalid_image"
    assert done.content.metadata["source-etag"] == stored.etag
    calls, again = calls_of(world, job)
    assert again == Kept(target="cutouts/cat.error.json", code="invalid_image")


def test_an_error_that_is_kept_holds_no_photo() -> None:
    """A photo of 50 MP has 200 MB, beside which the next one would have to fit."""
    world = World()
    clear = encoded(Image.new("RGBA", (40, 40)))
    stored = world.store.put(SOURCE, clear, input_alpha="keep", on_empty="error")
    photos: list[object] = []

    def look(method: str, _bucket: str) -> None:
        if method == "write":
            photos.extend(kept for kept in gc.get_objects() if isinstance(kept, Photo))

    world.store.before = look
    done = world.work(Job(source=SOURCE, etag=stored.etag))
    assert isinstance(done, Product)
    assert isinstance(done.made, UnknownForeground)
    assert not photos


def test_options_that_are_refused() -> None:
    """Then the photo is not even read: a last look tells that it is still the same."""
    world = World()
    calls, done = calls_of(world, world.upload(50, "nonsense"))
    assert calls == [*LOOK, "find in", "write out", "list out"]
    assert isinstance(done, Product)
    error = json.loads(done.content.body)["error"]
    assert (error["code"], error["request_id"]) == ("invalid_format", "1")
    world.check()


@pytest.mark.parametrize(
    ("key", "body", "is_folder"),
    [("uploads/a/", b"", True), ("uploads/a", b"", False), ("uploads/a/", b"x", False)],
)
def test_the_sign_of_a_folder(key: str, body: bytes, *, is_folder: bool) -> None:
    """An empty object whose name ends in a slash; anything else is a photo, or wants to be."""
    world = World()
    source = ObjectRef(bucket="in", key=key)
    world.store.put(source, body)
    calls, done = calls_of(world, Job(source=source))
    assert (done is Skip.FOLDER) == is_folder
    assert calls == (["find in"] if is_folder else [*LOOK, *MAKE])


def test_a_source_that_is_gone() -> None:
    """There is nothing to do."""
    world = World()
    job = world.upload(50, "png")
    world.delete()
    assert calls_of(world, job) == (["find in"], Skip.SOURCE_GONE)


def test_an_event_that_a_newer_upload_has_overtaken() -> None:
    """It leaves the work to the newer event, though there is no result yet."""
    world = World()
    older = world.upload(50, "png")
    world.upload(150, "png")
    assert calls_of(world, older) == (LOOK, Skip.SUPERSEDED)
    assert world.results == []


def test_an_overtaken_event_clears_up() -> None:
    """The newer event's worker died between its write and its removal of the older result."""
    world = World()
    older = world.upload(50, "png")
    world.work(older)
    newer = world.upload(150, "tiff")

    def die(method: str, _bucket: str) -> None:
        if method == "remove":
            raise StorageFailed(call="remove", reason="dead")

    world.store.before = die
    with pytest.raises(StorageFailed):
        world.work(newer)
    assert world.results == ["png", "tiff"]
    calls, done = calls_of(world, older)
    again = [*LOOK, "find out"]
    assert calls == [*LOOK, "find out", "find out", "find in", "remove out", *again]
    assert done is Skip.SUPERSEDED
    world.check()


def test_another_format_takes_the_old_results_place() -> None:
    """The new file is written first; both are seen, and the older one is removed."""
    world = World()
    world.work(world.upload(50, "png"))
    calls, done = calls_of(world, world.upload(150, "tiff"))
    written = [*LOOK, "find out", *MAKE]
    removed = [*LOOK, "find out", "find out", "find in", "remove out"]
    assert calls == [*written, *removed, *LOOK, "find out"]
    assert isinstance(done, Product)
    assert done.target == "cutouts/cat.tiff"
    world.check()


def test_a_result_is_replaced_in_one_step() -> None:
    """And looked at again, since what it replaced could have come back at that moment."""
    world = World()
    world.work(world.upload(50, "png"))
    calls, done = calls_of(world, world.upload(150, "png"))
    assert calls == [*LOOK, "find out", "read in", "write out", *LOOK, "find out"]
    assert isinstance(done, Product)
    world.check()


def test_a_photo_is_cut_out_once_however_often_the_worker_begins() -> None:
    """A write that met another one is tried again with what was made already."""
    world = World()
    runs: list[int] = []
    remover = fake_remover(before=lambda: runs.append(1))
    world.worker = Worker(remover=remover, store=world.store, settings=SETTINGS)
    job = world.upload(50, "png")
    calls: list[str] = []

    def before(method: str, bucket: str) -> None:
        calls.append(f"{method} {bucket}")
        if calls.count("write out") == 1 and method == "write":
            raise PreconditionFailed

    world.store.before = before
    world.work(job)
    assert len(runs) == 1
    assert calls == [*LOOK, "read in", "write out", *LOOK, "find in", "write out", "list out"]
    world.check()


def test_a_photo_that_changes_between_two_tries_is_cut_out_again() -> None:
    """What was made of the older one is of no use."""
    world = World()
    job = Job(source=SOURCE)
    world.upload(50, "png")

    def before(method: str, _bucket: str) -> None:
        if method == "write":
            world.store.before = nothing
            world.upload(150, "png")
            raise PreconditionFailed

    world.store.before = before
    world.work(job)
    world.check()


@pytest.mark.parametrize("change", [PreconditionFailed(), ObjectGone()])
def test_others_that_keep_changing_the_object(change: Exception) -> None:
    """After six beginnings the event is left to come again."""
    world = World()
    job = world.upload(50, "png")
    writes: list[int] = []

    def before(method: str, _bucket: str) -> None:
        if method == "write":
            writes.append(1)
            raise change

    world.store.before = before
    with pytest.raises(StorageFailed) as failure:
        world.work(job)
    assert failure.value.facts == {"call": "work", "reason": "others kept changing the object"}
    assert len(writes) == 6


def test_time_that_runs_out_is_no_fault_of_the_photo() -> None:
    """The event comes again; no error file tells the caller of it."""
    world = World()
    job = world.upload(50, "png")
    with pytest.raises(OutOfTime):
        world.worker.work(job, request_id="1", left_ms=lambda: 0)
    assert world.results == []


def test_another_sources_result_stays() -> None:
    """It is found before any work is done."""
    world = World()
    theirs = put_result(world, "png", source="in/uploads/dog", **{"source-etag": "e"})
    calls: list[str] = []
    world.store.before = lambda method, bucket: calls.append(f"{method} {bucket}")
    with pytest.raises(StorageFailed) as failure:
        world.work(world.upload(50, "png"))
    assert failure.value.facts == {"call": "write", "reason": "another source has this target"}
    assert calls == [*LOOK, "find out"]
    assert world.store.buckets["out"].objects["cutouts/cat.png"].stored == theirs


def test_another_sources_result_in_another_format_is_nobodys_concern() -> None:
    """It is neither removed nor in the way, but the list shows two files from then on."""
    world = World()
    theirs = put_result(world, "bmp", source="in/uploads/dog", **{"source-etag": "e"})
    job = world.upload(50, "png")
    _, done = calls_of(world, job)
    assert isinstance(done, Product)
    assert world.results == ["bmp", "png"]
    assert world.store.buckets["out"].objects["cutouts/cat.bmp"].stored == theirs


def test_a_result_that_vanishes_between_the_list_and_the_look() -> None:
    """Something is happening, so the worker begins again."""
    world = World()
    job = world.upload(50, "png")
    world.work(job)
    calls: list[str] = []

    def before(method: str, bucket: str) -> None:
        calls.append(f"{method} {bucket}")
        if (method, bucket) == ("find", "out"):
            world.store.buckets["out"].objects.clear()

    world.store.before = before
    done = world.work(job)
    assert calls == [*LOOK, "find out", *LOOK, *MAKE]
    assert isinstance(done, Product)


class Crowded(FakeStore):
    """There are more keys under every prefix than one list holds."""

    def keys_under(self, bucket: str, prefix: str) -> set[str] | None:
        super().keys_under(bucket, prefix)
        return None


def test_more_files_than_one_list_holds() -> None:
    """Then each key that a result can have is looked at by its name."""
    world = World()
    world.work(world.upload(20, "tiff"))
    world.store = Crowded(world.store.buckets)
    world.worker = Worker(remover=REMOVER, store=world.store, settings=SETTINGS)
    looks = ["find out"] * 9  # eight formats, and the error file
    calls, done = calls_of(world, world.upload(50, "png"))
    written = [*LOOK, *looks, *MAKE]
    assert calls == [*written, *LOOK, *looks, "find in", "remove out", *LOOK, *looks]
    assert isinstance(done, Product)
    world.check()


def test_a_batch_job_has_options_of_its_own() -> None:
    """Beside those of the object, and the result tells which it was made with."""
    world = World()
    world.upload(50, "png")
    calls, done = calls_of(world, Job(source=SOURCE, arguments=(("format", "tiff"),)))
    assert calls == [*LOOK, *MAKE]
    assert isinstance(done, Product)
    assert done.stamp.options == "format=tiff"
    assert world.results == ["tiff"]


@pytest.mark.parametrize(("extension", "at"), [("png", "write"), ("tiff", "remove")])
@pytest.mark.parametrize("versioned", [True, False], ids=["v", "u"])
def test_the_earlier_photo_comes_back_at_the_last_moment(
    extension: str, at: str, *, versioned: bool
) -> None:
    """Its new result has the ETag of the old one, so the condition holds; it is made again."""
    world = World(versioned=versioned)
    world.work(world.upload(50, "png"))
    job = world.upload(150, extension)

    def before(method: str, _bucket: str) -> None:
        if method == at:
            world.store.before = nothing
            world.work(world.upload(50, "png"))

    world.store.before = before
    world.work(job)
    world.check()


def test_of_two_right_results_one_is_kept() -> None:
    """As when a deployment changed what ``auto`` becomes, and both workers were late."""
    world = World()
    job = world.upload(50, "png")
    world.work(job)
    (result,) = world.store.buckets["out"].objects.values()
    put_result(world, "tiff", **result.stored.metadata)
    world.work(job)
    assert world.results == ["png"]
