"""``POST /v1.0/removebg``: an image in, its cutout out, as remove.bg answers."""

from dataclasses import replace

from cutout.errors import CutoutError
from cutout.http.body import parse_body
from cutout.http.removal import Removal
from cutout.http.removebg.options import read_options
from cutout.http.removebg.replies import charges, document_reply
from cutout.http.reply import Reply, image_reply
from cutout.http.request import Request
from cutout.http.source import SourceNames, only_source, split_sources
from cutout.remover import Remover

_SOURCES = SourceNames(base64="image_file_b64", skips_empty_files=True)


def removebg_reply(removal: Removal, request: Request) -> Reply:
    """Return the cutout of the request's image, which ``removal`` makes, as remove.bg does.

    :raises CutoutError: the request or the image is refused, or something fails on our side.
    """
    content = request.content(instead="Send a smaller image.")
    body = parse_body(request.headers.get("content-type", ""), content)
    sources, fields = split_sources(body, request.query, _SOURCES)
    options, ignored = read_options(
        fields, models=removal.models, fetches_urls=removal.fetches_urls
    )
    Remover.check_background(options)
    accepted = "image_file (multipart/form-data) or image_file_b64"
    if removal.fetches_urls:
        accepted = "image_file (multipart/form-data), image_file_b64 or image_url"
    source = only_source(sources, fields, body=body, accepted=accepted, names=_SOURCES)
    result = removal.result_of(source, options, request)
    if request.wants_json():
        reply = document_reply(result, ignored)
    else:
        reply = image_reply(result, options, ignored)
    return replace(reply, headers={**reply.headers, "X-Type": "other", **charges()})


def key_sent(request: Request) -> str:
    """Return the key of a request, empty without one.

    It is in the header ``x-api-key``, in ``Authorization: Bearer``, or in the field ``api_key``.
    """
    if key := request.headers.get("x-api-key"):
        return key
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        content = request.content(instead="")
        body = parse_body(request.headers.get("content-type", ""), content)
    except CutoutError:  # a body that cannot be read holds no key
        return ""
    keys = [value for name, value in body.fields if name.lower() == "api_key" and value]
    return keys[0] if len(keys) == 1 and isinstance(keys[0], str) else ""
