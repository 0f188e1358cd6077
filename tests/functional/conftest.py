"""The handlers under test: the real one, and deployments of it with other settings."""

import hashlib
import io
import os
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from aws_lambda_powertools import Logger

os.environ["API_KEY_HASHES"] = hashlib.sha256(b"local").hexdigest()
os.environ["KEYS_CHECKED_BY"] = "function"

from client import Client, Handler
from cloud import REGION, Cloud, Proxy, break_down, fake_remover, moto

import app
from cutout.errors import ModelUnavailable
from cutout.http.api import Api
from cutout.http.fetch import Fetcher
from cutout.http.large_images import Transfer
from cutout.image.decode import Limits
from cutout.keys import Keys
from cutout.remover import Remover
from cutout.settings import KeyCheck, Settings

LIMITS = Limits(max_pixels=50_000_000)


def deployment(
    remover: Remover,
    settings: Settings = app.settings,
    logger: Logger = app.logger,
    transfer: Transfer | None = None,
    clock: Callable[[], float] = time.monotonic,
    keys: Keys | None = None,
    fetcher: Fetcher | None = None,
) -> Handler:
    """Return the handler of a deployment with these parts."""
    api = Api(
        remover=remover,
        settings=settings,
        logger=logger,
        metrics=app.metrics,
        transfer=transfer,
        clock=clock,
        keys=keys,
        fetcher=fetcher,
    )
    handler: Handler = app.metrics.log_metrics(api.handle)
    return handler


def logger_to(log: io.StringIO) -> Logger:
    """Return a logger that writes to ``log``, and shares nothing with those of other tests."""
    return Logger(service=f"test-{id(log)}", stream=log)


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Run the stand-in for S3."""
    with moto() as url:
        yield url


@pytest.fixture
def proxy(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Stand between S3 and the code under test, which finds S3 as a deployment does."""
    proxy = Proxy(s3_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield proxy
    proxy.shutdown()
    proxy.server_close()


@pytest.fixture
def cloud(s3_url: str, proxy: Proxy, request: pytest.FixtureRequest) -> Cloud:
    """Make a deployment with two buckets of its own, behind the proxy."""
    assert proxy.url
    return Cloud.make(s3_url, f"t{uuid.uuid4().hex[:12]}", **getattr(request, "param", {}))


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Client:
    """Speak to ``app.http_handler`` itself, behind the gateway that a test names."""
    return Client(app.http_handler, getattr(request, "param", "1.0"))


@pytest.fixture
def gateway_checked() -> Client:
    """Speak to a deployment whose REST API checks the keys."""
    settings = Settings(
        keys_checked_by=KeyCheck.GATEWAY, api_key_hashes=app.settings.api_key_hashes
    )
    return Client(deployment(app.remover, settings))


@pytest.fixture
def keyless() -> Client:
    """Speak to a deployment without any key."""
    return Client(deployment(app.remover, Settings()))


@pytest.fixture
def without_model() -> Client:
    """Speak to a deployment whose model did not load."""
    return Client(deployment(Remover(ModelUnavailable(reason="test"), LIMITS)))


@pytest.fixture
def log() -> io.StringIO:
    """Hold what a deployment that writes its log here has logged."""
    return io.StringIO()


@pytest.fixture
def logging(request: pytest.FixtureRequest, log: io.StringIO) -> Client:
    """Speak to a deployment that writes its log to ``log``."""
    handler = deployment(app.remover, logger=logger_to(log))
    return Client(handler, getattr(request, "param", "1.0"))


@pytest.fixture
def broken(log: io.StringIO) -> Client:
    """Speak to a deployment whose network fails in a way that no one thought of."""
    return Client(deployment(fake_remover(break_down), logger=logger_to(log)))
