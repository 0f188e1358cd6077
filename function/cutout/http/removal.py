"""``POST /v2``: one image in, its cutout out.

The order of the checks is the contract's: body size, body, every option, the number of sources, the
source itself, and only then the image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cutout.deadline import interruptible
from cutout.errors import ResultTooLarge, StorageDisabled
from cutout.http.body import BodyKind, parse_body
from cutout.http.fetch import Fetcher
from cutout.http.images import Images
from cutout.http.large_images import Transfer
from cutout.http.reply import (
    MAX_RESULT_BYTES,
    Reply,
    disposition,
    document_reply,
    file_name,
    image_reply,
    link_reply,
    mask_reply,
)
from cutout.http.request import Request
from cutout.http.source import Source, accepted_sources, only_source, split_sources
from cutout.options import Channels, Delivery, Format, Options, parse_options
from cutout.remover import Remover, Result
from cutout.settings import Settings
from cutout.store import Content

UPLOAD_INSTEAD = "For larger images get an upload from POST /v2/uploads and send its image_key."
"""What a refused body is told where the deployment has a bucket."""

DEADLINE_RESERVE_MS = 1_500  # for the reply, and for a stage that takes longer than hoped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a request asks for besides the image; ``ignored`` are fields that mean nothing."""

    options: Options
    ignored: Sequence[str]
    request_id: str
    wants_mask: bool
    wants_json: bool


class Removal:
    """Answers ``POST /v2`` with the parts of one deployment."""

    def __init__(
        self,
        *,
        remover: Remover,
        settings: Settings,
        transfer: Transfer | None,
        record: Callable[[Result], None],
        fetcher: Fetcher | None = None,
    ) -> None:
        """Keep the parts; ``record`` is told of every result.

        ``models`` and ``fetches_urls`` say which models a request can name, and whether it can give
        an image as a URL.
        """
        self._images = Images(
            fetcher=(fetcher or Fetcher()) if settings.fetch_urls else None,
            transfer=transfer,
            max_fetched_bytes=settings.max_object_bytes,
        )
        self._remover = remover
        self._defaults = Options(response=settings.default_response)
        self.models = settings.model_names
        self.fetches_urls = settings.fetch_urls
        self._transfer = transfer
        self._record = record

    def reply_to(self, request: Request) -> Reply:
        """Return the cutout of the request's image, or the link to it.

        :raises CutoutError: the request or the image is refused, or something fails on our side.
        """
        has_storage = self._transfer is not None
        content = request.content(
            instead=UPLOAD_INSTEAD if has_storage else "Send a smaller image."
        )
        body = parse_body(request.headers.get("content-type", ""), content)
        sources, fields = split_sources(body, request.query)
        options, ignored = parse_options(
            fields, self._defaults, models=self.models, fetches_urls=self.fetches_urls
        )
        if options.response is Delivery.URL:
            self._storage()
        Remover.check_background(options)
        accepted = accepted_sources(has_storage=has_storage, fetches_urls=self.fetches_urls)
        source = only_source(sources, fields, body=body, accepted=accepted)
        is_legacy = source.name == "image"
        if is_legacy:
            options = replace(options, channels=Channels.ALPHA)
        is_json_mask = (
            body.kind is BodyKind.JSON
            and options.channels is Channels.ALPHA
            and not request.names_image()
        )
        asked = _Asked(
            options=options,
            ignored=ignored,
            request_id=request.request_id,
            wants_mask=is_legacy or is_json_mask,
            wants_json=request.wants_json(),
        )
        return self._delivered(self.result_of(source, options, request), asked)

    def result_of(self, source: Source, options: Options, request: Request) -> Result:
        """Return the cutout of the source's image, made within the time that the request has.

        :raises CutoutError: the image is refused, or something fails on our side.
        """
        held = [self._images.of(source, left_ms=_budget_ms(request))]
        background = self._images.fetched_background(options, left_ms=_budget_ms(request))
        result = interruptible(
            lambda: self._remover.remove(
                held.pop,  # so that nothing here holds the photo's bytes
                options,
                background=background,
                budget_ms=_budget_ms(request),  # once it begins, which others can delay
                max_bytes=MAX_RESULT_BYTES if options.response is Delivery.FIT else None,
            )
        )
        self._record(result)
        return result

    def _delivered(self, result: Result, asked: _Asked) -> Reply:
        """Return the result, or the link to it, as the caller asked for it.

        :raises ResultTooLarge: a reply cannot carry it, and it cannot be stored.
        :raises StorageFailed: it cannot be stored.
        """
        way = asked.options.response
        size = len(result.file.body)
        if way is Delivery.URL or (
            way is Delivery.AUTO and size > MAX_RESULT_BYTES and self._transfer is not None
        ):
            return self._stored(result, asked)
        if size > MAX_RESULT_BYTES:
            help_with = _smaller(asked.options, has_storage=self._transfer is not None)
            raise ResultTooLarge(size=size, max_bytes=MAX_RESULT_BYTES, help_with=help_with)
        if asked.wants_mask:
            return mask_reply(result, asked.ignored)
        if asked.wants_json:
            return document_reply(result, asked.ignored, asked.request_id)
        return image_reply(result, asked.options, asked.ignored)

    def _stored(self, result: Result, asked: _Asked) -> Reply:
        """Store the result and return the link to it.

        :raises StorageFailed: it cannot be stored.
        """
        content = Content(
            body=result.file.body,
            media_type=result.file.media_type,
            disposition=disposition(result, asked.options),
        )
        link = self._storage().keep(content, file_name(result, asked.options))
        wants_json = asked.wants_json or asked.wants_mask or asked.options.response is Delivery.URL
        return link_reply(result, link, asked.ignored, asked.request_id, redirects=not wants_json)

    def _storage(self) -> Transfer:
        """Return the way through the buckets.

        :raises StorageDisabled: the deployment has no buckets.
        """
        if self._transfer is None:
            raise StorageDisabled
        return self._transfer


def _budget_ms(request: Request) -> int:
    """Return the time that is left for the work itself, in ms, without that for the reply."""
    return request.left_ms() - DEADLINE_RESERVE_MS


def _smaller(options: Options, *, has_storage: bool) -> str:
    """Return what a caller can do about a result that is too large, for a message."""
    is_matte = options.channels is Channels.ALPHA  # a PNG whatever the format is
    ways = [] if is_matte or options.format is Format.WEBP else ["format=webp"]
    ways += ["a smaller size (size=hd or size=medium)", "response=fit"]
    ways += ["response=url"] if has_storage else []
    return ", ".join(ways[:-1]) + " or " + ways[-1]
