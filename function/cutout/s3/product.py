"""What a source is to become, and the file that it became: a cutout or an error file.

Nothing is read or written here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cutout.errors import CutoutError, ObjectTooLarge, envelope
from cutout.options import Options, overlay, parse_object_options
from cutout.remover import Result
from cutout.report import Report
from cutout.s3.jobs import Job
from cutout.s3.results import ERROR, Place, Results, Stamp, accepted_by, digest, fingerprint
from cutout.settings import Settings
from cutout.store import Content, Stored

_SOURCE_OPTIONS = "source-options"
"""The metadata by which a batch job's result is known: its order's ``source_options``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one version of a source is to become: its options, or the error that they end in.

    ``accepted`` is what the deployment accepts, and ``source_options`` a digest of the options that
    the source's metadata ask for.
    """

    job: Job
    place: Place
    stamp: Stamp
    options: Options | CutoutError
    accepted: str
    source_options: str

    @classmethod
    def of(cls, job: Job, source: Stored, place: Place, settings: Settings) -> "Order":
        """Return the order by the deployment's defaults, the source's metadata and the batch job.

        Of two that name the same option the later in this list counts. ``response`` is ignored.
        """
        own = _option_fields(source.metadata)
        fields = _fields(settings.default_options, own, job.arguments or ())
        return cls(
            job=job,
            place=place,
            stamp=Stamp.of(place, source, fingerprint(fields)),
            options=job.refusal or _parsed(fields, source, settings),
            accepted=accepted_by(settings),
            source_options=digest(fingerprint(_fields(own))),
        )

    def filled_by(self, there: Results) -> list[str]:
        """Return the key of the one result of the source that is what is ordered, if it exists.

        Should two be right, the batch job's comes first, so that all workers keep the same one.
        """
        own, files = there.own.items(), there.files
        right = [key for key, stamp in own if self._is_filled_by(stamp, files[key])]
        return sorted(right, key=lambda key: _SOURCE_OPTIONS not in files[key].metadata)[:1]

    def _is_filled_by(self, stamp: Stamp, result: Stored) -> bool:
        """Tell whether a result of the source, with this stamp, is what is ordered.

        An error file is it only while the deployment accepts the same: an image that was too large
        is cut out by the next event about it once the limit is higher.

        For an event, the cutout that a batch job made of this version is it too, whatever the job's
        options were: S3 sends events again and late, and such an event must not undo the job. In a
        bucket without versions the same bytes can be uploaded again with other metadata, so what
        these ask for is compared too.

        For a job whose own options are wrong, any cutout of this version is it: a slip in a job
        over a whole bucket must not replace every result by an error file.
        """
        is_cutout = "error" not in result.metadata
        is_by_job = result.metadata.get(_SOURCE_OPTIONS) == self.source_options
        is_refused = self.job.refusal is not None
        stays = (self.job.by_event and is_by_job) or (is_refused and is_cutout)
        if stays and stamp.same_version(self.stamp):
            return True
        is_right = is_cutout or (result.metadata.get("accepted") == self.accepted)
        return stamp == self.stamp and is_right

    def marks(self) -> dict[str, str]:
        """Return the metadata by which the cutout of a batch job is known.

        An error file has none, so an event tries again with the upload's own options.
        """
        return {} if self.job.by_event else {_SOURCE_OPTIONS: self.source_options}


def _parsed(
    fields: Iterable[tuple[str, str]], source: Stored, settings: Settings
) -> Options | CutoutError:
    try:
        options, _ = parse_object_options(fields, settings.model_names)
    except CutoutError as error:
        return error
    if source.size > settings.max_object_bytes:
        return ObjectTooLarge(max_bytes=settings.max_object_bytes)
    return options


def _fields(*layers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [field for field in overlay(*layers) if field[0] != "response"]


def _option_fields(metadata: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the fields of a source's metadata that can be options.

    A result of ours that somebody uploads again, with its metadata, has the stamp of how it was
    made. Its ``model`` is part of that and asks for nothing.
    """
    is_result = Stamp.read(metadata) is not None
    return [field for field in metadata.items() if not (is_result and field[0] == "model")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product:
    """The file for the key ``target``: a cutout and its report, or an error file and its error."""

    stamp: Stamp
    target: str
    content: Content
    made: Report | CutoutError


def cutout_file(order: Order, result: Result) -> Product:
    """Return the cutout as it is to be stored."""
    return Product(
        stamp=order.stamp,
        target=order.place.key(result.file.format.value),
        content=Content(
            body=result.file.body,
            media_type=result.file.media_type,
            metadata=order.stamp.metadata(
                model=result.report.model,
                confidence=f"{result.report.confidence:.2f}",
                **order.marks(),
            ),
        ),
        made=result.report,
    )


def error_file(order: Order, error: CutoutError, request_id: str) -> Product:
    """Return the file that tells the caller what is wrong with the image or the options."""
    return Product(
        stamp=order.stamp,
        target=order.place.key(ERROR),
        content=Content(
            body=json.dumps(envelope(error, request_id)).encode(),
            media_type="application/json",
            metadata=order.stamp.metadata(error=error.code, accepted=order.accepted),
        ),
        made=error,
    )
