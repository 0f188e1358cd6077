"""Which requests the function answers: one row for each route, and what answers it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from cutout import __version__
from cutout.errors import (
    CutoutError,
    StorageDisabled,
    UnsupportedMediaType,
    UnsupportedUploadRequest,
    UnsupportedUploadType,
)
from cutout.http.body import Body, parse_body
from cutout.http.cacheable import Cacheable
from cutout.http.large_images import Transfer, media_type_in
from cutout.http.pages import PAGES
from cutout.http.removal import Removal
from cutout.http.removebg import key_sent, removebg_error_reply, removebg_reply, show_credits
from cutout.http.reply import Reply, error_reply, upload_reply
from cutout.http.request import Request
from cutout.http.service import Service
from cutout.options import Options
from cutout.settings import Settings

_BASE_PATHS = 4
"""How many OpenAPI documents are kept: one for each base path, as of a stage or a domain."""


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


def make_endpoints(
    *, removal: Removal, service: Service, transfer: Transfer | None, settings: Settings
) -> tuple[Endpoint, ...]:
    """Return the routes of a deployment with these parts; without ``transfer`` it has no bucket."""

    @lru_cache(maxsize=_BASE_PATHS)
    def document_at(base_path: str) -> Cacheable:
        return _document(base_path, rows, settings=settings, has_storage=transfer is not None)

    def show_document(request: Request) -> Reply:
        return document_at(request.base_path).reply_to(request, "application/json", {})

    keyless: dict[str, Callable[[Request], Reply]] = {
        "/v2/health": service.show_health,
        "/openapi.json": show_document,
    }
    if settings.show_pages:
        keyless |= {path: partial(service.show_page, path) for path in PAGES}
    removebg = partial(
        Endpoint, keyed=True, key_of=key_sent, refuse=removebg_error_reply, gateway_keys=False
    )
    make_upload = partial(_make_upload, transfer)
    rows = (
        Endpoint(method="POST", path="/v2", keyed=True, reply_to=removal.reply_to),
        Endpoint(method="POST", path="/v2/uploads", keyed=True, reply_to=make_upload),
        Endpoint(method="GET", path="/v2/account", keyed=True, reply_to=service.show_account),
        removebg(method="POST", path="/v1.0/removebg", reply_to=partial(removebg_reply, removal)),
        removebg(method="GET", path="/v1.0/account", reply_to=show_credits),
        # HEAD is answered as GET. API Gateway leaves out the body, and takes its length for the
        # header Content-Length, which a function cannot set.
        *(
            Endpoint(method=method, path=path, keyed=False, reply_to=reply_to)
            for path, reply_to in keyless.items()
            for method in ("GET", "HEAD")
        ),
    )
    return rows


def _make_upload(transfer: Transfer | None, request: Request) -> Reply:
    """Return the form with which a large image goes to S3.

    :raises StorageDisabled: the deployment has no bucket.
    :raises UnsupportedUploadRequest: the request brings the image itself.
    :raises UnsupportedUploadType: the type of its body is none that holds fields.
    """
    if transfer is None:
        raise StorageDisabled
    content = request.content(instead="Send only the field content_type, or no body.")
    try:
        body = parse_body(request.headers.get("content-type", ""), content) if content else Body()
    except UnsupportedMediaType:  # its message names the types of images
        raise UnsupportedUploadType from None
    if body.raw is not None:
        raise UnsupportedUploadRequest
    media_type, ignored = media_type_in((*body.fields, *request.query))
    return upload_reply(transfer.offer(media_type), ignored, request.request_id)


def _document(
    base_path: str, rows: Sequence[Endpoint], *, settings: Settings, has_storage: bool
) -> Cacheable:
    """Return the OpenAPI document of these routes, which begin at ``base_path``."""
    # A hundredth of a second that no start spends without being asked for the document.
    from cutout.http.openapi.document import document  # noqa: PLC0415
    from cutout.http.openapi.requests import Deployment  # noqa: PLC0415

    content = document(
        [(row.method, row.path, row.keyed) for row in rows],
        deployment=Deployment(
            defaults=Options(response=settings.default_response),
            has_storage=has_storage,
            fetches_urls=settings.fetch_urls,
            models=settings.model_names,
        ),
        version=__version__,
        base_path=base_path,
    )
    return Cacheable.of(json.dumps(content).encode())
