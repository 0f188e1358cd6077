"""Two workers, or a worker and somebody else, at the same source: every moment of it, one by one.

A test lets one thing happen before the first call that a worker makes to S3, then before its second
call, and so on until there are no more calls. Whatever the moment is, the end must be right.
"""

import itertools
from collections.abc import Callable
from functools import partial

import pytest
from cloud import (
    TRUNCATED,
    Call,
    Cloud,
    Fault,
    Moment,
    Proxy,
    Uploaded,
    always,
    batch,
    failures,
    fake_remover,
    is_source_read,
    is_write,
    make_bucket,
    messages,
    once,
    png,
    shade,
)

from cutout.store import Content, ObjectGone, ObjectRef, PreconditionFailed

BOTH = pytest.mark.parametrize("cloud", [{}, {"versioned": False}], indirect=True, ids=["v", "u"])
OWN_FILE = b"a file that somebody else put there"


def at_every_moment(
    proxy: Proxy,
    *,
    prepare: Callable[[str], object] = lambda _: None,
    work: Callable[[str], object],
    happens: Callable[[str], object],
    check: Callable[[str], object],
) -> None:
    """Let something happen at each moment of some work in turn, each time with a name of its own.

    ``prepare`` is called before the work and ``check`` after it.
    """
    for number in itertools.count(1):
        name = f"{number:02}"
        prepare(name)
        moment = Moment(number, partial(happens, name))
        proxy.judge = moment
        work(name)
        proxy.judge = lambda _: None
        if not moment.reached:
            assert number > 2, "the work makes no calls"
            return
        check(name)


def peer(cloud: Cloud) -> Cloud:
    """Return another worker of the deployment, whose log is its own."""
    return Cloud(s3=cloud.s3, settings=cloud.settings, store=cloud.store)


def results(cloud: Cloud, name: str) -> list[str]:
    """Return the extensions of the files of an upload."""
    start = f"cutouts/{name}."
    keys = cloud.keys()
    return [key.removeprefix(start) for key in keys if key.startswith(start)]


def saved(cloud: Cloud, key: str) -> Callable[[], object]:
    """Return what puts a result back as it is now, as a worker does that is late."""
    found = cloud.get(key)
    return lambda: cloud.s3.put_object(
        Bucket=cloud.settings.result_bucket,
        Key=key,
        Body=found["Body"],
        Metadata=found["Metadata"],
    )


# --------------------------------------------------------------------------- a newer upload


@pytest.mark.parametrize("extension", ["png", "webp"], ids=["same-key", "other-key"])
@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
@BOTH
def test_a_newer_upload_is_worked_on_at_the_same_time(
    cloud: Cloud, proxy: Proxy, extension: str, *, before: bool
) -> None:
    """Its result is the only one in the end, also where there was one before both."""

    def prepare(name: str) -> None:
        if before:
            cloud.handle(cloud.put(f"uploads/{name}", png(20)).created())

    def work(name: str) -> None:
        older = cloud.put(f"uploads/{name}", png(50))
        assert cloud.handle(messages(older.created())) == failures()

    def happens(name: str) -> None:
        newer = cloud.put(f"uploads/{name}", png(150), format=extension)
        assert peer(cloud).handle(messages(newer.created())) == failures()

    def check(name: str) -> None:
        assert results(cloud, name) == [extension]
        assert abs(shade(cloud, f"cutouts/{name}.{extension}") - 150) <= 3

    at_every_moment(proxy, prepare=prepare, work=work, happens=happens, check=check)


@pytest.mark.parametrize("extension", ["png", "webp"], ids=["same-key", "other-key"])
@BOTH
def test_a_newer_upload_comes_and_its_event_later(
    cloud: Cloud, proxy: Proxy, extension: str
) -> None:
    """Until its event comes the older result may stay; never both after it."""
    newer: dict[str, Uploaded] = {}
    older: dict[str, Uploaded] = {}

    def work(name: str) -> None:
        older[name] = cloud.put(f"uploads/{name}", png(50))
        assert cloud.handle(messages(older[name].created())) == failures()

    def happens(name: str) -> None:
        newer[name] = cloud.put(f"uploads/{name}", png(150), format=extension)

    def check(name: str) -> None:
        assert results(cloud, name) in ([], ["png"])
        for uploaded in (newer[name], older[name]):
            assert cloud.handle(messages(uploaded.created())) == failures()
            assert results(cloud, name) == [extension]
        assert abs(shade(cloud, f"cutouts/{name}.{extension}") - 150) <= 3

    at_every_moment(proxy, work=work, happens=happens, check=check)


@BOTH
def test_a_broken_upload_is_mended_at_the_same_time(cloud: Cloud, proxy: Proxy) -> None:
    """The refusal of the older one, which is not even read, does not stay beside the cutout."""

    def work(name: str) -> None:
        older = cloud.put(f"uploads/{name}", png(50), format="nonsense")
        assert cloud.handle(messages(older.created())) == failures()

    def happens(name: str) -> None:
        newer = cloud.put(f"uploads/{name}", b"broken as well, otherwise")
        assert peer(cloud).handle(messages(newer.created())) == failures()

    def check(name: str) -> None:
        assert results(cloud, name) == ["error.json"]
        assert b"invalid_image" in cloud.get(f"cutouts/{name}.error.json")["Body"]

    at_every_moment(proxy, work=work, happens=happens, check=check)


@BOTH
def test_the_earlier_photo_comes_back_while_its_result_is_removed(
    cloud: Cloud, proxy: Proxy
) -> None:
    """A, then B in another format, then A again: the result of A has its old ETag, and stays."""

    def prepare(name: str) -> None:
        cloud.handle(cloud.put(f"uploads/{name}", png(50)).created())

    def work(name: str) -> None:
        second = cloud.put(f"uploads/{name}", png(150), format="webp")
        assert cloud.handle(messages(second.created())) == failures()

    def happens(name: str) -> None:
        third = cloud.put(f"uploads/{name}", png(50))
        assert peer(cloud).handle(messages(third.created())) == failures()

    def check(name: str) -> None:
        assert results(cloud, name) == ["png"]
        assert shade(cloud, f"cutouts/{name}.png") == 50

    at_every_moment(proxy, prepare=prepare, work=work, happens=happens, check=check)


@BOTH
def test_the_same_photo_comes_again_with_other_options_while_it_is_read(
    cloud: Cloud, proxy: Proxy
) -> None:
    """The ETag is the same; the version or the metadata tells that it is another upload."""
    runs: list[bool] = []
    uploads = [cloud.put("uploads/cat", png(50))]

    def upload_again(call: Call) -> None:
        if is_source_read(call) and len(uploads) == 1:
            uploads.append(cloud.put("uploads/cat", png(50), format="webp"))

    proxy.judge = upload_again
    cloud.remover = fake_remover(lambda: runs.append(True))
    for number in (0, 1):
        assert cloud.handle(messages(uploads[number].created())) == failures()
    assert results(cloud, "cat") == ["webp"]
    versioned = uploads[0].version_id is not None
    outcomes = ["superseded", "cut_out"] if versioned else ["cut_out", "unchanged"]
    assert cloud.outcomes() == outcomes
    assert len(runs) == 1  # the photo is not cut out as png for nothing


def test_the_same_photo_with_other_options_at_the_same_time(cloud: Cloud, proxy: Proxy) -> None:
    """A batch job asks for webp while the upload's own event asks for png: one of the two stays."""
    uploads: dict[str, Uploaded] = {}

    def work(name: str) -> None:
        uploads[name] = cloud.put(f"uploads/{name}", png(50))
        assert cloud.handle(messages(uploads[name].created())) == failures()

    def happens(name: str) -> None:
        task = uploads[name].task(schema="2.0")
        peer(cloud).handle(batch(task, schema="2.0", arguments={"format": "webp"}))

    def check(name: str) -> None:
        assert results(cloud, name) in (["png"], ["webp"])

    at_every_moment(proxy, work=work, happens=happens, check=check)


@BOTH
def test_the_source_is_deleted_at_any_moment(cloud: Cloud, proxy: Proxy) -> None:
    """Nothing fails; a result may stay only where the source was there when it was read."""
    left: list[list[str]] = []

    def work(name: str) -> None:
        uploaded = cloud.put(f"uploads/{name}", png(50))
        assert cloud.handle(messages(uploaded.created())) == failures()

    def happens(name: str) -> None:
        cloud.s3.delete_object(Bucket=cloud.settings.input_bucket, Key=f"uploads/{name}")

    at_every_moment(
        proxy, work=work, happens=happens, check=lambda name: left.append(results(cloud, name))
    )
    assert left[:3] == [[]] * 3
    assert all(extensions in ([], ["png"]) for extensions in left)


# --------------------------------------------------------------------------- results left over


@BOTH
def test_a_late_result_of_an_older_upload_is_removed(cloud: Cloud) -> None:
    """Its worker died after the write; its event comes again when the newer one is long done."""
    older = cloud.put("uploads/cat", png(50))
    cloud.handle(older.created())
    write_late = saved(cloud, "cutouts/cat.png")
    newer = cloud.put("uploads/cat", png(150), format="webp")
    cloud.handle(newer.created())
    assert results(cloud, "cat") == ["webp"]
    write_late()
    assert results(cloud, "cat") == ["png", "webp"]
    assert cloud.handle(messages(older.created())) == failures()
    assert results(cloud, "cat") == ["webp"]


@BOTH
def test_a_late_result_is_removed_by_the_newer_event_too(cloud: Cloud) -> None:
    """Whichever of the two events comes again."""
    cloud.handle(cloud.put("uploads/cat", png(50)).created())
    write_late = saved(cloud, "cutouts/cat.png")
    newer = cloud.put("uploads/cat", png(150), format="webp")
    cloud.handle(newer.created())
    write_late()
    assert cloud.handle(messages(newer.created())) == failures()
    assert results(cloud, "cat") == ["webp"]


@BOTH
def test_older_results_stay_until_the_current_one_is_there(cloud: Cloud) -> None:
    """The last results are not taken away while there is nothing to take their place."""
    first = cloud.put("uploads/cat", png(50))
    cloud.handle(first.created())
    write_late = saved(cloud, "cutouts/cat.png")
    second = cloud.put("uploads/cat", png(100), format="webp")
    cloud.handle(second.created())
    write_late()
    third = cloud.put("uploads/cat", png(150), format="tiff")
    for older in (first, second):
        assert cloud.handle(messages(older.created())) == failures()
        assert results(cloud, "cat") == ["png", "webp"]
    assert cloud.handle(messages(third.created())) == failures()
    assert results(cloud, "cat") == ["tiff"]


def test_a_file_of_somebody_else_is_not_removed(cloud: Cloud, proxy: Proxy) -> None:
    """Where the old result was, at any moment before its removal or after it."""

    def prepare(name: str) -> None:
        cloud.handle(cloud.put(f"uploads/{name}", png(50)).created())

    def work(name: str) -> None:
        uploaded = cloud.put(f"uploads/{name}", png(150), format="webp")
        assert cloud.handle(messages(uploaded.created())) == failures()

    def happens(name: str) -> None:
        bucket = cloud.settings.result_bucket
        cloud.s3.put_object(Bucket=bucket, Key=f"cutouts/{name}.png", Body=OWN_FILE)

    def check(name: str) -> None:
        assert results(cloud, name) == ["png", "webp"]
        assert cloud.get(f"cutouts/{name}.png")["Body"] == OWN_FILE

    at_every_moment(proxy, prepare=prepare, work=work, happens=happens, check=check)


# --------------------------------------------------------------------------- another source


@pytest.mark.parametrize("cloud", [{"catalogue_buckets": frozenset({"t-races"})}], indirect=True)
def test_another_source_takes_the_target_at_any_moment(cloud: Cloud, proxy: Proxy) -> None:
    """Whoever comes second fails and says so; the first one's result stays as it is."""
    make_bucket(cloud.s3, "t-races")
    answers: dict[str, list[bool]] = {}

    def work(name: str) -> None:
        uploaded = cloud.put(f"uploads/t-races/{name}", png(50))
        answers[name] = [cloud.handle(messages(uploaded.created())) == failures()]

    def happens(name: str) -> None:
        listed = cloud.put(name, png(150), bucket="t-races")
        (result,) = peer(cloud).handle(batch(listed.task(version=False)))["results"]
        answers["t-races"] = [result["resultCode"] == "Succeeded"]

    def check(name: str) -> None:
        uploaded, (listed,) = answers[name][0], answers["t-races"]
        assert uploaded is not listed
        assert results(cloud, f"t-races/{name}") == ["png"]
        assert shade(cloud, f"cutouts/t-races/{name}.png") == (150 if listed else 50)

    at_every_moment(proxy, work=work, happens=happens, check=check)


# --------------------------------------------------------------------------- what S3 answers


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "PreconditionFailed"])
def test_another_write_was_under_way(cloud: Cloud, proxy: Proxy, code: str) -> None:
    """S3 answers 409 or 412: the worker looks again, and its own write takes effect."""
    status = {"ConditionalRequestConflict": 409, "PreconditionFailed": 412}[code]
    proxy.judge = once(Fault(status=status, code=code), is_write)
    uploaded = cloud.put("uploads/cat", png(50))
    assert cloud.handle(messages(uploaded.created())) == failures()
    assert results(cloud, "cat") == ["png"]
    assert shade(cloud, "cutouts/cat.png") == 50


def test_a_removal_that_meets_another_write(cloud: Cloud, proxy: Proxy) -> None:
    """S3 answers 409 to a removal: the worker looks again, and removes what is left to remove."""
    cloud.handle(cloud.put("uploads/cat", png(50)).created())
    fault = Fault(status=409, code="ConditionalRequestConflict")
    proxy.judge = once(fault, lambda call: call.method == "DELETE")
    newer = cloud.put("uploads/cat", png(150), format="webp")
    assert cloud.handle(messages(newer.created())) == failures()
    assert results(cloud, "cat") == ["webp"]


def test_the_store_changes_only_what_its_caller_saw(cloud: Cloud) -> None:
    """A write or a removal has no effect on an object that has changed since."""
    bucket = cloud.settings.result_bucket
    seen = ObjectRef(bucket=bucket, key="seen")
    content = Content(body=b"mine", media_type="text/plain")
    cloud.s3.put_object(Bucket=bucket, Key="seen", Body=OWN_FILE)
    old = "0" * 32
    with pytest.raises(PreconditionFailed):
        cloud.store.write(seen, content, replaces=old)
    with pytest.raises(PreconditionFailed):
        cloud.store.write(seen, content)
    with pytest.raises(ObjectGone):
        cloud.store.write(ObjectRef(bucket=bucket, key="gone"), content, replaces=old)
    cloud.store.remove(seen, old)
    assert cloud.get("seen")["Body"] == OWN_FILE
    assert cloud.keys() == ["seen"]
    found = cloud.store.find(seen)
    assert found is not None
    cloud.store.write(seen, content, replaces=found.etag)
    assert cloud.get("seen")["Body"] == b"mine"


def test_more_files_beside_a_result_than_one_list_holds(cloud: Cloud, proxy: Proxy) -> None:
    """The first page of the list says nothing of the source's results: each key is asked for."""

    def is_list(call: Call) -> bool:
        return "list-type" in call.query

    older = cloud.put("uploads/cat", png(50))
    cloud.handle(older.created())
    proxy.judge = always(TRUNCATED, is_list)
    assert cloud.handle(messages(older.created())) == failures()
    newer = cloud.put("uploads/cat", png(150), format="webp")
    assert cloud.handle(messages(newer.created())) == failures()
    assert results(cloud, "cat") == ["webp"]
    assert cloud.outcomes() == ["cut_out", "unchanged", "cut_out"]
    assert any(is_list(call) for call in proxy.calls)
