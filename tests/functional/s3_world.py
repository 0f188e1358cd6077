"""One source in an S3 in memory, its events, its worker and its results."""

import json
from dataclasses import dataclass, field

from cloud import fake_remover, png

from cutout.s3.jobs import Job
from cutout.s3.worker import Done, Worker
from cutout.settings import Settings
from cutout.store import ObjectRef
from fake_store import Bucket, FakeStore

SETTINGS = Settings(input_bucket="in", result_bucket="out")
SOURCE = ObjectRef(bucket="in", key="uploads/cat")
REMOVER = fake_remover()
PHOTOS = {shade: png(shade, side=4) for shade in (20, 50, 150)}
FORMATS = ["png", "tiff", "bmp", "nonsense"]


@dataclass(slots=True)
class World:
    """One source, its events and its results."""

    versioned: bool = True
    invocations: int = 0
    store: FakeStore = field(init=False)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.store = FakeStore({"in": Bucket(versioned=self.versioned), "out": Bucket()})
        self.worker = Worker(remover=REMOVER, store=self.store, settings=SETTINGS)

    def upload(self, shade: int, extension: str) -> Job:
        """Upload a photo; return what its event asks for."""
        stored = self.store.put(SOURCE, PHOTOS[shade], format=extension)
        return Job(source=SOURCE, version_id=stored.version_id, etag=stored.etag)

    def delete(self) -> None:
        """Delete the source."""
        self.store.buckets["in"].objects.pop(SOURCE.key, None)

    def work(self, job: Job) -> Done:
        """Work on an event, in an invocation of its own, so that no two error files are alike."""
        self.invocations += 1
        request_id = str(self.invocations)
        return self.worker.work(job, request_id=request_id, left_ms=lambda: 60_000)

    @property
    def results(self) -> list[str]:
        """The extensions of the source's results."""
        return sorted(key.removeprefix("cutouts/cat.") for key in self.store.buckets["out"].objects)

    def check(self) -> None:
        """Check that there is one result, and that it is the current upload's."""
        current = self.store.buckets["in"].objects[SOURCE.key]
        extension = current.stored.metadata["format"]
        refused = extension == "nonsense"
        assert self.results == ["error.json" if refused else extension]
        (result,) = self.store.buckets["out"].objects.values()
        metadata = result.stored.metadata
        assert metadata["source-etag"] == current.stored.etag
        assert metadata.get("source-version") == current.stored.version_id
        if refused:
            assert json.loads(result.body)["error"]["code"] == "invalid_format"
        else:
            assert metadata["options"] == f"format={extension}"
