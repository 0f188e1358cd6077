"""S3's events ↔ the worker: one log line, one report and one exception boundary for each object."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cutout.deadline import within
from cutout.errors import CutoutError, OutOfTime, StorageDisabled, UnknownEvent, UploadsFailed
from cutout.s3.events import plan
from cutout.s3.jobs import Job, Kind, Plan, Skip, Skipped, Step, Task
from cutout.s3.product import Product
from cutout.s3.worker import Kept, Worker
from cutout.settings import Settings
from cutout.store import ObjectRef
from cutout.telemetry import record_error, record_removal, removal_fields

_DEADLINE_RESERVE_MS = 5_000
"""Time to write the result, and for a stage that takes longer than hoped. Chosen, not measured."""

_MAX_REASON = 200  # characters of a task's report, so that a job's report stays readable
_MAX_LOGGED_KEY = 300  # characters; a key has up to 1,024 bytes
_KEY_DIGITS = 16  # of a hashed key's SHA-256 in hex: enough to find all lines about one object


class _Code(StrEnum):
    """How a task went, in the words of S3 Batch Operations."""

    SUCCEEDED = "Succeeded"
    TEMPORARY = "TemporaryFailure"
    PERMANENT = "PermanentFailure"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """How a step or a task went, and why or with what result, in a few words."""

    code: _Code
    text: str = ""


class Uploads:
    """The S3 door of one deployment. It takes one event at a time, as Lambda sends them."""

    def __init__(
        self, *, worker: Worker, settings: Settings, logger: Logger, metrics: Metrics
    ) -> None:
        self._worker = worker
        self._settings = settings
        self._logger = logger
        self._metrics = metrics

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
        """Work on all objects of an event; return what its sender needs to know, in its own form.

        :raises StorageDisabled: the deployment has no bucket.
        :raises UnknownEvent: the event is not about S3 objects, or cannot be answered.
        :raises UploadsFailed: some objects failed, and the event has no form to report them in.
        """
        self._logger.append_keys(request_id=context.aws_request_id)
        self._metrics.add_metric(name="Events", unit=MetricUnit.Count, value=1)
        try:
            planned = plan(event, self._settings)
            if not self._settings.has_storage:
                raise StorageDisabled  # noqa: TRY301 - it is logged and counted like the other
        except (UnknownEvent, StorageDisabled) as error:
            record_error(error, self._logger, self._metrics)
            raise
        return _answer(planned, [(task, self._report(task, context)) for task in planned.tasks])

    def _report(self, task: Task, context: LambdaContext) -> _Report:
        """Work on all steps of a task; return how the task went as a whole."""
        reports = [self._step(step, context) for step in task.steps]
        if task.fault:
            error = UnknownEvent(reason=task.fault)
            record_error(error, self._logger, self._metrics, task=task.name)
            # A retry would read the same. A queue is told of the failure all the same: _answer().
            return _Report(code=_Code.PERMANENT, text=f"{error.code}: {task.fault}")
        if not reports:
            return _Report(code=_Code.SUCCEEDED)
        failed = (report for report in reports if report.code is _Code.TEMPORARY)
        return next(failed, reports[0])

    def _step(self, step: Step, context: LambdaContext) -> _Report:
        """Work on one object; whatever happens is logged and reported, and never raised."""
        if isinstance(step, Skipped):
            self._logger.info(step.why.value, **self._names(step.source))
            code = _Code.PERMANENT if step.why is Skip.NOT_OURS else _Code.SUCCEEDED
            return _Report(code=code, text=step.why.value)
        try:
            return self._work(step, context)
        except Exception as error:  # noqa: BLE001 - the boundary: the work on other objects goes on
            names = self._names(step.source)
            told = record_error(error, self._logger, self._metrics, **names)
            # Only the owner of the buckets reads the report, so it may say what S3 answered.
            facts = map(str, told.facts.values())
            return _Report(code=_Code.TEMPORARY, text=": ".join([told.code, *facts]))

    def _work(self, job: Job, context: LambdaContext) -> _Report:
        """Work on one object, and log and measure what was done for it.

        :raises CutoutError: the work failed on our side (status 500 or more).
        """
        start = time.perf_counter()
        left_ms = _clock(context)
        if left_ms() <= 0:
            raise OutOfTime(before="read")
        request_id = context.aws_request_id
        work = partial(self._worker.work, job, request_id=request_id, left_ms=left_ms)
        done = within(left_ms(), work)
        self._metrics.add_metric(name="Objects", unit=MetricUnit.Count, value=1)
        fields = self._names(job.source)
        fields["elapsed_ms"] = round((time.perf_counter() - start) * 1000, 1)
        if isinstance(done, Skip):
            self._logger.info(done.value, **fields)
            return _Report(code=_Code.SUCCEEDED, text=done.value)
        fields["target"] = self._loggable(done.target)
        if isinstance(done, Product):
            return self._tell_product(done, fields)
        if job.refusal is not None:  # its options are wrong, and what was there stays
            return self._tell_refusal(job.refusal, fields)
        return self._tell_kept(done, fields)

    def _tell_product(self, product: Product, fields: dict[str, Any]) -> _Report:
        """Log, measure and report a result that was written."""
        if isinstance(product.made, CutoutError):
            return self._tell_refusal(product.made, fields)
        record_removal(product.made, self._metrics)
        fields |= removal_fields(product.made) | {"result_bytes": len(product.content.body)}
        self._logger.info("cut_out", **fields)
        return _Report(code=_Code.SUCCEEDED, text=product.target)

    def _tell_refusal(self, error: CutoutError, fields: dict[str, Any]) -> _Report:
        """Log, count and report what is the fault of the photo, of its options or of a job's."""
        record_error(error, self._logger, self._metrics, **fields)
        return _Report(code=_Code.PERMANENT, text=f"{error.code}: {error}")

    def _tell_kept(self, kept: Kept, fields: dict[str, Any]) -> _Report:
        """Log and report a result that existed already."""
        if kept.code:
            self._logger.info("unchanged", code=kept.code, **fields)
            return _Report(code=_Code.PERMANENT, text=f"{kept.code}: see {kept.target}")
        self._logger.info("unchanged", **fields)
        return _Report(code=_Code.SUCCEEDED, text=kept.target)

    def _names(self, source: ObjectRef) -> dict[str, Any]:
        """Return the log's fields that name an object."""
        return {
            "bucket": source.bucket[:_MAX_LOGGED_KEY],
            "key": self._loggable(source.key),
        }

    def _loggable(self, key: str) -> str:
        """Return a key for the log: shortened, or hashed where the deployment asks for that."""
        if not self._settings.hash_logged_keys or not key:
            return key[:_MAX_LOGGED_KEY]
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        return f"sha256:{digest[:_KEY_DIGITS]}"


def _clock(context: LambdaContext) -> Callable[[], float]:
    """Return the clock of one invocation: the ms that are left for work on an object."""
    return lambda: context.get_remaining_time_in_millis() - _DEADLINE_RESERVE_MS


def _answer(planned: Plan, reports: Iterable[tuple[Task, _Report]]) -> dict[str, Any] | None:
    """Return the reports in the form of the event's kind.

    :raises UploadsFailed: some failed, and this kind of event has no form to say which.
    """
    if planned.kind is Kind.BATCH:
        results = [
            {
                "taskId": task.name,
                "resultCode": report.code.value,
                "resultString": report.text[:_MAX_REASON],
            }
            for task, report in reports
        ]
        missing = {"treatMissingKeysAs": _Code.PERMANENT.value}
        return {**planned.head, **missing, "results": results}
    failed = [task.name for task, report in reports if task.fault or report.code is _Code.TEMPORARY]
    if planned.kind is Kind.QUEUE:
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
    if failed:
        raise UploadsFailed(failed=len(failed))
    return None
