"""API Gateway events ↔ the remover: routes, keys, and the one exception boundary.

The order of the checks is the contract's: route and method, key, body size, body, every option,
the number of sources, the source itself, and only then the image.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.event_handler import (
    APIGatewayHttpResolver,
    APIGatewayRestResolver,
    Response,
)
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cutout.errors import (
    FORMATS_IN,
    CutoutError,
    ImageUrlDisabled,
    InvalidApiKey,
    MethodNotAllowed,
    NotFound,
    ResultTooLarge,
    StorageDisabled,
    UnsupportedUploadRequest,
)
from cutout.http.body import Body, Source, decode_base64, only_source, parse_body, split_sources
from cutout.http.large_images import Transfer, media_type_in
from cutout.http.reply import (
    EXPOSED_HEADERS,
    Reply,
    disposition,
    document_reply,
    error_reply,
    file_name,
    image_reply,
    json_reply,
    link_reply,
    mask_reply,
    upload_reply,
)
from cutout.http.request import MAX_REQUEST_BYTES, Request
from cutout.options import Channels, Delivery, Format, parse_options
from cutout.remover import Remover, Result
from cutout.settings import KeyCheck, Settings
from cutout.store import Content

SERVER_FAULT = 500
"""From this status on the fault is ours and a retry may help."""

_DEADLINE_RESERVE_MS = 1_500  # for the reply, and for a stage that is longer than hoped


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route; a ``keyed`` one is answered only with an API key."""

    method: str
    path: str
    keyed: bool
    answer: Callable[[Request], Reply]


class Api:
    """The HTTP edge of one deployment. One event at a time, as Lambda sends them."""

    def __init__(
        self,
        *,
        remover: Remover,
        settings: Settings,
        logger: Logger,
        metrics: Metrics,
        transfer: Transfer | None = None,
    ) -> None:
        """Answer with these parts; without ``transfer`` the deployment has no bucket."""
        self._remover = remover
        self._transfer = transfer
        self._settings = settings
        self._logger = logger
        self._metrics = metrics
        self._resolvers: dict[bool, APIGatewayRestResolver | APIGatewayHttpResolver] = {}
        self._router = Router()
        self.endpoints = (
            Endpoint(method="POST", path="/v2", keyed=True, answer=self._remove_background),
            Endpoint(method="POST", path="/v2/uploads", keyed=True, answer=self._make_upload),
            Endpoint(method="GET", path="/v2/account", keyed=True, answer=self._show_account),
            Endpoint(method="GET", path="/v2/health", keyed=False, answer=self._show_health),
        )
        for endpoint in self.endpoints:
            self._router.route(endpoint.path, method=endpoint.method)(self._guarded(endpoint))

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Return the proxy reply to an API Gateway event of either payload format.

        :raises KeyError: the event is no HTTP request's.
        """
        start = time.perf_counter()
        request = Request.parse(event, context.aws_request_id)
        self._logger.append_keys(request_id=request.request_id)
        reply = self._resolver(request).resolve(event, context)
        self._metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)
        self._logger.info(
            "answered",
            method=request.method,
            path=request.path[:100],
            status=reply["statusCode"],
            elapsed_ms=round((time.perf_counter() - start) * 1000, 1),
        )
        return reply

    def _resolver(self, request: Request) -> APIGatewayRestResolver | APIGatewayHttpResolver:
        """Return the resolver of the request's payload format, made when first needed."""
        resolver = self._resolvers.get(request.from_rest_api)
        if resolver is None:
            resolver = (
                APIGatewayRestResolver() if request.from_rest_api else APIGatewayHttpResolver()
            )
            resolver.include_router(self._router)
            resolver.not_found(self._answer_other_routes)
            resolver.exception_handler(Exception)(self._refuse)
            self._resolvers[request.from_rest_api] = resolver
        return resolver

    def _request(self) -> Request:
        """Return the request that is being resolved."""
        context = self._router.lambda_context
        return Request.parse(self._router.current_event.raw_event, context.aws_request_id)

    def _guarded(self, endpoint: Endpoint) -> Callable[[], "Response[bytes | str]"]:
        """Return the endpoint's answer behind the check of the key, as Powertools calls it."""

        def answer() -> Response[bytes | str]:
            request = self._request()
            if endpoint.keyed:
                _check_key(request, self._settings)
            return self._response(endpoint.answer(request), request)

        return answer

    def _response(self, reply: Reply, request: Request) -> "Response[bytes | str]":
        """Return the reply with the headers that stand on every one."""
        everywhere = {
            "X-Request-Id": request.request_id,
            "Access-Control-Allow-Origin": self._settings.allowed_origin,
            "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
        }
        return Response(
            status_code=reply.status, body=reply.body, headers={**reply.headers, **everywhere}
        )

    def _refuse(self, error: Exception) -> "Response[bytes | str]":
        """Answer any failure: the one place where an exception becomes a reply."""
        request = self._request()
        cause = error if isinstance(error, CutoutError) else CutoutError()
        if cause.status < SERVER_FAULT:
            self._logger.info("refused", code=cause.code, facts=cause.facts)
        else:
            self._logger.error("failed", code=cause.code, facts=cause.facts, exc_info=error)
        with single_metric(
            name="Errors", unit=MetricUnit.Count, value=1, namespace=self._metrics.namespace
        ) as metric:
            metric.add_dimension(name="service", value=str(self._metrics.service))
            metric.add_dimension(name="code", value=cause.code)
        return self._response(error_reply(cause, request.request_id), request)

    def _answer_other_routes(self, _: Exception) -> "Response[bytes | str]":
        """Answer what no route takes: a preflight, another method, or nothing at this path.

        :raises NotFound: nothing at this path.
        :raises MethodNotAllowed: the path has other methods.
        """
        request = self._request()
        path = request.path.rstrip("/")
        allowed = [endpoint.method for endpoint in self.endpoints if endpoint.path == path]
        if not allowed:
            raise NotFound
        allow = ", ".join([*allowed, "OPTIONS"])
        if request.method != "OPTIONS":
            raise MethodNotAllowed(allow=allow)
        preflight = {
            "Access-Control-Allow-Methods": allow,
            "Access-Control-Allow-Headers": "Accept, Content-Type, X-Api-Key",
            "Access-Control-Max-Age": "3600",
        }
        return self._response(Reply(status=204, headers=preflight), request)

    def _remove_background(self, request: Request) -> Reply:
        body = parse_body(request.headers.get("content-type", ""), request.body())
        sources, fields = split_sources(body, request.query)
        options, ignored = parse_options(fields)
        if options.response is Delivery.URL:
            self._storage()
        source = only_source(sources)
        wants_mask = source.name == "image"
        if wants_mask:
            options = replace(options, channels=Channels.ALPHA)
        image = self._image_of(source)
        left_ms = self._router.lambda_context.get_remaining_time_in_millis()
        result = self._remover.remove(image, options, budget_ms=left_ms - _DEADLINE_RESERVE_MS)
        self._measure(result)
        wants_json = wants_mask or request.wants_json()
        if options.response is not Delivery.URL:
            try:
                if wants_mask:
                    return mask_reply(result, ignored)
                if wants_json:
                    return document_reply(result, ignored, request.request_id)
                return image_reply(result, options, ignored)
            except ResultTooLarge:
                if self._transfer is None or options.response is Delivery.INLINE:
                    raise
        content = Content(
            body=result.file.body,
            media_type=result.file.media_type,
            disposition=disposition(result, options),
        )
        link = self._storage().keep(content, file_name(result, options))
        redirects = options.response is Delivery.AUTO and not wants_json
        return link_reply(result, link, ignored, request.request_id, redirects=redirects)

    def _make_upload(self, request: Request) -> Reply:
        transfer = self._storage()
        data = request.body()
        body = parse_body(request.headers.get("content-type", ""), data) if data else Body()
        if body.raw is not None:
            raise UnsupportedUploadRequest
        media_type, ignored = media_type_in((*body.fields, *request.query))
        upload = transfer.offer(media_type)
        max_bytes = self._settings.max_object_bytes
        return upload_reply(upload, max_bytes, ignored, request.request_id)

    def _storage(self) -> Transfer:
        """Return the way through the buckets.

        :raises StorageDisabled: there are none.
        """
        if self._transfer is None:
            raise StorageDisabled
        return self._transfer

    def _show_account(self, request: Request) -> Reply:
        return json_reply(
            {
                "status": "ok",
                "api_key": {
                    "valid": True,
                    "fingerprint": _sha256(request.headers.get("x-api-key", ""))[:8],
                },
                "account": {"plan": "self-hosted"},
                "limits": {
                    "max_pixels": self._settings.max_pixels,
                    "max_request_bytes": MAX_REQUEST_BYTES,
                    "max_upload_bytes": self._settings.max_object_bytes if self._transfer else 0,
                    "formats_in": FORMATS_IN,
                    "formats_out": [name.value for name in Format if name is not Format.AUTO],
                },
            }
        )

    def _show_health(self, request: Request) -> Reply:
        if str(dict(request.query).get("deep")).lower() in {"1", "true", "yes"}:
            self._remover.check()
        return json_reply({"status": "ok", "request_id": request.request_id})

    def _image_of(self, source: Source) -> bytes:
        """Return the source's bytes.

        :raises InvalidBase64: a field is not base64.
        :raises ImageUrlDisabled: no deployment fetches URLs yet.
        :raises StorageDisabled: a key, and no bucket.
        :raises InvalidImageKey: a key of no upload.
        :raises ObjectTooLarge: the upload is larger than the deployment reads.
        """
        if isinstance(source.value, bytes):
            return source.value
        if source.name == "image_url":
            raise ImageUrlDisabled
        if source.name == "image_key":
            return self._storage().fetch(source.value)
        return decode_base64(source.name, source.value)

    def _measure(self, result: Result) -> None:
        for stage, elapsed_ms in result.report.stage_ms.items():
            self._metrics.add_metric(
                name=f"{stage.capitalize()}Time", unit=MetricUnit.Milliseconds, value=elapsed_ms
            )
        self._metrics.add_metric(name="Pixels", unit=MetricUnit.Count, value=result.report.photo_px)


def _check_key(request: Request, settings: Settings) -> None:
    """Let a request pass whose key is accepted, or was checked by the gateway.

    :raises InvalidApiKey: otherwise; with no accepted keys, always.
    """
    if request.from_rest_api and settings.keys_checked_by is KeyCheck.GATEWAY:
        return
    digest = _sha256(request.headers.get("x-api-key", ""))
    # Every accepted key is compared, so that the time does not tell which one came close.
    matches = [hmac.compare_digest(digest, accepted) for accepted in settings.api_key_hashes]
    if not any(matches):
        raise InvalidApiKey


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
