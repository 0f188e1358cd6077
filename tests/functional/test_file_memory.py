"""A photo's file is given up once it is decoded, since the encoder needs the memory."""

from client import Client
from cloud import fake_remover, png
from conftest import deployment

import app
from cutout.http.large_images import Transfer
from cutout.s3.jobs import Job
from cutout.s3.worker import Worker
from cutout.settings import Settings
from cutout.store import ObjectRef, Stored
from fake_store import Bucket, FakeStore

SETTINGS = Settings(
    input_bucket="in", result_bucket="out", api_key_hashes=app.settings.api_key_hashes
)


class File(bytes):
    """The bytes of an object, which tell when nothing holds them any more."""

    ended = 0

    def __del__(self) -> None:
        File.ended += 1


class Files(FakeStore):
    """A store each of whose reads returns bytes of their own, as S3's do."""

    def read(self, ref: ObjectRef, found: Stored) -> bytes:
        return File(super().read(ref, found))


def test_an_upload_is_given_up_before_the_network_runs() -> None:
    """By the worker of S3's events."""
    store = Files({"in": Bucket(), "out": Bucket()})
    source = ObjectRef(bucket="in", key="uploads/cat")
    store.put(source, png(50, side=4))
    before, seen = File.ended, list[int]()
    remover = fake_remover(before=lambda: seen.append(File.ended - before))
    worker = Worker(remover=remover, store=store, settings=SETTINGS)
    worker.work(Job(source=source), request_id="1", left_ms=lambda: 60_000)
    assert "cutouts/cat.png" in store.buckets["out"].objects
    assert seen == [1]


def test_a_large_image_is_given_up_before_the_network_runs() -> None:
    """By the API, where the request names its key."""
    store = Files({"in": Bucket(), "out": Bucket()})
    store.put(ObjectRef(bucket="in", key="incoming/cat"), png(50, side=4))
    before, seen = File.ended, list[int]()
    remover = fake_remover(before=lambda: seen.append(File.ended - before))
    api = deployment(remover, SETTINGS, transfer=Transfer(store, SETTINGS))
    assert Client(api).json("/v2", {"image_key": "incoming/cat"}).status == 200
    assert seen == [1]
