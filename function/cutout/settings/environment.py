"""The environment → :class:`Settings`. Every variable has a default."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from cutout.errors import CutoutError, InvalidSettings
from cutout.options import MODEL_NAME, Delivery, parse_object_options
from cutout.settings.values import INCOMING_PREFIX, RESULTS_PREFIX, KeyCheck, Settings

# The template's rules and policies contain the prefixes, and these signs need no escape there.
_PREFIX = re.compile(r"([A-Za-z0-9_.-]+/)+")
_MAX_PREFIX_BYTES = 100
_MAX_LABEL = 100  # characters: clients show it on one line
# S3's oldest names have capitals, and so have SAM's placeholders for buckets in a local run.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
# Browsers compare an origin letter by letter with what they send, which is ASCII in lower case, and
# they know no wildcard beside the one for all origins.
_ORIGIN = re.compile(r"\*|https?://[a-z0-9._:\[\]-]+")

_FORMS = {
    "API_KEYS_PARAMETER": (r"[A-Za-z0-9_./:-]+", "the name of an SSM parameter"),
    "FETCH_IMAGE_URLS": (r"(?i)true|false", "true or false"),
    "HASH_LOGGED_KEYS": (r"(?i)true|false", "true or false"),
    # The names of Python's levels; the short and the old ones are accepted, too.
    "POWERTOOLS_LOG_LEVEL": (
        r"(?i)notset|debug|info|warn(ing)?|error|critical|fatal",
        "DEBUG, INFO, WARNING, ERROR or CRITICAL",
    ),
    "SHOW_PAGES": (r"(?i)true|false", "true or false"),
}

# How Lambda starts the process. Other values are those of SnapStart and of provisioned concurrency.
_START, _BY_A_REQUEST = "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"

# A whole removal to avif, the format that needs most, was measured to hold at most 466 MB at 12 MP
# and 1,476 MB at 50 MP, which is 147 MB and 26.6 bytes for each pixel. The other libraries of the
# function are added. Each further model stays in memory once it was asked for; U2-Net-p, the
# smallest public one, was measured to hold 289 MiB.
_BYTES_PER_PIXEL = 27
_BYTES_BESIDE_PIXELS = 250_000_000
_BYTES_PER_FURTHER_MODEL = 304_000_000
_LEAST_MAX_PIXELS = 1_000_000


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in ``environment``; an empty variable counts as not set.

    :raises InvalidSettings: naming every wrong variable at once.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    default = Settings()
    problems: list[str] = []

    model_names = _model_names(given)
    if not all(re.fullmatch(MODEL_NAME, name) for name in model_names):
        problems.append(
            "MODEL_NAME must be names of folders, of at most 64 characters, with commas between"
        )

    max_pixels = given.get("MAX_PIXELS", str(default.max_pixels))
    if not re.fullmatch(r"[1-9][0-9]{0,9}", max_pixels):
        problems.append("MAX_PIXELS must be a positive integer")

    allowed_origin = given.get("ALLOWED_ORIGIN", default.allowed_origin).lower()
    if not _ORIGIN.fullmatch(allowed_origin):
        problems.append("ALLOWED_ORIGIN must be * or one origin such as https://shop.example")

    default_response = given.get("DEFAULT_RESPONSE", default.default_response).lower()
    if default_response not in set(Delivery):
        problems.append("DEFAULT_RESPONSE must be one of " + ", ".join(Delivery))

    account_label = given.get("ACCOUNT_LABEL", default.account_label)
    if len(account_label) > _MAX_LABEL or not account_label.isprintable():
        problems.append(f"ACCOUNT_LABEL must be at most {_MAX_LABEL} printable characters")

    keys_checked_by = given.get("KEYS_CHECKED_BY", KeyCheck.FUNCTION).lower()
    if keys_checked_by not in set(KeyCheck):
        problems.append("KEYS_CHECKED_BY must be function or gateway")

    hashes = frozenset(given.get("API_KEY_HASHES", "").lower().replace(",", " ").split())
    if not all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in hashes):
        problems.append("API_KEY_HASHES must be SHA-256 hex digests, with commas between them")

    problems += [
        f"{name} must be {what}"
        for name, (form, what) in _FORMS.items()
        if name in given and not re.fullmatch(form, given[name])
    ]
    problems += _storage_problems(given)
    if problems:
        raise InvalidSettings(problems="; ".join(problems))
    memory_pixels = _memory_pixels(given, models=len(model_names))
    return Settings(
        model_dir=Path(given["MODEL_DIR"]) if "MODEL_DIR" in given else None,
        model_names=model_names,
        max_pixels=min(int(max_pixels), memory_pixels or int(max_pixels)),
        memory_pixels=memory_pixels,
        allowed_origin=allowed_origin,
        default_response=Delivery(default_response),
        account_label=account_label,
        fetch_urls=given.get("FETCH_IMAGE_URLS", "false").lower() == "true",
        show_pages=given.get("SHOW_PAGES", "true").lower() == "true",
        keys_checked_by=KeyCheck(keys_checked_by),
        api_key_hashes=hashes,
        api_keys_parameter=given.get("API_KEYS_PARAMETER", default.api_keys_parameter),
        input_bucket=given.get("INPUT_BUCKET", default.input_bucket),
        result_bucket=given.get("RESULT_BUCKET", default.result_bucket),
        upload_prefix=given.get("UPLOAD_PREFIX", default.upload_prefix),
        target_prefix=given.get("TARGET_PREFIX", default.target_prefix),
        catalogue_buckets=_names(given.get("CATALOGUE_BUCKETS", "")),
        max_object_bytes=int(given.get("MAX_OBJECT_BYTES", default.max_object_bytes)),
        result_url_seconds=int(given.get("RESULT_URL_SECONDS", default.result_url_seconds)),
        default_options=tuple(parse_qsl(given.get("DEFAULT_OPTIONS", ""), keep_blank_values=True)),
        hash_logged_keys=given.get("HASH_LOGGED_KEYS", "false").lower() == "true",
        starts_ahead=given.get(_START, _BY_A_REQUEST) != _BY_A_REQUEST,
        handler=given.get("_HANDLER", default.handler),
        service=given.get("POWERTOOLS_SERVICE_NAME", default.service),
        metrics_namespace=given.get("POWERTOOLS_METRICS_NAMESPACE", default.metrics_namespace),
        log_level=given.get("POWERTOOLS_LOG_LEVEL", default.log_level).upper(),
    )


def _memory_pixels(given: Mapping[str, str], *, models: int) -> int | None:
    """Return how many pixels fit beside the models into the function's memory, if it is known."""
    memory_mb = given.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if not re.fullmatch(r"[1-9][0-9]{0,5}", memory_mb):
        return None
    beside = _BYTES_BESIDE_PIXELS + (models - 1) * _BYTES_PER_FURTHER_MODEL
    fitting = ((int(memory_mb) << 20) - beside) // _BYTES_PER_PIXEL
    return max(_LEAST_MAX_PIXELS, fitting)


def _names(text: str) -> frozenset[str]:
    """Return the names in a list with commas or spaces between them."""
    return frozenset(text.replace(",", " ").split())


def _model_names(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the models in their order, each once."""
    names = given.get("MODEL_NAME", "").replace(",", " ").split()
    return tuple(dict.fromkeys(names)) or Settings().model_names


def _storage_problems(given: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the variables of S3."""
    default = Settings()
    problems = [
        f"{name} must be a bucket's name"
        for name in ("INPUT_BUCKET", "RESULT_BUCKET")
        if name in given and not _BUCKET.fullmatch(given[name])
    ]
    if not all(_BUCKET.fullmatch(name) for name in _names(given.get("CATALOGUE_BUCKETS", ""))):
        problems.append("CATALOGUE_BUCKETS must be names of buckets with commas between them")

    upload = given.get("UPLOAD_PREFIX", default.upload_prefix)
    target = given.get("TARGET_PREFIX", default.target_prefix)
    reserved = {
        "UPLOAD_PREFIX": (upload, INCOMING_PREFIX),
        "TARGET_PREFIX": (target, RESULTS_PREFIX),
    }
    problems += [
        f"{name} must be folders such as {getattr(default, name.lower())}, of at most "
        f"{_MAX_PREFIX_BYTES} bytes, outside {other}"
        for name, (prefix, other) in reserved.items()
        if len(prefix) > _MAX_PREFIX_BYTES or not _PREFIX.fullmatch(prefix) or _meet(prefix, other)
    ]
    one_bucket = "INPUT_BUCKET" in given and given["INPUT_BUCKET"] == given.get("RESULT_BUCKET")
    if one_bucket and (_meet(upload, target) or _meet(upload, RESULTS_PREFIX)):
        problems.append("UPLOAD_PREFIX must lie apart from what is written to the same bucket")

    if given.get("DEFAULT_RESPONSE", "").lower() == Delivery.URL and not (
        "INPUT_BUCKET" in given and "RESULT_BUCKET" in given
    ):
        problems.append("DEFAULT_RESPONSE=url needs INPUT_BUCKET and RESULT_BUCKET")

    # The longest life of a SigV4 URL is a week.
    for name, longest in {"MAX_OBJECT_BYTES": 9_999_999_999, "RESULT_URL_SECONDS": 604_800}.items():
        if not re.fullmatch(r"[1-9][0-9]{0,9}", given.get(name, "1")) or (
            int(given.get(name, "1")) > longest
        ):
            problems.append(f"{name} must be an integer from 1 to {longest}")
    if problem := _options_problem(given.get("DEFAULT_OPTIONS", ""), _model_names(given)):
        problems.append(f"DEFAULT_OPTIONS: {problem}")
    return problems


def _meet(one: str, other: str) -> bool:
    """Tell whether a key can be under both prefixes."""
    return one.startswith(other) or other.startswith(one)


def _options_problem(query: str, models: tuple[str, ...]) -> str:
    """Return what is wrong with options in the form of a query string; empty if nothing is."""
    try:
        fields = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        _, unknown = parse_object_options(fields, models)
    except CutoutError as error:
        return str(error)
    except ValueError:
        return "must be options such as format=webp&bg_color=white"
    return f"there is no option {unknown[0]}" if unknown else ""
