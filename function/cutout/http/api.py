"""API Gateway events ↔ the service: routes, keys, and the one exception boundary.

The order of the checks is the contract's: route and method, then the key, and then what the route
itself checks (see :mod:`cutout.http.removal` for ``POST /v2``).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pybase64
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cutout import __version__
from cutout.deadline import interrupted_after
from cutout.errors import (
    CutoutError,
    InvalidApiKey,
    MethodNotAllowed,
    NotFound,
    OutOfMemory,
    StorageDisabled,
    UnsupportedUploadRequest,
)
from cutout.http.body import Body, parse_body
from cutout.http.fetch import Fetcher
from cutout.http.headers import EXPOSED_HEADERS
from cutout.http.large_images import Transfer, media_type_in
from cutout.http.pages import PAGES
from cutout.http.removal import Removal
from cutout.http.removebg import RemoveBg, key_sent, removebg_error_reply, show_credits
from cutout.http.reply import Reply, error_reply, json_reply, upload_reply
from cutout.http.request import Request
from cutout.http.service import Service
from cutout.keys import Keys
from cutout.options import Options
from cutout.remover import Remover, Result
from cutout.settings import KeyCheck, Settings
from cutout.telemetry import record_error, record_removal, removal_fields

_ALARM_RESERVE_MS = 1_000
"""Time for the reply. It is less than a removal keeps back, so that work which watches the clock
itself, such as a fetch, ends by itself and can say what took so long."""


def key_in_header(request: Request) -> str:
    """Return the key in the header ``x-api-key``, empty without one."""
    return request.headers.get("x-api-key", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route; a ``keyed`` one is answered only with an API key.

    ``key_of`` finds the key in a request, and ``refuse`` words an error as the clients of the route
    know it. With ``gateway_keys`` a REST API checks the key where the deployment says so; the other
    keyed routes take keys from places where API Gateway does not look.
    """

    method: str
    path: str
    keyed: bool
    reply_to: Callable[[Request], Reply]
    key_of: Callable[[Request], str] = key_in_header
    refuse: Callable[[CutoutError, str], Reply] = error_reply
    gateway_keys: bool = True


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
        self._transfer = transfer
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
        self.endpoints = (
            Endpoint(method="POST", path="/v2", keyed=True, reply_to=removal.reply_to),
            Endpoint(method="POST", path="/v2/uploads", keyed=True, reply_to=self._make_upload),
            Endpoint(method="GET", path="/v2/account", keyed=True, reply_to=service.show_account),
            Endpoint(method="GET", path="/v2/health", keyed=False, reply_to=service.show_health),
            Endpoint(method="HEAD", path="/v2/health", keyed=False, reply_to=service.head_health),
            Endpoint(method="GET", path="/openapi.json", keyed=False, reply_to=self._show_document),
            Endpoint(
                method="POST",
                path="/v1.0/removebg",
                keyed=True,
                reply_to=RemoveBg(removal).reply_to,
                key_of=key_sent,
                refuse=removebg_error_reply,
                gateway_keys=False,
            ),
            Endpoint(
                method="GET",
                path="/v1.0/account",
                keyed=True,
                reply_to=show_credits,
                key_of=key_sent,
                refuse=removebg_error_reply,
                gateway_keys=False,
            ),
            *(
                Endpoint(
                    method=method, path=path, keyed=False, reply_to=partial(service.show_page, name)
                )
                for path, name in (PAGES if settings.show_pages else {}).items()
                for method in ("GET", "HEAD")
            ),
        )
        self._routes: dict[str, dict[str, Endpoint]] = {}
        for endpoint in self.endpoints:
            self._routes.setdefault(endpoint.path, {})[endpoint.method] = endpoint

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Return the proxy reply to an API Gateway event of either payload format.

        :raises KeyError: the event does not describe an HTTP request.
        """
        start = time.perf_counter()
        request = Request.parse(
            event,
            invocation_id=context.aws_request_id,
            left_ms=context.get_remaining_time_in_millis,
        )
        self._logger.append_keys(request_id=request.request_id)
        self._found = {}
        try:
            with interrupted_after(request.left_ms() - _ALARM_RESERVE_MS):
                reply = self._routed(request)
        except Exception as error:  # noqa: BLE001 - the one place where an exception becomes a reply
            reply = self._refused(error, request)
        try:
            sent = _proxy_reply(reply, request, self._settings)
        except MemoryError as error:
            reply = self._refused(error, request)
            sent = _proxy_reply(reply, request, self._settings)
        self._metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)
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
        # An event of an HTTP API or a load balancer can look like a REST API's, but has no key id.
        if request.api_key_id and self._settings.keys_checked_by is KeyCheck.GATEWAY:
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

    def _make_upload(self, request: Request) -> Reply:
        if self._transfer is None:
            raise StorageDisabled
        content = request.content(instead="Send only the field content_type, or no body.")
        body = parse_body(request.headers.get("content-type", ""), content) if content else Body()
        if body.raw is not None:
            raise UnsupportedUploadRequest
        media_type, ignored = media_type_in((*body.fields, *request.query))
        upload = self._transfer.offer(media_type)
        max_bytes = self._settings.max_object_bytes
        return upload_reply(upload, max_bytes, ignored, request.request_id)

    def _show_document(self, request: Request) -> Reply:
        # A hundredth of a second that no start spends without being asked for the document.
        from cutout.http.openapi.document import document  # noqa: PLC0415
        from cutout.http.openapi.requests import Deployment  # noqa: PLC0415

        routes = [(one.method, one.path, one.keyed) for one in self.endpoints]
        deployment = Deployment(
            defaults=Options(response=self._settings.default_response),
            has_storage=self._transfer is not None,
            fetches_urls=self._settings.fetch_urls,
            models=self._settings.model_names,
        )
        base_path = request.base_path
        return json_reply(
            document(routes, deployment=deployment, version=__version__, base_path=base_path)
        )

    def _record(self, result: Result) -> None:
        record_removal(result.report, self._metrics)
        self._found |= removal_fields(result.report)
        if result.scale < 1:
            self._metrics.add_metric(name="ScaledToFit", unit=MetricUnit.Count, value=1)


def _preflight_reply(allow: str) -> Reply:
    """Return the answer to a browser that asks which requests a page may send (CORS)."""
    headers = {
        "Access-Control-Allow-Methods": allow,
        "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, X-Api-Key",
        "Access-Control-Max-Age": "3600",
    }
    return Reply(status=204, headers=headers)


def _proxy_reply(reply: Reply, request: Request, settings: Settings) -> dict[str, Any]:
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
            "X-Request-Id": request.request_id,
            "Access-Control-Allow-Origin": settings.allowed_origin,
            "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
        },
        "body": body,
        "isBase64Encoded": is_binary,
    }
