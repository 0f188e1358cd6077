"""One source in an S3 in memory, its events, its worker and its results."""

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
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
FORMATS = ["png", "tiff", "bmp", "nonsense", "damaged"]
"""What an upload can ask for: a format, or an error, of the option or of the photo."""

ERRORS = {"nonsense": "invalid_format", "damaged": "invalid_image"}


class Moments:
    """A hook that lets things happen, each before the call with its number (from 1)."""

    def __init__(self, things: dict[int, Callable[[], object]]) -> None:
        self.number = 0
        self._things = things
        self._happening = False

    def __call__(self, _method: str, _bucket: str) -> None:
        if self._happening:
            return
        self.number += 1
        if self.number in self._things:
            self._happening = True
            self._things[self.number]()
            self._happening = False


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
        body = PHOTOS[shade][:40] if extension == "damaged" else PHOTOS[shade]
        wanted = "png" if extension == "damaged" else extension
        stored = self.store.put(SOURCE, body, format=wanted)
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

    def check(self, by_batch_jobs: AbstractSet[str] = frozenset()) -> None:
        """Check that there is one result, and that it is the current upload's.

        ``by_batch_jobs`` are the options, as a result has them, that batch jobs have asked for.
        """
        current = self.store.buckets["in"].objects[SOURCE.key]
        (result,) = self.store.buckets["out"].objects.values()
        metadata = result.stored.metadata
        assert metadata["source-etag"] == current.stored.etag
        assert metadata.get("source-version") == current.stored.version_id
        assert metadata["options"] in by_batch_jobs | {
            f"format={current.stored.metadata['format']}"
        }
        asked = metadata["options"].removeprefix("format=")
        is_damaged = current.body not in PHOTOS.values()
        code = ERRORS.get(asked) or (ERRORS["damaged"] if is_damaged else None)
        assert self.results == ["error.json" if code else asked]
        if code:
            assert json.loads(result.body)["error"]["code"] == code
