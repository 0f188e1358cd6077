"""Names of results: one place for each source, whatever its key."""

import hashlib
from dataclasses import replace

import pytest

from cutout.errors import InvalidOption
from cutout.options import Options, parse_options
from cutout.s3.results import Place, Stamp, accepted_by, fingerprint
from cutout.settings import Settings
from cutout.store import ObjectRef, Stored

SETTINGS = Settings(
    input_bucket="shop-in", result_bucket="shop-out", catalogue_buckets=frozenset({"photos"})
)


def place(key: str, bucket: str = "shop-in") -> Place:
    """Return the place of a source's results."""
    return Place.of(ObjectRef(bucket=bucket, key=key), SETTINGS)


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("uploads/a/cat.jpg", "cutouts/a/cat.jpg.png"),
        ("uploads/cat", "cutouts/cat.png"),
        ("uploads/uploads/cat.jpg", "cutouts/uploads/cat.jpg.png"),
        ("uploads/a b+c%20&=?#.jpg", "cutouts/a b+c%20&=?#.jpg.png"),
        ("uploads/../cat.jpg", "cutouts/../cat.jpg.png"),
        ("uploads//cat.jpg", "cutouts//cat.jpg.png"),
        ("uploads/猫.jpg", "cutouts/猫.jpg.png"),
        ("uploads/cat.jpg.png", "cutouts/cat.jpg.png.png"),
    ],
)
def test_the_full_key_is_the_results_name(key: str, target: str) -> None:
    """Nothing is normalised: two keys that S3 tells apart have two results."""
    assert place(key).key("png") == target


def test_a_catalogues_results_stand_under_its_name() -> None:
    """The same key in two buckets has two results."""
    assert place("2026/cat.jpg", "photos").key("webp") == "cutouts/photos/2026/cat.jpg.webp"
    assert place("uploads/cat.jpg", "photos").key("webp") == "cutouts/photos/uploads/cat.jpg.webp"


@pytest.mark.parametrize(
    "key",
    [
        "uploads/" + "a" * 1016,
        "uploads/" + "é" * 508,
        "uploads/x" + "猫" * 338 + "a",
        "uploads/" + "a" * 1013,
    ],
)
def test_a_key_that_s3_would_not_take_is_cut(key: str) -> None:
    """At a character, with 16 digits of the full key's SHA-256, the prefix and extension kept."""
    target = place(key).key("png")
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    head, tail = target[: -len(f"~{digest}.png")], target[-len(f"~{digest}.png") :]
    assert tail == f"~{digest}.png"
    assert head.startswith("cutouts/")
    assert key.removeprefix("uploads/").startswith(head.removeprefix("cutouts/"))
    # Another character would be too much.
    assert 1024 - 4 < len(target.encode()) <= 1024


def test_the_longest_key_that_is_not_cut() -> None:
    """S3 takes 1,024 bytes."""
    key = "uploads/" + "a" * (1024 - len("cutouts/.png"))
    assert place(key).key("png") == "cutouts/" + "a" * 1012 + ".png"
    assert len(place(key).key("png")) == 1024
    assert "~" in place(key).key("webp")


def test_keys_that_differ_at_the_end_only_stay_apart() -> None:
    """What is cut off still counts."""
    one, other = (place("uploads/" + "a" * 1015 + end).key("png") for end in "xy")
    assert one != other


@pytest.mark.parametrize(
    "key", ["uploads/cat.jpg", "uploads/" + "a" * 1010, "uploads/" + "é" * 508]
)
def test_all_results_of_a_source_are_listed_by_one_prefix(key: str) -> None:
    """Whatever the extension is, also where some of the keys are cut and others are not."""
    here = place(key)
    assert all(name.startswith(here.common()) for name in here.all_keys())
    assert here.common().startswith("cutouts/")
    assert {name.rpartition(".")[2] for name in here.all_keys()} >= {"png", "webp", "zip", "json"}


@pytest.mark.parametrize(
    ("fields", "extensions"),
    [
        ({}, ["png"]),
        ({"format": "webp"}, ["webp"]),
        ({"format": "auto"}, ["png", "jpg"]),
        ({"format": "webp", "channels": "alpha"}, ["png"]),
    ],
)
def test_where_a_result_is_looked_for(fields: dict[str, str], extensions: list[str]) -> None:
    """At what the options can lead to, and at the error file."""
    options, _ = parse_options(fields.items())
    expected = [f"cutouts/cat.jpg.{extension}" for extension in (*extensions, "error.json")]
    assert place("uploads/cat.jpg").expected(options) == expected


def test_bad_options_leave_an_error_file_only() -> None:
    """There is no image to look for."""
    wrong = InvalidOption(option="format", accepted="png")
    assert place("uploads/cat.jpg").expected(wrong) == ["cutouts/cat.jpg.error.json"]
    assert place("uploads/cat.jpg").expected(Options()) != ["cutouts/cat.jpg.error.json"]


def test_a_stamp_survives_s3s_metadata() -> None:
    """Which is ASCII, has lower-case names and at most 2 KB."""
    here = place("uploads/büro/" + "猫" * 330)
    stamp = Stamp(
        source=here.source,
        etag="ab" * 16,
        version_id="v" * 32,
        options=fingerprint([("bg_color", "red"), ("crop_margin", "ü" * 600)]),
    )
    metadata = stamp.metadata(model="erase-s/1")
    assert Stamp.read(metadata) == stamp
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 2048
    assert all(value.isascii() and value.isprintable() for value in metadata.values())


def test_options_in_any_order_are_the_same_options() -> None:
    """And different ones are not."""
    one = fingerprint([("crop", "1"), ("format", "png")])
    assert one == fingerprint([("format", "png"), ("crop", "1")])
    assert one != fingerprint([("format", "png")])


def test_more_memory_ends_a_refusal() -> None:
    """A canvas that did not fit may fit now, though photos may be no larger than before."""
    settings = Settings(max_pixels=12_000_000, memory_pixels=30_000_000)
    assert accepted_by(settings) == accepted_by(replace(settings))
    assert accepted_by(settings) != accepted_by(replace(settings, memory_pixels=60_000_000))


def test_the_version_of_a_stamp_is_compared_without_the_options() -> None:
    """Source, ETag and version decide; the options do not."""
    here = place("uploads/cat.jpg")
    stamp = Stamp.of(here, Stored(etag="e1", size=1, version_id="v1"), "format=webp")
    assert stamp.same_version(Stamp.of(here, Stored(etag="e1", size=2, version_id="v1")))
    assert not stamp.same_version(Stamp.of(here, Stored(etag="e2", size=1, version_id="v1")))
    assert not stamp.same_version(Stamp.of(here, Stored(etag="e1", size=1, version_id="v2")))
    other = Stamp.of(place("uploads/dog.jpg"), Stored(etag="e1", size=1, version_id="v1"))
    assert not stamp.same_version(other)


def test_foreign_metadata_is_no_stamp() -> None:
    """Of an object that somebody else put there."""
    assert Stamp.read({}) is None
    assert Stamp.read({"source": "shop-in/uploads/cat.jpg"}) is None
