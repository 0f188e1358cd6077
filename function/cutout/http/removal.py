"""``POST /v2``: one image in, its cutout out.

The order of the checks is the contract's: body size, body, every option, the number of sources, the
source itself, and only then the image.
"""

from collections.abc import Callable
from dataclasses import replace

from cutout.errors import ImageUrlDisabled, ResultTooLarge, StorageDisabled
from cutout.http.body import parse_body
from cutout.http.large_images import Transfer
from cutout.http.reply import (
    Reply,
    disposition,
    document_reply,
    file_name,
    image_reply,
    link_reply,
    mask_reply,
)
from cutout.http.request import Request
from cutout.http.source import Source, image_bytes, only_source, split_sources
from cutout.options import Channels, Delivery, parse_options
from cutout.remover import Remover, Report
from cutout.settings import Settings
from cutout.store import Content

UPLOAD_INSTEAD = "For larger images get an upload from POST /v2/uploads and send its image_key."
"""What a refused body is told where the deployment has a bucket."""

DEADLINE_RESERVE_MS = 1_500  # for the reply, and for a stage that takes longer than hoped


class Removal:
    """Answers ``POST /v2`` with the parts of one deployment."""

    def __init__(
        self,
        *,
        remover: Remover,
        settings: Settings,
        transfer: Transfer | None,
        record: Callable[[Report], None],
    ) -> None:
        """Keep the parts; ``record`` is told the report of each removal."""
        self._remover = remover
        self._settings = settings
        self._transfer = transfer
        self._record = record

    def reply_to(self, request: Request) -> Reply:
        """Return the cutout of the request's image, or the link to it.

        :raises CutoutError: the request or the image is refused, or something fails on our side.
        """
        has_storage = self._transfer is not None
        content = request.content(instead=UPLOAD_INSTEAD if has_storage else "Send a smaller one.")
        body = parse_body(request.headers.get("content-type", ""), content)
        sources, fields = split_sources(body, request.query)
        options, ignored = parse_options(fields)
        if options.response is Delivery.URL:
            self._storage()
        source = only_source(sources, fields, accepted=_accepted_sources(has_storage=has_storage))
        wants_mask = source.name == "image"
        if wants_mask:
            options = replace(options, channels=Channels.ALPHA)
        image = self._image_of(source)
        budget_ms = request.left_ms() - DEADLINE_RESERVE_MS
        result = self._remover.remove(image, options, budget_ms=budget_ms)
        self._record(result.report)
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
        stored = Content(
            body=result.file.body,
            media_type=result.file.media_type,
            disposition=disposition(result, options),
        )
        link = self._storage().keep(stored, file_name(result, options))
        redirects = options.response is Delivery.AUTO and not wants_json
        return link_reply(result, link, ignored, request.request_id, redirects=redirects)

    def _storage(self) -> Transfer:
        """Return the way through the buckets.

        :raises StorageDisabled: there are none.
        """
        if self._transfer is None:
            raise StorageDisabled
        return self._transfer

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
        return image_bytes(source)


def _accepted_sources(*, has_storage: bool) -> str:
    """Return the ways to send an image to this deployment, for a message."""
    fields = "image_base64 or image_key" if has_storage else "image_base64"
    return (
        f"image_file (multipart/form-data), {fields} (JSON or form fields), or the image's bytes as"
        " the body"
    )
