"""The environment → :class:`Settings`. Every variable has a default."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cutout.errors import CutoutError, InvalidSettings
from cutout.options import Delivery, parse_object_options
from cutout.settings import readers
from cutout.settings.powertools import wrong_variables
from cutout.settings.values import INCOMING_PREFIX, RESULTS_PREFIX, KeyCheck, Settings

_MOST = 9_999_999_999  # ten digits
_WEEK_S = 604_800  # the longest life of a SigV4 URL

# S3's oldest names have capitals, and so have SAM's placeholders for buckets in a local run.
_BUCKET = r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]"
# Browsers compare an origin letter by letter with what they send, which is ASCII in lower case, and
# they know no wildcard beside the one for all origins.
_ORIGIN = r"\*|https?://[a-z0-9._:\[\]-]+"
# The names of Python's levels; the short and the old ones are accepted, too.
_LEVEL = r"NOTSET|DEBUG|INFO|WARN(ING)?|ERROR|CRITICAL|FATAL"

# How Lambda starts the process. Other values are those of SnapStart and of provisioned concurrency.
_BY_A_REQUEST = "on-demand"

# Whole removals to avif, the format that needs most, were measured to hold up to 440 MB at 12 MP
# and 1,394 MB at 50 MP, whatever is behind the subject. That is 139 MB and 25.1 bytes for each
# pixel. Pure noise took up to 1,603 MB at 50 MP. The other libraries of the function are added.
# Each further model stays in memory once it was asked for; U2-Net-p, the smallest public one, was
# measured to hold 289 MiB.
_BYTES_PER_PIXEL = 27
_BYTES_BESIDE_PIXELS = 250_000_000
_BYTES_PER_FURTHER_MODEL = 304_000_000
_LEAST_MAX_PIXELS = 1_000_000


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in ``environment``; an empty variable counts as not set.

    :raises InvalidSettings: naming every wrong variable at once.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    values: dict[str, Any] = {}
    problems: list[str] = []
    wrong: set[str] = set()
    for variable, row in _ROWS.items():
        if variable in given:
            try:
                values[row.field] = row.read(given[variable])
            except ValueError:
                wrong.add(variable)
                problems.append(f"{variable} must be {row.accepted}")
    settings = replace(Settings(), **values)
    problems += _problems(settings, wrong)
    problems += wrong_variables(environment)
    if problems:
        raise InvalidSettings(problems="; ".join(problems))
    fitting = _memory_pixels(given, models=len(settings.model_names))
    if fitting is None:
        return settings
    return replace(settings, memory_pixels=fitting, max_pixels=min(settings.max_pixels, fitting))


def _problems(settings: Settings, wrong: set[str]) -> Iterator[str]:
    """Yield what is wrong between settings; those of the ``wrong`` variables say nothing."""
    upload, target = settings.upload_prefix, settings.target_prefix
    is_one_bucket = settings.has_storage and settings.input_bucket == settings.result_bucket
    if is_one_bucket and (readers.meet(upload, target) or readers.meet(upload, RESULTS_PREFIX)):
        yield "UPLOAD_PREFIX must lie apart from what is written to the same bucket"
    lacks_storage = not settings.has_storage and not wrong & {"INPUT_BUCKET", "RESULT_BUCKET"}
    if settings.default_response is Delivery.URL and lacks_storage:
        yield "DEFAULT_RESPONSE=url needs INPUT_BUCKET and RESULT_BUCKET"
    models = () if "MODEL_NAME" in wrong else settings.model_names
    try:
        _, unknown = parse_object_options(settings.default_options, models)
    except CutoutError as error:
        yield f"DEFAULT_OPTIONS: {error}"
    else:
        if unknown:
            yield f"DEFAULT_OPTIONS: there is no option {unknown[0]}"


def _memory_pixels(given: Mapping[str, str], *, models: int) -> int | None:
    """Return how many pixels fit beside the models into the function's memory, if it is known."""
    memory_mb = given.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if not re.fullmatch(r"[1-9][0-9]{0,5}", memory_mb):
        return None
    beside = _BYTES_BESIDE_PIXELS + (models - 1) * _BYTES_PER_FURTHER_MODEL
    fitting = ((int(memory_mb) << 20) - beside) // _BYTES_PER_PIXEL
    return max(_LEAST_MAX_PIXELS, fitting)


class _Row(NamedTuple):
    """One variable: its field of ``Settings``, and the reader, which raises ``ValueError``.

    ``accepted`` is the end of the sentence that then says what the variable must be.
    """

    field: str
    read: Callable[[str], Any]
    accepted: str = ""


def _number(field: str, most: int) -> _Row:
    return _Row(field, readers.integer(most), f"an integer from 1 to {most}")


_TRUE_OR_FALSE = "true or false"
_FOLDERS = f"folders such as {{}}, of at most {readers.MAX_PREFIX_BYTES} bytes, outside {{}}"

_ROWS = {
    "MODEL_DIR": _Row("model_dir", Path),
    "MODEL_NAME": _Row(
        "model_names",
        readers.model_names,
        "names of folders, of at most 64 characters, with commas between",
    ),
    "MAX_PIXELS": _number("max_pixels", _MOST),
    "ALLOWED_ORIGIN": _Row(
        "allowed_origin",
        lambda text: readers.of_form(_ORIGIN)(text.lower()),
        "* or one origin such as https://shop.example",
    ),
    "DEFAULT_RESPONSE": _Row(
        "default_response", lambda text: Delivery(text.lower()), "one of " + ", ".join(Delivery)
    ),
    "ACCOUNT_LABEL": _Row(
        "account_label", readers.label, f"at most {readers.MAX_LABEL} printable characters"
    ),
    "FETCH_IMAGE_URLS": _Row("fetch_urls", readers.boolean, _TRUE_OR_FALSE),
    "KEYS_CHECKED_BY": _Row(
        "keys_checked_by", lambda text: KeyCheck(text.lower()), "function or gateway"
    ),
    "API_KEY_HASHES": _Row(
        "api_key_hashes",
        lambda text: frozenset(readers.names("[0-9a-f]{64}")(text.lower())),
        "SHA-256 hex digests, with commas between them",
    ),
    "API_KEYS_PARAMETER": _Row(
        "api_keys_parameter", readers.of_form("[A-Za-z0-9_./:-]+"), "the name of an SSM parameter"
    ),
    "INPUT_BUCKET": _Row("input_bucket", readers.of_form(_BUCKET), "a bucket's name"),
    "RESULT_BUCKET": _Row("result_bucket", readers.of_form(_BUCKET), "a bucket's name"),
    "UPLOAD_PREFIX": _Row(
        "upload_prefix",
        readers.prefix(INCOMING_PREFIX),
        _FOLDERS.format(Settings().upload_prefix, INCOMING_PREFIX),
    ),
    "TARGET_PREFIX": _Row(
        "target_prefix",
        readers.prefix(RESULTS_PREFIX),
        _FOLDERS.format(Settings().target_prefix, RESULTS_PREFIX),
    ),
    "CATALOGUE_BUCKETS": _Row(
        "catalogue_buckets",
        lambda text: frozenset(readers.names(_BUCKET)(text)),
        "names of buckets with commas between them",
    ),
    "MAX_OBJECT_BYTES": _number("max_object_bytes", _MOST),
    "RESULT_URL_SECONDS": _number("result_url_seconds", _WEEK_S),
    "DEFAULT_OPTIONS": _Row(
        "default_options",
        lambda text: tuple(parse_qsl(text, keep_blank_values=True, strict_parsing=True)),
        "options such as format=webp&bg_color=white",
    ),
    "HASH_LOGGED_KEYS": _Row("hash_logged_keys", readers.boolean, _TRUE_OR_FALSE),
    "AWS_LAMBDA_INITIALIZATION_TYPE": _Row("starts_ahead", lambda text: text != _BY_A_REQUEST),
    "_HANDLER": _Row("handler", str),
    "POWERTOOLS_SERVICE_NAME": _Row("service", str),
    "POWERTOOLS_METRICS_NAMESPACE": _Row("metrics_namespace", str),
    "POWERTOOLS_LOG_LEVEL": _Row(
        "log_level",
        lambda text: readers.of_form(_LEVEL)(text.upper()),
        "DEBUG, INFO, WARNING, ERROR or CRITICAL",
    ),
    "SHOW_PAGES": _Row("show_pages", readers.boolean, _TRUE_OR_FALSE),
}
