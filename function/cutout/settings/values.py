"""The settings of one deployment, typed: what every part of it works with."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cutout.options import Delivery

INCOMING_PREFIX = "incoming/"
"""Where in the input bucket ``POST /v2/uploads`` takes images; they start nothing by themselves."""

RESULTS_PREFIX = "results/"
"""Where in the result bucket the API puts what does not go into a reply."""


class KeyCheck(StrEnum):
    """Who checks ``x-api-key`` before a REST (1.0) event arrives here."""

    FUNCTION = "function"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One deployment.

    ``model_dir`` holds a folder per model (``None``: the places where deployments put it), and
    ``model_names`` are the folders of those that a request may choose, the default first.
    ``max_pixels`` is the smaller of what was asked for and ``memory_pixels``, which is what fits
    into the function's memory; ``None`` where that is not known.

    Pages of ``allowed_origin`` may call the API (CORS). ``default_response`` is what a request gets
    that does not say how its result shall travel, and ``account_label`` the name under which
    ``GET /v2/account`` shows the deployment. With ``fetch_urls`` an image can be given as a URL,
    which the function then fetches. ``show_pages`` is whether the API has its two pages for people,
    ``/`` and ``/docs``. ``api_key_hashes`` are lower-case SHA-256 hex digests of the accepted keys,
    and ``api_keys_parameter`` names an SSM parameter that holds more of them.

    Without both buckets there is no storage. An upload, under ``upload_prefix`` in the input
    bucket, gets its result under ``target_prefix`` in the other; batch jobs can name objects of
    ``catalogue_buckets`` too. ``max_object_bytes`` is the most that is read from a bucket or a URL.
    The URL of a result lives for ``result_url_seconds``. ``default_options`` are wire fields that
    every S3 object gets unless it says otherwise. With ``hash_logged_keys`` the logs hold digests
    of S3 keys instead of the keys, which may contain the names of persons.

    With ``starts_ahead`` the process starts before there is a request, so that no request waits for
    what it does at the start; ``handler`` is what Lambda starts it for, such as
    ``app.http_handler``, and empty elsewhere.
    """

    model_dir: Path | None = None
    model_names: tuple[str, ...] = ("erase-s",)
    max_pixels: int = 50_000_000
    memory_pixels: int | None = None
    allowed_origin: str = "*"
    default_response: Delivery = Delivery.AUTO
    account_label: str = ""
    fetch_urls: bool = False
    show_pages: bool = True
    keys_checked_by: KeyCheck = KeyCheck.FUNCTION
    api_key_hashes: frozenset[str] = frozenset()
    api_keys_parameter: str = ""
    input_bucket: str = ""
    result_bucket: str = ""
    upload_prefix: str = "uploads/"
    target_prefix: str = "cutouts/"
    catalogue_buckets: frozenset[str] = frozenset()
    max_object_bytes: int = 64_000_000
    result_url_seconds: int = 3_600
    default_options: tuple[tuple[str, str], ...] = ()
    hash_logged_keys: bool = False
    starts_ahead: bool = False
    handler: str = ""
    service: str = "cutout"
    metrics_namespace: str = "Cutout"
    log_level: str = "INFO"

    @property
    def has_storage(self) -> bool:
        """Whether the deployment has its two buckets."""
        return bool(self.input_bucket and self.result_bucket)

    def is_upload(self, bucket: str, key: str) -> bool:
        """Whether an object is an upload, which the S3 worker cuts out."""
        return bucket == self.input_bucket and key.startswith(self.upload_prefix)
