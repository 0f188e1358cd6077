"""What both doors log and measure in the same way: errors and removals.

Metrics, all with the dimension ``service``:

- ``Errors`` by ``code``: everything that was refused or that failed, by the caller's word for it.
- ``Faults`` by ``kind``: what failed on our side, by the class of the error. The caller is told
  ``internal_error`` for nearly all of these, but whoever operates the service needs to tell a
  failure of S3 (``StorageFailed``), an event that cannot be read (``UnknownEvent``) and a bug (such
  as ``KeyError``) apart.
- ``DecodeTime``, ``MatteTime``, ``ComposeTime``, ``EncodeTime`` in ms, ``Pixels`` of the photo, and
  ``Confidence``, 0..1, of the matte.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from cutout.errors import CutoutError
from cutout.report import Report

# JSON escapes what is below U+0020. Some readers end a line at these too (U+0085, U+2028, U+2029),
# terminals obey some, and half a surrogate pair cannot be written as UTF-8.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def one_line(record: Mapping[str, Any]) -> str:
    """Return a record of the log as JSON: one line to every reader, whatever is in its texts."""
    text = json.dumps(record, default=str, separators=(",", ":"), ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def record_error(error: Exception, logger: Logger, metrics: Metrics, **fields: Any) -> CutoutError:
    """Log and count an error; return the error that the caller is told.

    For a bug that is a plain ``internal_error``, which reveals nothing about it. The line in the
    log has ``code`` (what the caller is told), ``kind`` (the class of the error), its ``facts`` and
    the other ``fields``. A fault on our side is an ``ERROR`` line with a traceback.
    """
    told = error if isinstance(error, CutoutError) else CutoutError()
    kind = type(error).__name__
    fields |= {"code": told.code, "kind": kind, "facts": told.facts}
    _count(metrics, "Errors", code=told.code)
    if told.is_ours:
        _count(metrics, "Faults", kind=kind)
        logger.error("failed", exc_info=error, **fields)
    else:
        logger.info("refused", **fields)
    return told


def record_removal(report: Report, metrics: Metrics) -> None:
    """Measure a removal: how long its stages took, the photo's size, the matte's confidence."""
    for stage, elapsed_ms in report.stage_ms.items():
        name = f"{stage.capitalize()}Time"
        metrics.add_metric(name=name, unit=MetricUnit.Milliseconds, value=elapsed_ms)
    metrics.add_metric(name="Pixels", unit=MetricUnit.Count, value=report.photo_px)
    metrics.add_metric(name="Confidence", unit=MetricUnit.NoUnit, value=report.confidence)


def removal_fields(report: Report) -> dict[str, Any]:
    """Return the fields of a log line that say what a removal took and found.

    Times are in ms, sizes in px; the confidence of the matte is 0..1.
    """
    stages = {stage: round(elapsed_ms, 1) for stage, elapsed_ms in report.stage_ms.items()}
    return {
        "model": report.model,
        "photo_px": report.photo_px,
        "stage_ms": stages,
        "confidence": round(report.confidence, 2),
    }


def _count(metrics: Metrics, name: str, **dimensions: str) -> None:
    """Count one event under dimensions of its own, beside the metrics of the invocation."""
    with single_metric(
        name=name, unit=MetricUnit.Count, value=1, namespace=metrics.namespace
    ) as metric:
        metric.add_dimension(name="service", value=str(metrics.service))
        for dimension, value in dimensions.items():
            metric.add_dimension(name=dimension, value=value)
