"""The composition root: what SAM names as handlers, and the only work done at import.

SnapStart snapshots a process right after this import: the model is loaded and has run once, and
nothing that must be unique or connected is kept. Where a request waits for the start, the model
runs for that request only: a pass before it takes 79 ms and would save it 12.
"""

import gc

gc.disable()  # to collect during the imports would take 15 ms and free almost nothing

import os

from cutout.settings import Settings, read_settings

# Before the import of Powertools, which ends with an error of its own for a wrong variable.
settings = read_settings(os.environ)

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from cutout.errors import ModelUnavailable
from cutout.image.decode import Limits
from cutout.image.model import Model, read_model
from cutout.remover import Remover
from cutout.store import BRIEF, Store
from cutout.telemetry import one_line

if TYPE_CHECKING:
    from cutout.http.api import Api
    from cutout.s3.handler import Uploads

LAYER_MODELS = Path("/opt/models")
LOCAL_MODELS = Path(__file__).resolve().parent.parent / "models"  # of a clone

logger = Logger(service=settings.service, level=settings.log_level, json_serializer=one_line)
metrics = Metrics(namespace=settings.metrics_namespace, service=settings.service)


def load_model(settings: Settings, name: str) -> Model | ModelUnavailable:
    """Return a model of the deployment, or why it did not load, which the replies will tell.

    :raises MemoryError: there is too little memory for it at the moment.
    """
    places = [settings.model_dir] if settings.model_dir else [LAYER_MODELS, LOCAL_MODELS]
    folders = [place / name for place in places]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        looked = " or ".join(map(str, folders))
        return ModelUnavailable(
            reason=f"MODEL_NAME names a model that is not there: no {looked}. In a clone of the"
            f" project, make model NAME={name} adds a public one"
        )
    try:
        return read_model(folder)
    except ModelUnavailable as error:
        return error


def load_default(settings: Settings, name: str) -> Model | ModelUnavailable:
    """Return the default model, or why it did not load: the start goes on in any case."""
    try:
        return load_model(settings, name)
    except MemoryError:
        return ModelUnavailable(reason="there was too little memory to load it at the start")


def _check(remover: Remover) -> None:
    """Log that there is no model; run the network once if no request waits for the start."""
    try:
        remover.check(run=settings.starts_ahead)
    except ModelUnavailable as error:
        logger.critical("no model", code=error.code, facts=error.facts)


default_model, *other_models = settings.model_names
remover = Remover(
    load_default(settings, default_model),
    Limits(max_pixels=settings.max_pixels),
    memory_pixels=settings.memory_pixels,
    name=default_model,
    others={name: partial(load_model, settings, name) for name in other_models},
)
_check(remover)


@cache
def api() -> "Api":
    """Return what answers API Gateway's events."""
    # Imported here, so that the S3 worker's start does not take 30 ms longer.
    from cutout.http.api import Api  # noqa: PLC0415
    from cutout.http.large_images import Transfer  # noqa: PLC0415
    from cutout.keys import KeyList, Keys  # noqa: PLC0415

    return Api(
        remover=remover,
        settings=settings,
        logger=logger,
        metrics=metrics,
        transfer=Transfer(Store(BRIEF), settings) if settings.has_storage else None,
        keys=Keys(
            settings.api_key_hashes,
            KeyList(settings.api_keys_parameter) if settings.api_keys_parameter else None,
        ),
    )


@cache
def uploads() -> "Uploads":
    """Return what works on S3's objects."""
    # Imported here, so that the API's start does not take 15 ms longer.
    from cutout.s3.handler import Uploads  # noqa: PLC0415
    from cutout.s3.worker import Worker  # noqa: PLC0415

    return Uploads(
        worker=Worker(remover=remover, store=Store(), settings=settings),
        settings=settings,
        logger=logger,
        metrics=metrics,
    )


# At the start Lambda gives a whole core to functions of any memory, so nothing is left for the
# first request. Elsewhere the two are made when they are first needed.
match settings.handler:
    case "app.http_handler":
        api()
    case "app.upload_handler":
        uploads()
    case "app.lambda_handler":
        api()
        uploads()

gc.freeze()  # no later collection looks through what stays
gc.enable()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def http_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an API Gateway event, of payload format 1.0 or 2.0."""
    return api().handle(event, context)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def upload_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    """Work on S3's objects: from S3 itself, SNS, SQS, EventBridge or S3 Batch Operations.

    :raises CutoutError: what must not be lost, so that the platform keeps the event.
    """
    return uploads().handle(event, context)


def lambda_handler(event: Any, context: LambdaContext) -> dict[str, Any] | None:
    """Answer either kind of event, told apart by what only API Gateway sends."""
    only_http = {"requestContext", "httpMethod", "rawPath"}
    is_http = isinstance(event, dict) and not only_http.isdisjoint(event)
    handler = http_handler if is_http else upload_handler
    answer: dict[str, Any] | None = handler(event, context)
    return answer
