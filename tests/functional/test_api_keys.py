"""API keys that are kept in SSM: revoked at run time, and 503 where they cannot be known."""

import boto3
import pytest
from client import ANY_PAYLOAD, Client
from conftest import deployment
from moto import mock_aws

import app
from cutout.keys import FRESH_SECONDS, KeyList, Keys, digest_of
from cutout.settings import KeyCheck, Settings


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@ANY_PAYLOAD
def test_a_key_is_revoked_without_a_deployment(client: Client) -> None:
    """Within a minute, in an environment that runs on."""
    now = [1_000.0]
    with mock_aws():
        ssm = boto3.session.Session().client("ssm")
        ssm.put_parameter(Name="keys", Type="String", Value=digest_of("mine"))
        keys = Keys(read=KeyList("keys"), clock=lambda: now[0])
        client = Client(deployment(app.remover, Settings(), keys=keys), client.payload)
        assert client.send("GET", "/v2/account", key="mine").status == 200
        ssm.put_parameter(Name="keys", Type="String", Value=digest_of("next"), Overwrite=True)
        now[0] += FRESH_SECONDS
        reply = client.send("GET", "/v2/account", key="mine")
        assert (reply.status, reply.error()["code"]) == (401, "invalid_api_key")
        assert client.send("GET", "/v2/account", key="next").status == 200


@ANY_PAYLOAD
def test_a_list_that_cannot_be_read_lets_nobody_in(client: Client) -> None:
    """503, whatever the key; what needs no key is answered."""
    with mock_aws():
        keys = Keys(read=KeyList("nothing"))
        client = Client(deployment(app.remover, Settings(), keys=keys), client.payload)
        for key in ("mine", "none", "", None):
            reply = client.send("GET", "/v2/account", key=key)
            assert (reply.status, reply.error()["code"]) == (503, "internal_error")
            assert "ParameterNotFound" not in reply.body.decode()
        assert client.send("GET", "/v2/health", key=None).status == 200


def test_keys_that_the_gateway_checked_need_no_list() -> None:
    """So a REST API is not slower, and does not depend on SSM."""
    settings = Settings(keys_checked_by=KeyCheck.GATEWAY)
    keys = Keys(read=KeyList("nothing"))
    assert (
        Client(deployment(app.remover, settings, keys=keys)).send("GET", "/v2/account").status
        == 200
    )
