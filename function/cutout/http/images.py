"""A request's images → their bytes, from wherever they are: the request, a URL, or a bucket."""

from cutout.errors import (
    ImageUrlDisabled,
    ImageUrlFetchFailed,
    InvalidBackground,
    InvalidImageUrl,
    StorageDisabled,
)
from cutout.http.fetch import Fetcher
from cutout.http.large_images import Transfer, upload_key
from cutout.http.source import Source, image_bytes
from cutout.options import Channels, Options


class Images:
    """Brings the images of requests to one deployment."""

    def __init__(
        self, *, fetcher: Fetcher | None, transfer: Transfer | None, max_fetched_bytes: int
    ) -> None:
        """Fetch URLs with ``fetcher``, and uploads through ``transfer``, if the two exist."""
        self._fetcher = fetcher
        self._transfer = transfer
        self._max_fetched_bytes = max_fetched_bytes

    def of(self, source: Source, *, left_ms: int) -> bytes:
        """Return the source's bytes; ``left_ms`` is the time that they may take to fetch.

        :raises InvalidBase64: a field is not base64.
        :raises InvalidImage: text came where the image itself belongs.
        :raises ImageUrlDisabled: the source is a URL, and the deployment fetches none.
        :raises InvalidImageUrl: the URL is not one that is fetched.
        :raises ImageUrlFetchFailed: no image comes from the URL.
        :raises StorageDisabled: the source is a key, and the deployment has no bucket.
        :raises InvalidImageKey: the key is not that of an upload.
        :raises ObjectTooLarge: the upload is larger than the deployment reads.
        """
        given = source.value
        # Python's requests sends a text in files= as a file: files={"image_url": "https:…"}.
        if source.name in {"image_url", "image_key"} and isinstance(given, bytes):
            given = given.decode(errors="replace")
        if source.name == "image_url":
            if self._fetcher is None:
                raise ImageUrlDisabled
            max_bytes = self._max_fetched_bytes
            return self._fetcher.fetch(given, max_bytes=max_bytes, left_ms=left_ms)
        if source.name == "image_key":
            if self._transfer is None:
                raise StorageDisabled
            return self._transfer.fetch(upload_key(given))
        return image_bytes(source)

    def fetched_background(self, options: Options, *, left_ms: int) -> bytes | None:
        """Return the image at ``bg_image_url``, if it is needed and the deployment fetches URLs.

        :raises InvalidBackground: the URL is not one that is fetched, or no image comes from it.
        """
        url = options.bg_image_url
        if url is None or self._fetcher is None or options.channels is Channels.ALPHA:
            return None
        try:
            return self._fetcher.fetch(
                url, max_bytes=self._max_fetched_bytes, left_ms=left_ms, field="bg_image_url"
            )
        except (InvalidImageUrl, ImageUrlFetchFailed) as error:
            raise InvalidBackground(reason=str(error), accepted=error.detail) from error
