"""One S3 object → its one result: read, remove, write. Decides what is still to be done.

Events come more than once, late, in any order, and to several workers at once. What makes that
harmless: a result's stamp says what it was made of; a write takes effect only where nothing else
was written since the look at it; and after it the source is looked at again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from cutout.errors import CutoutError, ObjectTooLarge, StorageFailed, envelope
from cutout.options import Options, overlay, parse_options
from cutout.remover import Remover, Report
from cutout.s3.events import Job
from cutout.s3.results import ERROR, Place, Stamp, fingerprint
from cutout.settings import Settings
from cutout.store import Content, ObjectGone, ObjectRef, PreconditionFailed, Store, Stored

SERVER_FAULT = 500
"""From this status on the fault is ours and a retry may help."""

_ROUNDS = 6  # looks at one object while others keep changing it


class Outcome(StrEnum):
    """What became of an object."""

    CUT_OUT = "cut_out"
    REFUSED = "refused"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SOURCE_GONE = "source_gone"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done.

    ``report`` tells of an image that was cut out; ``code`` is the caller's error, also where its
    file stood already, and ``error`` more of it.
    """

    outcome: Outcome
    target: str = ""
    report: Report | None = None
    code: str = ""
    error: CutoutError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What one version of a source is to become; ``error`` where its options are wrong."""

    source: ObjectRef
    sequencer: str
    stamp: Stamp
    options: Options | None = None
    error: CutoutError | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Product:
    """What was made of an order, not yet written."""

    stamp: Stamp
    extension: str
    content: Content
    done: Done


class Worker:
    """Keeps one result for each source of a deployment."""

    def __init__(self, *, remover: Remover, store: Store, settings: Settings) -> None:
        self._remover = remover
        self._store = store
        self._settings = settings

    def work(self, job: Job, *, request_id: str, left_ms: Callable[[], float]) -> Done:
        """Bring about that the source has its one right result; return what that took.

        ``left_ms`` tells the time that is left.

        :raises CutoutError: of status 500 and more, ours: what is not done yet can be retried.
        """
        place = Place.of(job.source.bucket, job.source.key, self._settings)
        product: _Product | None = None
        done = Done(outcome=Outcome.UNCHANGED)
        for _ in range(_ROUNDS):
            source = self._store.find(_current(job))
            if source is None:
                return Done(outcome=Outcome.SOURCE_GONE)
            if not job.means(source):
                # An older version's result may have come after the current one's: not to stay.
                if not self._clear(job, source, place):
                    return Done(outcome=Outcome.SUPERSEDED)
                continue
            if _is_folder(job, source):
                return Done(outcome=Outcome.FOLDER)
            order = self._order(job, source, place)
            kept, code = self._standing(place, order)
            if kept:
                if not self._clear(job, source, place, kept):
                    return replace(done, target=kept, code=code)
                continue
            try:
                made = product if product and product.stamp == order.stamp else None
                product = made or self._make(source, order, request_id, left_ms)
                if self._write(job, source, place, product):
                    done = product.done
            except (ObjectGone, PreconditionFailed):
                continue  # something changed since the look at it: look again
        raise StorageFailed(call="work", reason="others kept changing the object")

    def _order(self, job: Job, source: Stored, place: Place) -> _Order:
        """Return what the source is to become, by the deployment, its metadata and the event."""
        layers = (self._settings.default_options, source.metadata.items(), job.arguments)
        fields = [field for field in overlay(*layers) if field[0] != "response"]
        order = _Order(
            source=replace(_current(job), version_id=source.version_id),
            sequencer=job.sequencer or "",
            stamp=_stamp(place, source, fingerprint(fields)),
        )
        try:
            options, _ = parse_options(fields)
        except CutoutError as error:
            return replace(order, error=error)
        return replace(order, options=options)

    def _standing(self, place: Place, order: _Order) -> tuple[str, str]:
        """Return the key of a result that is what was ordered, and its error's code if it is one.

        Both are empty where there is none.

        :raises StorageFailed: another source's result stands there.
        """
        for key in place.expected(order.options):
            there = self._store.find(ObjectRef(bucket=place.bucket, key=key))
            stamp = None if there is None else Stamp.read(there.metadata)
            if there is None or stamp is None:
                continue
            if stamp == order.stamp:
                return key, there.metadata.get("error", "")
            if stamp.source != place.source:
                raise StorageFailed(call="write", reason="another source has this target")
        return "", ""

    def _make(
        self, source: Stored, order: _Order, request_id: str, left_ms: Callable[[], float]
    ) -> _Product:
        """Return the cutout, or the error file.

        :raises ObjectGone: the source is gone by now.
        :raises PreconditionFailed: it is another one by now.
        """
        try:
            if order.error is not None or order.options is None:
                raise order.error or CutoutError
            limit = self._settings.max_object_bytes
            if source.size > limit:
                raise ObjectTooLarge(max_bytes=limit)
            data = self._store.read(order.source, source.etag)
            result = self._remover.remove(data, order.options, budget_ms=left_ms())
        except CutoutError as error:
            if error.status >= SERVER_FAULT:
                raise
            metadata = order.stamp.metadata(sequencer=order.sequencer, error=error.code)
            body = json.dumps(envelope(error, request_id)).encode()
            return _Product(
                stamp=order.stamp,
                extension=ERROR,
                content=Content(body=body, media_type="application/json", metadata=metadata),
                done=Done(outcome=Outcome.REFUSED, code=error.code, error=error),
            )
        metadata = order.stamp.metadata(sequencer=order.sequencer, model=result.report.model)
        return _Product(
            stamp=order.stamp,
            extension=result.file.format.value,
            content=Content(
                body=result.file.body, media_type=result.file.media_type, metadata=metadata
            ),
            done=Done(outcome=Outcome.CUT_OUT, report=result.report),
        )

    def _write(self, job: Job, source: Stored, place: Place, product: _Product) -> bool:
        """Write the product; tell whether the source was still the same then.

        :raises PreconditionFailed: the target changed meanwhile.
        :raises StorageFailed: another source's result stands there.
        """
        ref = ObjectRef(bucket=place.bucket, key=place.key(product.extension))
        there = self._store.find(ref)
        # In this order: a newer upload's result that comes after the look at the target makes the
        # write fail, and one that came before it means that the source is newer now.
        if self._store.find(_current(job)) != source:
            return False
        stamp = None if there is None else Stamp.read(there.metadata)
        if stamp is not None and stamp.source != place.source:
            raise StorageFailed(call="write", reason="another source has this target")
        self._store.write(ref, product.content, replaces=None if there is None else there.etag)
        return True

    def _clear(self, job: Job, source: Stored, place: Place, kept: str = "") -> bool:
        """Remove the source's other results, where the one that is to stay is there.

        That is the one at the key ``kept``, or of the current version. Where it is not there, its
        event is still to come, and removes the others then. Tell whether there was something to do,
        so that another look is due.
        """
        listed = self._store.keys_under(place.bucket, place.common())
        keys = [key for key in place.all_keys() if listed is None or key in listed]
        if len(keys) < 2:  # noqa: PLR2004 - with one there is no other
            return False
        found = {key: own for key in keys if (own := self._own(place, key))}
        current = _stamp(place, source)
        others = {
            key: stored
            for key, (stored, stamp) in found.items()
            if not (key == kept if kept else current.same_version(stamp))
        }
        if not others or len(others) == len(found):
            return False
        # After the look at the results, for the same reason as before a write.
        if self._store.find(_current(job)) == source:
            for key, stored in others.items():
                self._store.remove(ObjectRef(bucket=place.bucket, key=key), stored.etag)
        return True

    def _own(self, place: Place, key: str) -> tuple[Stored, Stamp] | None:
        """Return what stands at a key, if it is a result of the source."""
        there = self._store.find(ObjectRef(bucket=place.bucket, key=key))
        stamp = None if there is None else Stamp.read(there.metadata)
        if there is None or stamp is None or stamp.source != place.source:
            return None
        return there, stamp


def _is_folder(job: Job, source: Stored) -> bool:
    """Tell whether an object is the sign that consoles make for an empty folder."""
    return job.source.key.endswith("/") and source.size == 0


def _current(job: Job) -> ObjectRef:
    return ObjectRef(bucket=job.source.bucket, key=job.source.key)


def _stamp(place: Place, source: Stored, options: str = "") -> Stamp:
    return Stamp(
        source=place.source,
        etag=source.etag,
        version_id=source.version_id or "",
        options=options,
    )
