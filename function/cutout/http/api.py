"""API Gateway events ↔ the service: routing, keys, and the one exception boundary.

The order of the checks is the contract's: route and method, then the key, and then what the route
itself checks (see :mod:`cutout.http.removal` for ``POST /v2``).
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pybase64
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cutout.deadline import within
from cutout.errors import (
    InvalidApiKey,
    InvalidEvent,
    MethodNotAllowed,
    NotFound,
    OutOfMemory,
    UnknownEvent,
)
from cutout.http.event import request_id_in
from cutout.http.fetch import Fetcher
from cutout.http.headers import EXPOSED_HEADERS
from cutout.http.large_images import Transfer
from cutout.http.removal import Removal
from cutout.http.reply import Reply, error_reply
from cutout.http.request import Request
from cutout.http.routes import Endpoint, make_endpoints
from cutout.http.service import Service
from cutout.keys import Keys
from cutout.remover import Remover, Result
from cutout.settings import KeyCheck, Settings
from cutout.telemetry import record_error, record_removal, removal_fields

_ALARM_RESERVE_MS = 1_000
"""Time for the reply. It is less than a removal keeps back, so that work which watches the clock
itself, such as a fetch, ends by itself and can say what took so long."""


class Api:
    """The HTTP edge of one deployment. One event at a time, as Lambda sends them."""

    def __init__(  # noqa: PLR0913 - the parts of a deployment, by name
        self,
        *,
        remover: Remover,
        settings: Settings,
        logger: Logger,
        metrics: Metrics,
        transfer: Transfer | None = None,
        keys: Keys | None = None,
        fetcher: Fetcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Answer with these parts; without ``transfer`` the deployment has no bucket.

        Without ``keys`` the accepted keys are those of the settings. ``fetcher`` fetches images
        from URLs where the settings allow it; without one, from the public internet.

        ``clock`` tells seconds, from any beginning.
        """
        self._settings = settings
        self._keys = keys or Keys(settings.api_key_hashes)
        self._logger = logger
        self._metrics = metrics
        self._found: dict[str, Any] = {}  # what the line about the present request says
        removal = Removal(
            remover=remover,
            settings=settings,
            transfer=transfer,
            record=self._record,
            fetcher=fetcher,
        )
        service = Service(remover=remover, settings=settings, transfer=transfer, clock=clock)
        self.endpoints = make_endpoints(
            removal=removal, service=service, transfer=transfer, settings=settings
        )
        self._routes: dict[str, dict[str, Endpoint]] = {}
        for endpoint in self.endpoints:
            self._routes.setdefault(endpoint.path, {})[endpoint.method] = endpoint

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Return the proxy reply to an API Gateway event of either payload format.

        :raises UnknownEvent: the event is not about an HTTP request.
        """
        start = time.perf_counter()
        request_id = request_id_in(event) or context.aws_request_id
        self._logger.append_keys(request_id=request_id)
        self._metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)
        try:
            request = Request.parse(
                event, request_id=request_id, left_ms=context.get_remaining_time_in_millis
            )
        except UnknownEvent as error:
            record_error(error, self._logger, self._metrics)
            raise
        except InvalidEvent as error:
            told = record_error(error, self._logger, self._metrics)
            return _proxy_reply(error_reply(told, request_id), request_id, self._settings)
        self._found = {}
        try:
            left_ms = request.left_ms() - _ALARM_RESERVE_MS
            reply = within(left_ms, partial(self._routed, request))
        except Exception as error:  # noqa: BLE001 - the one place where an exception becomes a reply
            reply = self._refused(error, request)
        try:
            sent = _proxy_reply(reply, request_id, self._settings)
        except MemoryError as error:
            reply = self._refused(error, request)
            sent = _proxy_reply(reply, request_id, self._settings)
        self._logger.info(
            "answered",
            method=request.method,
            path=request.path[:100],
            status=reply.status,
            elapsed_ms=round((time.perf_counter() - start) * 1000, 1),
            body_bytes=request.body_bytes,
            reply_bytes=len(reply.body),
            **self._found,
        )
        return sent

    def _routed(self, request: Request) -> Reply:
        """Return the reply of the request's route, or the one to a preflight.

        :raises NotFound: no route has this path.
        :raises MethodNotAllowed: the path has other methods.
        :raises InvalidApiKey: the route needs a key.
        :raises KeysUnavailable: it does, and which keys are accepted cannot be known.
        :raises CutoutError: whatever the route refuses.
        """
        methods = self._routes.get(request.path)
        if methods is None:
            raise NotFound
        endpoint = methods.get(request.method)
        allow = ", ".join([*methods, "OPTIONS"])
        if endpoint is None and request.method == "OPTIONS":
            return _preflight_reply(allow)
        if endpoint is None:
            raise MethodNotAllowed(allow=allow)
        if endpoint.keyed:
            self._check_key(request, endpoint)
        return endpoint.reply_to(request)

    def _check_key(self, request: Request, endpoint: Endpoint) -> None:
        """Let a request pass whose key is accepted, or was checked by the gateway.

        :raises InvalidApiKey: otherwise; with no accepted keys, always.
        :raises KeysUnavailable: which keys are accepted cannot be known at the moment.
        """
        by_gateway = endpoint.gateway_keys and self._settings.keys_checked_by is KeyCheck.GATEWAY
        # An event of an HTTP API or a load balancer can look like a REST API's, but has no key id.
        if by_gateway and request.api_key_id:
            return
        if not self._keys.accept(endpoint.key_of(request)):
            raise InvalidApiKey

    def _refused(self, error: Exception, request: Request) -> Reply:
        """Log and count a failure, and return the reply that tells the caller."""
        if isinstance(error, MemoryError):  # outside of the removal: the body, or the reply
            short = OutOfMemory()
            short.__cause__ = error
            error = short
        told = record_error(error, self._logger, self._metrics)
        self._found |= {"code": told.code, "kind": type(error).__name__}
        endpoints = self._routes.get(request.path, {}).values()
        refuse = next((endpoint.refuse for endpoint in endpoints), error_reply)
        return refuse(told, request.request_id)

    def _record(self, result: Result) -> None:
        record_removal(result.report, self._metrics)
        self._found |= removal_fields(result.report)
        if result.scale < 1:
            self._metrics.add_metric(name="ScaledToFit", unit=MetricUnit.Count, value=1)


def _preflight_reply(allow: str) -> Reply:
    """Return the answer to a browser that asks which requests a page may send (CORS).

    Widgets for uploads, such as Dropzone, send Cache-Control and X-Requested-With by themselves.
    """
    headers = {
        "Access-Control-Allow-Methods": allow,
        "Access-Control-Allow-Headers": (
            "Accept, Authorization, Cache-Control, Content-Type, X-Api-Key, X-Requested-With"
        ),
        "Access-Control-Max-Age": "3600",
    }
    return Reply(status=204, headers=headers)


def _proxy_reply(reply: Reply, request_id: str, settings: Settings) -> dict[str, Any]:
    """Return a reply as both payload formats take it, with the headers that every reply has."""
    body, is_binary = reply.body, isinstance(reply.body, bytes)
    if isinstance(body, bytes):
        body = pybase64.b64encode_as_string(body)
    return {
        "statusCode": reply.status,
        "headers": {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **reply.headers,
            "X-Request-Id": request_id,
            "Access-Control-Allow-Origin": settings.allowed_origin,
            "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
        },
        "body": body,
        "isBase64Encoded": is_binary,
    }
