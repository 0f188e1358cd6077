"""One S3 object → its one result: look, read, remove the background, write, clear up.

Events about a source come more than once, late, in any order, and to several workers at once. The
worker takes no lock and remembers nothing between events. This order of calls makes that harmless:

1. HEAD of the source. If it is no longer what the event is about, a newer event does the work.
2. LIST of the source's results, and HEAD of each. The metadata of a result says what it was made
   of, so an event that comes again finds its result and causes no work. Another source's result at
   the same key is found here too, before any work is done.
3. GET of the source, which fails if the source is not what call 1 saw. (HEAD, if the image is not
   needed.)
4. PUT of the result, which fails if the key does not hold what call 2 saw there.
5. LIST of the source's results again.

If call 3 or 4 fails because something has changed, the worker begins again.

*An older cutout never replaces a newer one.* The newer result is written either before call 2 or
after it. If before, the newer source was uploaded before call 2 as well, so call 3 fails, because
it comes after call 2. If after, call 4 fails. For this reason the worker looks at the results first
and at the source second, and one look at each is enough.

*In the end there is one file.* A result with another extension has another key, for which the
condition of call 4 says nothing. But if two workers write two keys, the one whose call 5 is later
sees both files. It begins again, finds out which is right, and removes the others. The right one is
that of the source's current version. As long as that does not exist, nothing is removed: its event
is still to come, and clears up.

*A batch job has the last word.* An event that comes again, or late, finds the result of a batch
job, which has options of its own, and keeps it. Otherwise it would make the result again with the
upload's options. Such a result says that it is a job's, and what the source's metadata asked for.
A new upload still gets a new result, without the job's options.

*What a condition cannot tell.* S3 compares ETags, and a photo that is uploaded again has a result
with the same ETag as before. Say A's result is there, and the worker for B is about to replace it
or to remove it. If A is uploaded again at just this moment, the condition holds, although what the
worker takes away is A's new result. So the worker looks at the source again before a removal, and
begins again after it has replaced or removed anything: if the source has changed and the current
version's result does not exist, it makes that itself. (Only if the worker dies at just this moment,
too, the result is missing until the photo is uploaded again.)
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cutout.deadline import interruptible
from cutout.errors import CutoutError, StorageFailed
from cutout.options import Options
from cutout.remover import Remover
from cutout.s3.jobs import Job, Skip
from cutout.s3.product import Order, Product, cutout_file, error_file
from cutout.s3.results import Place, Results, Stamp
from cutout.settings import Settings
from cutout.store import ObjectGone, ObjectRef, PreconditionFailed, Store, Stored

_ROUNDS = 6
"""How often the worker begins while others keep changing the object. Chosen, not measured.

Every new beginning takes another upload or another worker within about a second.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The right result existed already; ``code`` is the caller's error if it is an error file."""

    target: str
    code: str


Done = Skip | Kept | Product
"""What became of a job: nothing to do, the right result was there, or it was written now."""


class Worker:
    """Keeps one result for each source of a deployment."""

    def __init__(self, *, remover: Remover, store: Store, settings: Settings) -> None:
        self.remover = remover
        self.store = store
        self.settings = settings

    def work(self, job: Job, *, request_id: str, left_ms: Callable[[], float]) -> Done:
        """Ensure that the source has its one right result; return what was done for it.

        ``left_ms`` tells how much time is left, in ms.

        :raises CutoutError: the work failed on our side (status 500 or more) and can be retried.
        """
        case = _Case(self, job, request_id, left_ms)
        for _ in range(_ROUNDS):
            with suppress(ObjectGone, PreconditionFailed):  # something changed: begin again
                done = case.go_through()
                if done is not None:
                    return done
        raise StorageFailed(call="work", reason="others kept changing the object")


class _Case:
    """One job at work, and what is remembered of it from one beginning to the next."""

    def __init__(
        self, worker: Worker, job: Job, request_id: str, left_ms: Callable[[], float]
    ) -> None:
        self._remover = worker.remover
        self._store = worker.store
        self._settings = worker.settings
        self._job = job
        self._request_id = request_id
        self._left_ms = left_ms
        self._place = Place.of(job.source, worker.settings)
        self._product: Product | None = None
        self._took_away = False

    def go_through(self) -> Done | None:
        """Go through the sequence of calls once; return ``None`` to begin again.

        :raises ObjectGone: the source was deleted on the way.
        :raises PreconditionFailed: the source or the target changed on the way.
        """
        source = self._store.find(self._job.source)
        if source is None:
            return Skip.SOURCE_GONE
        if source.size == 0 and self._job.source.key.endswith("/"):
            return Skip.FOLDER
        there = self._results()
        if not self._job.means(source):
            return self._leave_to_newer_event(source, there)
        return self._settle(source, there)

    def _settle(self, source: Stored, there: Results) -> Done | None:
        """Bring the results in line with the source."""
        order = Order.of(self._job, source, self._place, self._settings)
        right = order.filled_by(there)
        if self._clear(source, there, right):
            return None
        if not right:
            return self._produce(source, order, there)
        if self._product is not None and self._product.stamp == there.own[right[0]]:
            return self._product
        return Kept(target=right[0], code=there.files[right[0]].metadata.get("error", ""))

    def _leave_to_newer_event(self, source: Stored, there: Results) -> Done | None:
        """Remove older results once the current version's is there; it is made by another event."""
        current = Stamp.of(self._place, source)
        right = [key for key, stamp in there.own.items() if current.same_version(stamp)]
        if self._clear(source, there, right):
            return None
        if right or not self._took_away:
            return Skip.SUPERSEDED
        # This worker may have taken it away: see "What a condition cannot tell".
        self._job = Job(source=self._job.source)
        return None

    def _results(self) -> Results:
        """Look at all keys that a result of the source can have.

        :raises ObjectGone: a file was deleted between the list and the look at it.
        """
        listed = self._listed()
        files: dict[str, Stored] = {}
        for key in self._place.all_keys() if listed is None else listed:
            stored = self._store.find(self._at(key))
            if stored is not None:
                files[key] = stored
            elif listed is not None:
                raise ObjectGone
        return Results(place=self._place, files=files)

    def _listed(self) -> list[str] | None:
        """Return those of the keys that exist, or ``None`` if the list is too long to tell."""
        place = self._place
        listed = self._store.keys_under(place.bucket, place.common())
        return None if listed is None else [key for key in place.all_keys() if key in listed]

    def _clear(self, source: Stored, there: Results, right: list[str]) -> bool:
        """Remove the source's other results if a right one exists; tell whether there were any.

        :raises PreconditionFailed: the source has changed since the look at the results.
        """
        wrong = there.own.keys() - set(right)
        if not right or not wrong:
            return False
        self._confirm(source)
        self._took_away = True
        for key in wrong:
            self._store.remove(self._at(key), there.files[key].etag)
        return True

    def _produce(self, source: Stored, order: Order, there: Results) -> Product | None:
        """Make and write the result; return ``None`` if another look is needed.

        :raises ObjectGone: the source or the target was deleted since the look at it.
        :raises PreconditionFailed: the source or the target has changed since the look at it.
        :raises StorageFailed: another source's result is at one of the keys that it can have.
        """
        if there.another_source_has(self._place.expected(order.options)):
            raise StorageFailed(call="write", reason="another source has this target")
        product = self._made(source, order)
        target = self._at(product.target)
        if product.target in there.files:
            self._took_away = True
            self._store.write(target, product.content, replaces=there.files[product.target].etag)
            return None
        self._store.write(target, product.content)
        return product if self._listed() == [product.target] else None

    def _made(self, source: Stored, order: Order) -> Product:
        """Return the product, after another look at the source: the read, if there is one.

        :raises ObjectGone: the source was deleted since.
        :raises PreconditionFailed: the source has changed since.
        """
        if self._product is not None and self._product.stamp == order.stamp:
            self._confirm(source)
        elif isinstance(order.options, Options):
            held = [self._store.read(self._job.source, source)]
            self._product = self._cut_out(order, order.options, held.pop)
        else:
            self._confirm(source)
            self._product = error_file(order, order.options, self._request_id)
        return self._product

    def _cut_out(self, order: Order, options: Options, data: Callable[[], bytes]) -> Product:
        """Return the cutout of a photo, or the error file if the photo is at fault.

        ``data`` gives the photo's bytes away, so that nothing here holds them.

        :raises CutoutError: it failed on our side (status 500 or more).
        """
        try:
            result = interruptible(
                # The time that is left once it begins, which others can delay.
                lambda: self._remover.remove(data, options, budget_ms=self._left_ms())
            )
        except CutoutError as error:
            if error.is_ours:
                raise
            # Without its frames, which hold the photo: the error is kept while the worker writes.
            return error_file(order, error.with_traceback(None), self._request_id)
        return cutout_file(order, result)

    def _confirm(self, source: Stored) -> None:
        """Look at the source again.

        :raises PreconditionFailed: it has changed since.
        """
        if self._store.find(self._job.source) != source:
            raise PreconditionFailed

    def _at(self, key: str) -> ObjectRef:
        return ObjectRef(bucket=self._place.bucket, key=key)
