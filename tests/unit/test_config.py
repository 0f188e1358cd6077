"""The environment → settings: a default for all, and all faults named at once."""

from pathlib import Path

import pytest

from cutout.config import KeyCheck, Settings, read_settings
from cutout.errors import InvalidSettings

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
            "MODEL_NAME": "u2netp",
            "MAX_PIXELS": "12000000",
            "ALLOWED_ORIGIN": "https://shop.example:8443",
            "KEYS_CHECKED_BY": "Gateway",
            "API_KEY_HASHES": f"{DIGEST.upper()}, {other}",
            "POWERTOOLS_SERVICE_NAME": "shop",
            "POWERTOOLS_METRICS_NAMESPACE": "Shop",
            "PATH": "/usr/bin",
        }
    ) == Settings(
        model_dir=Path("/opt/models"),
        model_name="u2netp",
        max_pixels=12_000_000,
        allowed_origin="https://shop.example:8443",
        keys_checked_by=KeyCheck.GATEWAY,
        api_key_hashes=frozenset({DIGEST, other}),
        service="shop",
        metrics_namespace="Shop",
    )


def test_all_faults_are_named_at_once() -> None:
    """One deployment, one list: not five deployments for five faults."""
    with pytest.raises(InvalidSettings) as refusal:
        read_settings(
            {
                "MODEL_NAME": "../secrets",
                "MAX_PIXELS": "50MP",
                "ALLOWED_ORIGIN": "shop.example",
                "KEYS_CHECKED_BY": "nobody",
                "API_KEY_HASHES": "local",
            }
        )
    for name in ("MODEL_NAME", "MAX_PIXELS", "ALLOWED_ORIGIN", "KEYS_CHECKED_BY", "API_KEY_HASHES"):
        assert name in str(refusal.value)
