"""The option ``model`` in a deployment with several models: each door lets a caller choose."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from client import ANY_PAYLOAD, Client, multipart
from cloud import Cloud, batch, png
from conftest import LIMITS, deployment
from drawn_models import card_of
from numpy.typing import NDArray

import app
from cutout.errors import ModelUnavailable
from cutout.image.model import Model
from cutout.remover import Loader, Remover
from cutout.settings import Settings

NAMES = ("all", "none", "broken")


def says(name: str, alpha: float) -> Model:
    """Return a model that finds the same everywhere."""

    def network(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full((1, 1, *tensor.shape[2:]), alpha, np.float32)

    return Model(card=replace(card_of(16), name=name), network=network)


class Models:
    """Two models that work and one that does not, and how often each of them was loaded."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self.loaded: list[str] = []
        self._files: dict[str, Model | ModelUnavailable] = {
            "none": says("none", 0.0),
            "broken": ModelUnavailable(reason="its checksum is wrong"),
        }

    def _loader(self, name: str) -> Loader:
        def load() -> Model | ModelUnavailable:
            self.loaded.append(name)
            return self._files[name]

        return load

    def remover(self) -> Remover:
        """Return the remover of the deployment, whose default is the model ``all``."""
        others = {name: self._loader(name) for name in self._files}
        return Remover(says("all", 1.0), LIMITS, name="all", others=others)


@pytest.fixture
def models() -> Models:
    """Return the models of the deployment."""
    return Models()


@pytest.fixture
def settings() -> Settings:
    """Return the deployment's settings."""
    return replace(app.settings, model_names=NAMES)


@pytest.fixture
def client(models: Models, settings: Settings, request: pytest.FixtureRequest) -> Client:
    """Speak to that deployment."""
    handler = deployment(models.remover(), settings)
    return Client(handler, getattr(request, "param", "1.0"))


@ANY_PAYLOAD
def test_a_request_chooses(client: Client, models: Models) -> None:
    """In the query string, a form or JSON; without a choice it is the first model."""
    photo = multipart(image_file=("a.png", png()))
    text = base64.b64encode(png()).decode()
    replies = {
        "all": [client.post("/v2", **photo), client.post("/v2?model=all", **photo)],
        "none": [
            client.post("/v2?model=none", **photo),
            client.post("/v2", **multipart(image_file=("a.png", png()), model="none")),
            client.json("/v2", {"image_base64": text, "Model": "none"}),
            client.post("/v1.0/removebg?on_empty=image&model=none", **photo),
        ],
    }
    for name, several in replies.items():
        for reply in several:
            assert reply.status == 200, reply.body
            assert reply.headers["x-model"] == f"{name}/1"
            assert float(reply.headers["x-foreground-coverage"]) == (name == "all")
    assert models.loaded == ["none"]


@ANY_PAYLOAD
def test_a_model_that_is_not_there_is_an_invalid_option(client: Client, models: Models) -> None:
    """The message names those that are; no image is read for it."""
    message = "model must be one of all, none, broken."
    body: Any = {"body": b"no image", "content_type": "image/png"}
    refusal = client.post("/v2?model=u2netp", **body)
    assert (refusal.status, refusal.error()["code"]) == (400, "invalid_model")
    assert refusal.error()["message"] == message
    theirs = client.post("/v1.0/removebg?model=u2netp", **body)
    assert theirs.status == 400
    assert theirs.json()["errors"] == [
        {"title": message, "code": "invalid_model", "detail": "one of all, none, broken"}
    ]
    assert models.loaded == []


def test_a_model_that_does_not_load_is_missed_by_its_users_only(
    client: Client, models: Models
) -> None:
    """They are told 503 each time, from one look at its files."""
    photo = multipart(image_file=("a.png", png()))
    for _ in range(2):
        reply = client.post("/v2?model=broken", **photo)
        assert (reply.status, reply.error()["code"]) == (503, "model_unavailable")
    for query in ("", "?model=none"):
        assert client.post(f"/v2{query}", **photo).status == 200
    assert client.send("GET", "/v2/health?deep=1").status == 200
    assert models.loaded == ["broken", "none"]


def test_the_models_are_told(client: Client) -> None:
    """By the account, and in the OpenAPI document."""
    assert client.send("GET", "/v2/account").json()["limits"]["models"] == list(NAMES)
    assert client.send("GET", "/v2/health").json()["model"] == "all/1"
    document = client.send("GET", "/openapi.json").json()
    for schema in ("RemovalForm", "RemovalJson", "RemoveBgUrlencoded"):
        told = document["components"]["schemas"][schema]["properties"]["model"]
        assert (told["enum"], "default" in told) == (list(NAMES), False)
        assert told["x-default"] == NAMES[0]


@pytest.fixture
def chosen(cloud: Cloud, models: Models) -> Callable[..., str]:
    """Return what works on an upload with such metadata, and returns the model that it got."""
    cloud.remover = models.remover()

    def work(arguments: dict[str, str] | None = None, **metadata: str) -> str:
        cloud.settings = replace(cloud.settings, model_names=NAMES)
        name = f"{len(cloud.keys())}.png"
        uploaded = cloud.put(f"uploads/{name}", png(), **metadata)
        if arguments is None:
            cloud.handle(uploaded.notification())
        else:
            cloud.handle(batch(uploaded.task(schema="2.0"), schema="2.0", arguments=arguments))
        results = cloud.keys()
        (key,) = [key for key in results if key.startswith(f"cutouts/{name}")]
        found = cloud.get(key)
        return str(found["Metadata"].get("model") or found["Body"].decode())

    return work


def test_metadata_and_a_job_choose(chosen: Callable[..., str]) -> None:
    """Over the deployment's default; a wrong name leaves the error file."""
    assert chosen() == "all/1"
    assert chosen(model="none") == "none/1"
    assert chosen({"model": "none"}, model="all") == "none/1"
    assert '"code": "invalid_model"' in chosen(model="u2netp")


def test_a_result_that_is_uploaded_again_asks_for_no_model(
    chosen: Callable[..., str], cloud: Cloud
) -> None:
    """Its metadata tells which model made it, and a copy keeps that."""
    assert chosen(model="none") == "none/1"
    made: dict[str, str] = cloud.get(cloud.keys()[0])["Metadata"]
    assert made["model"] == "none/1"
    assert chosen(**made) == "all/1"
