"""S3's events ↔ the worker: one log line, one report and one exception boundary for each object."""

import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cutout.errors import CutoutError, OutOfTime, StorageDisabled, UnknownEvent, UploadsFailed
from cutout.remover import Remover
from cutout.s3.events import Job, Kind, Plan, Skip, Skipped, Step, Task, plan
from cutout.s3.worker import Worker
from cutout.settings import Settings
from cutout.store import Store

_DEADLINE_RESERVE_MS = 5_000  # to write the result, and for a stage that is longer than hoped
_MAX_REASON = 200  # characters of a batch job's report
_MAX_LOGGED_KEY = 300  # characters


class _Code(StrEnum):
    """S3 Batch Operations' words for how a task went."""

    SUCCEEDED = "Succeeded"
    TEMPORARY = "TemporaryFailure"
    PERMANENT = "PermanentFailure"


class Uploads:
    """The S3 edge of one deployment. One event at a time, as Lambda sends them."""

    def __init__(
        self,
        *,
        remover: Remover,
        store: Store,
        settings: Settings,
        logger: Logger,
        metrics: Metrics,
    ) -> None:
        self._worker = Worker(remover=remover, store=store, settings=settings)
        self._settings = settings
        self._logger = logger
        self._metrics = metrics

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
        """Work on all objects of an event; return what its sender needs to know, in its own form.

        :raises StorageDisabled: the deployment has no bucket.
        :raises UnknownEvent: it is no event about S3 objects.
        :raises UploadsFailed: some objects of an event that cannot be reported on one by one.
        """
        self._logger.append_keys(request_id=context.aws_request_id)
        self._metrics.add_metric(name="Events", unit=MetricUnit.Count, value=1)
        if not self._settings.has_storage:
            raise StorageDisabled
        try:
            planned = plan(event, self._settings)
        except UnknownEvent as error:
            self._fail(error, error)
            raise
        reports = [(task, *self._report(task, context)) for task in planned.tasks]
        return _answer(planned, reports)

    def _report(self, task: Task, context: LambdaContext) -> tuple[_Code, str]:
        """Work on a task; return how it went, and why, in a few words."""
        reports = [self._step(step, context) for step in task.steps]
        if task.fault:
            error = UnknownEvent(reason=task.fault)
            self._fail(error, error, task=task.name)
            # Sent again, it would read the same; a queue still has to be told that it failed.
            return _Code.PERMANENT, f"{error.code}: {task.fault}"
        failed = [report for report in reports if report[0] is _Code.TEMPORARY]
        return (*failed, *reports, (_Code.SUCCEEDED, ""))[0]

    def _step(self, step: Step, context: LambdaContext) -> tuple[_Code, str]:
        """Work on one object, and log whatever comes of it."""
        if isinstance(step, Skipped):
            self._logger.info(str(step.why), **_names(step.bucket, step.key))
            skipped = _Code.PERMANENT if step.why is Skip.NOT_OURS else _Code.SUCCEEDED
            return skipped, step.why.value
        try:
            return self._work(step, context)
        except Exception as error:  # noqa: BLE001 - the boundary: the other objects go on
            cause = error if isinstance(error, CutoutError) else CutoutError()
            self._fail(cause, error, **_names(step.source.bucket, step.source.key))
            # Whoever reads the report owns the buckets, and may want to know what S3 said.
            return _Code.TEMPORARY, ": ".join([cause.code, *map(str, cause.facts.values())])

    def _work(self, job: Job, context: LambdaContext) -> tuple[_Code, str]:
        """Work on one object, and log and measure what came of it.

        :raises CutoutError: of status 500 and more: it is not done.
        """
        start = time.perf_counter()
        left_ms = _clock(context)
        if left_ms() <= 0:
            raise OutOfTime(before="read")
        done = self._worker.work(job, request_id=context.aws_request_id, left_ms=left_ms)
        error = done.error
        self._metrics.add_metric(name="Objects", unit=MetricUnit.Count, value=1)
        if done.report is not None:
            for stage, elapsed_ms in done.report.stage_ms.items():
                self._metrics.add_metric(
                    name=f"{stage.capitalize()}Time", unit=MetricUnit.Milliseconds, value=elapsed_ms
                )
            pixels = done.report.photo_px
            self._metrics.add_metric(name="Pixels", unit=MetricUnit.Count, value=pixels)
        if error is not None:
            self._count(error)
        self._logger.info(
            str(done.outcome),
            **_names(job.source.bucket, job.source.key),
            target=done.target[:_MAX_LOGGED_KEY],
            code=done.code or None,
            facts=error.facts if error else None,
            elapsed_ms=round((time.perf_counter() - start) * 1000, 1),
        )
        if done.code:
            return _Code.PERMANENT, f"{done.code}: {error or 'see the file'}"
        return _Code.SUCCEEDED, done.target or done.outcome.value

    def _fail(self, cause: CutoutError, error: Exception, **names: Any) -> None:
        """Log and count what is not done."""
        self._logger.error("failed", code=cause.code, facts=cause.facts, exc_info=error, **names)
        self._count(cause)

    def _count(self, error: CutoutError) -> None:
        with single_metric(
            name="Errors", unit=MetricUnit.Count, value=1, namespace=self._metrics.namespace
        ) as metric:
            metric.add_dimension(name="service", value=str(self._metrics.service))
            metric.add_dimension(name="code", value=error.code)


def _clock(context: LambdaContext) -> Callable[[], float]:
    """Return what tells the time that is left for an object."""
    return lambda: context.get_remaining_time_in_millis() - _DEADLINE_RESERVE_MS


def _names(bucket: str, key: str) -> dict[str, Any]:
    return {"bucket": bucket[:_MAX_LOGGED_KEY], "key": key[:_MAX_LOGGED_KEY]}


def _answer(planned: Plan, reports: Iterable[tuple[Task, _Code, str]]) -> dict[str, Any] | None:
    """Return the reports in the form of the event's kind.

    :raises UploadsFailed: it has none for failures.
    """
    if planned.kind is Kind.BATCH:
        results = [
            {"taskId": task.name, "resultCode": code.value, "resultString": reason[:_MAX_REASON]}
            for task, code, reason in reports
        ]
        missing = {"treatMissingKeysAs": _Code.PERMANENT.value}
        return {**planned.head, **missing, "results": results}
    failed = [task.name for task, code, _ in reports if task.fault or code is _Code.TEMPORARY]
    if planned.kind is Kind.QUEUE:
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
    if failed:
        raise UploadsFailed(failed=len(failed))
    return None
