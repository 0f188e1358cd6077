"""The environment → settings: a default for all, and all faults named at once."""

from pathlib import Path

import pytest

from cutout.errors import InvalidSettings
from cutout.options import Delivery
from cutout.settings import KeyCheck, Settings, read_settings

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "environment",
    [{}, {"MAX_PIXELS": "", "API_KEY_HASHES": " ", "MODEL_DIR": "", "KEYS_CHECKED_BY": ""}],
)
def test_every_setting_has_a_default(environment: dict[str, str]) -> None:
    """A template's empty parameter is an empty variable: it counts as not set."""
    assert read_settings(environment) == Settings()


def test_all_settings() -> None:
    """Every variable, each in the form that a deployment gives."""
    other = DIGEST[::-1]
    assert read_settings(
        {
            "MODEL_DIR": "/opt/models",
            "MODEL_NAME": "u2netp, erase-s,u2netp",
            "MAX_PIXELS": "12000000",
            "ALLOWED_ORIGIN": "https://shop.example:8443",
            "DEFAULT_RESPONSE": "Fit",
            "ACCOUNT_LABEL": " photos@shop.example ",
            "FETCH_IMAGE_URLS": "True",
            "KEYS_CHECKED_BY": "Gateway",
            "API_KEY_HASHES": f"{DIGEST.upper()}, {other}",
            "API_KEYS_PARAMETER": "/cutout/shop/keys",
            "INPUT_BUCKET": "shop-uploads",
            "RESULT_BUCKET": "shop.results",
            "UPLOAD_PREFIX": "photos/new/",
            "TARGET_PREFIX": "photos/cut/",
            "CATALOGUE_BUCKETS": "catalogue-2025, catalogue-2026",
            "MAX_OBJECT_BYTES": "100000000",
            "RESULT_URL_SECONDS": "900",
            "DEFAULT_OPTIONS": "format=webp&bg_color=%23FFF&model=erase-s",
            "HASH_LOGGED_KEYS": "True",
            "SHOW_PAGES": "False",
            "POWERTOOLS_SERVICE_NAME": "shop",
            "POWERTOOLS_METRICS_NAMESPACE": "Shop",
            "POWERTOOLS_LOG_LEVEL": " warning ",
            "_HANDLER": "app.http_handler",
            "PATH": "/usr/bin",
        }
    ) == Settings(
        model_dir=Path("/opt/models"),
        model_names=("u2netp", "erase-s"),
        max_pixels=12_000_000,
        allowed_origin="https://shop.example:8443",
        default_response=Delivery.FIT,
        account_label="photos@shop.example",
        fetch_urls=True,
        handler="app.http_handler",
        keys_checked_by=KeyCheck.GATEWAY,
        api_key_hashes=frozenset({DIGEST, other}),
        api_keys_parameter="/cutout/shop/keys",
        input_bucket="shop-uploads",
        result_bucket="shop.results",
        upload_prefix="photos/new/",
        target_prefix="photos/cut/",
        catalogue_buckets=frozenset({"catalogue-2025", "catalogue-2026"}),
        max_object_bytes=100_000_000,
        result_url_seconds=900,
        default_options=(("format", "webp"), ("bg_color", "#FFF"), ("model", "erase-s")),
        hash_logged_keys=True,
        show_pages=False,
        service="shop",
        metrics_namespace="Shop",
        log_level="WARNING",
    )


@pytest.mark.parametrize(
    ("how", "ahead"),
    [
        ("on-demand", False),
        ("", False),
        ("snap-start", True),
        ("provisioned-concurrency", True),
        ("lambda-managed-instances", True),
    ],
)
def test_lambda_tells_whether_a_request_waits_for_the_start(how: str, ahead: bool) -> None:
    """It starts a process on demand for a request, and in all other ways before one."""
    assert read_settings({"AWS_LAMBDA_INITIALIZATION_TYPE": how}).starts_ahead is ahead
    assert read_settings({}).starts_ahead is False


def test_all_faults_are_named_at_once() -> None:
    """One deployment, one list: not five deployments for five faults."""
    with pytest.raises(InvalidSettings) as refusal:
        read_settings(
            {
                "MODEL_NAME": "../secrets",
                "MAX_PIXELS": "50MP",
                "ALLOWED_ORIGIN": "shop.example",
                "DEFAULT_RESPONSE": "redirect",
                "ACCOUNT_LABEL": "photos\nX-Evil: 1",
                "KEYS_CHECKED_BY": "nobody",
                "API_KEY_HASHES": "local",
                "API_KEYS_PARAMETER": "two words",
                "INPUT_BUCKET": "s3://uploads",
                "RESULT_BUCKET": "results/",
                "UPLOAD_PREFIX": "/uploads",
                "TARGET_PREFIX": "results/cutouts/",
                "CATALOGUE_BUCKETS": "one,arn:aws:s3:::two",
                "MAX_OBJECT_BYTES": "64 MB",
                "RESULT_URL_SECONDS": "604801",
                "DEFAULT_OPTIONS": "format=jpeg2000",
                "FETCH_IMAGE_URLS": "yes",
                "HASH_LOGGED_KEYS": "sha256",
                "SHOW_PAGES": "on",
                "POWERTOOLS_LOG_LEVEL": "20",
            }
        )
    _, _, faults = str(refusal.value).partition("Invalid settings: ")
    assert faults.split("; ") == [
        "MODEL_NAME must be names of folders, of at most 64 characters, with commas between",
        "MAX_PIXELS must be an integer from 1 to 9999999999",
        "ALLOWED_ORIGIN must be * or one origin such as https://shop.example",
        "DEFAULT_RESPONSE must be one of auto, inline, url, fit",
        "ACCOUNT_LABEL must be at most 100 printable characters",
        "FETCH_IMAGE_URLS must be true or false",
        "KEYS_CHECKED_BY must be function or gateway",
        "API_KEY_HASHES must be SHA-256 hex digests, with commas between them",
        "API_KEYS_PARAMETER must be the name of an SSM parameter",
        "INPUT_BUCKET must be a bucket's name",
        "RESULT_BUCKET must be a bucket's name",
        "UPLOAD_PREFIX must be folders such as uploads/, of at most 100 bytes, outside incoming/",
        "TARGET_PREFIX must be folders such as cutouts/, of at most 100 bytes, outside results/",
        "CATALOGUE_BUCKETS must be names of buckets with commas between them",
        "MAX_OBJECT_BYTES must be an integer from 1 to 9999999999",
        "RESULT_URL_SECONDS must be an integer from 1 to 604800",
        "HASH_LOGGED_KEYS must be true or false",
        "POWERTOOLS_LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL",
        "SHOW_PAGES must be true or false",
        (
            "DEFAULT_OPTIONS: format must be one of png, jpg, webp, avif, bmp, gif, tiff, zip,"
            " auto, jpeg, jpe, jfif, tif."
        ),
    ]


ONE_BUCKET = {"INPUT_BUCKET": "one-bucket", "RESULT_BUCKET": "one-bucket"}


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ({"UPLOAD_PREFIX": "incoming/"}, "UPLOAD_PREFIX must be folders"),
        ({"UPLOAD_PREFIX": "incoming/cats/"}, "UPLOAD_PREFIX must be folders"),
        ({"TARGET_PREFIX": "results/"}, "TARGET_PREFIX must be folders"),
        ({"TARGET_PREFIX": "cutouts"}, "TARGET_PREFIX must be folders"),
        ({"TARGET_PREFIX": "x" * 100 + "/"}, "TARGET_PREFIX must be folders"),
        *[
            (ONE_BUCKET | prefixes, "UPLOAD_PREFIX must lie apart from what is written to the same")
            for prefixes in (
                {"UPLOAD_PREFIX": "a/", "TARGET_PREFIX": "a/b/"},
                {"UPLOAD_PREFIX": "a/b/", "TARGET_PREFIX": "a/"},
                {"UPLOAD_PREFIX": "results/"},
            )
        ],
        ({"DEFAULT_OPTIONS": "webp"}, "DEFAULT_OPTIONS must be options such as format=webp&bg_"),
        ({"DEFAULT_OPTIONS": "model=u2netp"}, "DEFAULT_OPTIONS: model must be one of erase-s."),
        ({"DEFAULT_OPTIONS": "formt=webp"}, "DEFAULT_OPTIONS: there is no option formt"),
        ({"DEFAULT_OPTIONS": "bg_color=red&bg_color=red"}, "DEFAULT_OPTIONS: bg_color must be a "),
        ({"DEFAULT_OPTIONS": "bg_image_url=https://a.example/b"}, "DEFAULT_OPTIONS: bg_image_url "),
        ({"MODEL_NAME": "erase-s,../other"}, "MODEL_NAME must be names of folders"),
        ({"MODEL_NAME": "erase-s," + "m" * 65}, "MODEL_NAME must be names of folders"),
        ({"MAX_OBJECT_BYTES": "0"}, "MAX_OBJECT_BYTES must be an integer from 1 to"),
        ({"INPUT_BUCKET": "ab"}, "INPUT_BUCKET must be a bucket's name"),
    ],
)
def test_settings_that_would_lose_or_repeat_work(environment: dict[str, str], fault: str) -> None:
    """They are refused at the start, for this one reason, and not found out by the first upload."""
    with pytest.raises(InvalidSettings) as refusal:
        read_settings({"INPUT_BUCKET": "one-bucket", **environment})
    assert str(refusal.value).startswith(f"Invalid settings: {fault}")
    assert ";" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("*", "*"),
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example:8443", "https://shop.example:8443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://*.shop.example", None),
        ("https://shop.example/", None),
        ("https://a.example,https://b.example", None),
        ("https://größe.example", None),
        ("shop.example", None),
        ("null", None),
    ],
)
def test_the_origin_is_one_that_a_browser_sends(given: str, origin: str | None) -> None:
    """In lower case and without a wildcard: with any other value no page could call the API."""
    if origin is None:
        with pytest.raises(InvalidSettings, match=r"^Invalid settings: ALLOWED_ORIGIN must be"):
            read_settings({"ALLOWED_ORIGIN": given})
    else:
        assert read_settings({"ALLOWED_ORIGIN": given}).allowed_origin == origin


def test_results_by_url_need_the_buckets() -> None:
    """Without them every request that says nothing else would be refused."""
    environment = {"DEFAULT_RESPONSE": "URL", "RESULT_BUCKET": "one-bucket"}
    with pytest.raises(InvalidSettings) as refusal:
        read_settings(environment)
    assert str(refusal.value) == (
        "Invalid settings: DEFAULT_RESPONSE=url needs INPUT_BUCKET and RESULT_BUCKET"
    )
    settings = read_settings({**environment, "INPUT_BUCKET": "one-bucket"})
    assert settings.default_response is Delivery.URL


def test_a_wrong_variable_is_the_only_one_that_is_named() -> None:
    """What depends on it, and would be right with it, is no second fault."""
    bucket = {"DEFAULT_RESPONSE": "url", "INPUT_BUCKET": "s3://one", "RESULT_BUCKET": "one-bucket"}
    with pytest.raises(InvalidSettings, match=r"^Invalid settings: INPUT_BUCKET must[^;]*$"):
        read_settings(bucket)
    models = {"MODEL_NAME": "u2netp,../other", "DEFAULT_OPTIONS": "model=u2netp"}
    with pytest.raises(InvalidSettings, match=r"^Invalid settings: MODEL_NAME must[^;]*$"):
        read_settings(models)


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        *[("POWERTOOLS_DEV", value, True) for value in ("true", "False", "1", "off")],
        *[("POWERTOOLS_DEV", value, False) for value in ("", " ", " true", "2", "foo")],
        *[("POWERTOOLS_LOGGER_SAMPLE_RATE", value, True) for value in ("", "0", "0.1", "1")],
        *[("POWERTOOLS_LOGGER_SAMPLE_RATE", value, False) for value in ("7", "-1", "nan", "1 %")],
    ],
)
def test_what_powertools_reads_is_what_it_takes(name: str, value: str, *, fits: bool) -> None:
    """It is checked as it is, spaces included, since Powertools does not take them away."""
    if fits:
        assert read_settings({name: value}) == Settings()
        return
    with pytest.raises(InvalidSettings, match=f"^Invalid settings: {name} must be "):
        read_settings({name: value})


def test_storage_takes_both_buckets() -> None:
    """One alone counts as none. In two different buckets the prefixes may be any."""
    assert not read_settings({"INPUT_BUCKET": "one-bucket"}).has_storage
    assert not read_settings({"RESULT_BUCKET": "one-bucket", "INPUT_BUCKET": ""}).has_storage
    assert read_settings(ONE_BUCKET).has_storage
    two = {"INPUT_BUCKET": "one-bucket", "RESULT_BUCKET": "other-bucket"}
    assert read_settings({**two, "TARGET_PREFIX": "uploads/"}).has_storage


@pytest.mark.parametrize(
    ("models", "effective"),
    [
        ("erase-s", 50_000_000),
        ("erase-s,u2netp", 48_182_627),
        ("erase-s,erase-s", 50_000_000),  # one model
        ("erase-s,u2netp,mine", 36_923_368),
        (",".join(f"m{number}" for number in range(9)), 1_000_000),
    ],
)
def test_every_further_model_takes_memory_from_the_pixels(models: str, effective: int) -> None:
    """Each that requests can choose stays in the function's memory beside the photo."""
    environment = {"MODEL_NAME": models, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}
    assert read_settings(environment).max_pixels == effective


@pytest.mark.parametrize(
    ("memory_mb", "asked", "effective", "fitting"),
    [
        ("1769", "50000000", 50_000_000, 59_441_886),
        ("1024", "50000000", 30_508_956, 30_508_956),
        ("1024", "12000000", 12_000_000, 30_508_956),
        ("128", "50000000", 1_000_000, 1_000_000),
        ("", "50000000", 50_000_000, None),
    ],
)
def test_the_functions_memory_bounds_the_pixels(
    memory_mb: str, asked: str, effective: int, fitting: int | None
) -> None:
    """What the function cannot hold is refused, and does not kill the process."""
    environment = {"MAX_PIXELS": asked, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory_mb}
    settings = read_settings(environment)
    assert (settings.max_pixels, settings.memory_pixels) == (effective, fitting)
