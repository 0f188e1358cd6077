"""The environment → :class:`Settings`. The only reader of the environment; each has a default."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cutout.errors import InvalidSettings


class KeyCheck(StrEnum):
    """Who checks ``x-api-key`` before a REST (1.0) event arrives here."""

    FUNCTION = "function"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One deployment.

    ``model_dir`` holds a folder per model (``None``: the places where deployments put it);
    ``api_key_hashes`` are lower-case SHA-256 hex digests of the accepted keys.
    """

    model_dir: Path | None = None
    model_name: str = "erase-s"
    max_pixels: int = 50_000_000
    allowed_origin: str = "*"
    keys_checked_by: KeyCheck = KeyCheck.FUNCTION
    api_key_hashes: frozenset[str] = frozenset()
    service: str = "cutout"
    metrics_namespace: str = "Cutout"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in ``environment``; an empty variable counts as not set.

    :raises InvalidSettings: naming every wrong variable at once.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    default = Settings()
    problems: list[str] = []

    model_name = given.get("MODEL_NAME", default.model_name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", model_name):
        problems.append("MODEL_NAME must be a folder's name")

    max_pixels = given.get("MAX_PIXELS", str(default.max_pixels))
    if not re.fullmatch(r"[1-9][0-9]{0,9}", max_pixels):
        problems.append("MAX_PIXELS must be a positive integer")

    allowed_origin = given.get("ALLOWED_ORIGIN", default.allowed_origin)
    if not re.fullmatch(r"\*|https?://[^\s/,]+", allowed_origin):
        problems.append("ALLOWED_ORIGIN must be * or one origin such as https://shop.example")

    keys_checked_by = given.get("KEYS_CHECKED_BY", KeyCheck.FUNCTION).lower()
    if keys_checked_by not in set(KeyCheck):
        problems.append("KEYS_CHECKED_BY must be function or gateway")

    hashes = frozenset(given.get("API_KEY_HASHES", "").lower().replace(",", " ").split())
    if not all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in hashes):
        problems.append("API_KEY_HASHES must be SHA-256 hex digests, with commas between them")

    if problems:
        raise InvalidSettings(problems="; ".join(problems))
    return Settings(
        model_dir=Path(given["MODEL_DIR"]) if "MODEL_DIR" in given else None,
        model_name=model_name,
        max_pixels=int(max_pixels),
        allowed_origin=allowed_origin,
        keys_checked_by=KeyCheck(keys_checked_by),
        api_key_hashes=hashes,
        service=given.get("POWERTOOLS_SERVICE_NAME", default.service),
        metrics_namespace=given.get("POWERTOOLS_METRICS_NAMESPACE", default.metrics_namespace),
    )
