"""The options table: every value, every alias, every refusal, from the wire to types."""

import dataclasses

import pytest

from cutout.color import Color
from cutout.errors import CutoutError, DuplicateOption, InvalidOption, MultipleBackgrounds
from cutout.options import (
    OPTIONS,
    Channels,
    Delivery,
    Format,
    InputAlpha,
    Length,
    Margin,
    OnEmpty,
    Options,
    Size,
    overlay,
    parse_options,
)

ZERO = Length(value=0, relative=False)


def parse(*fields: tuple[str, object]) -> Options:
    """Return the options of fields that all are known."""
    options, ignored = parse_options(fields)
    assert ignored == ()
    return options


def test_without_fields_the_defaults_are_the_contracts() -> None:
    """No field, no surprise."""
    assert parse() == Options(
        format=Format.PNG,
        bg_color=None,
        channels=Channels.RGBA,
        size=Size.FULL,
        crop=False,
        crop_margin=None,
        clean_edges=True,
        despill=False,
        input_alpha=InputAlpha.MULTIPLY,
        quality=90,
        response=Delivery.AUTO,
        on_empty=OnEmpty.IMAGE,
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        *[("format", word, Format(word)) for word in Format],
        ("format", "JPEG", Format.JPG),
        ("format", "jpe", Format.JPG),
        ("format", "JfIf", Format.JPG),
        ("format", "TIF", Format.TIFF),
        ("bg_color", "#FFF", Color(r=255, g=255, b=255)),
        ("bg_color", "Navy", Color(r=0, g=0, b=128)),
        *[("channels", word, Channels(word)) for word in Channels],
        ("size", "preview", Size.PREVIEW),
        ("size", "small", Size.PREVIEW),
        ("size", "regular", Size.PREVIEW),
        ("size", "medium", Size.MEDIUM),
        ("size", "hd", Size.HD),
        ("size", "full", Size.FULL),
        ("size", "auto", Size.FULL),
        ("size", "4k", Size.FULL),
        ("size", "4K", Size.FULL),
        ("size", "50MP", Size.FIFTY_MP),
        *[("crop", word, True) for word in ("true", "TRUE", "1", "yes", "Yes", True, 1)],
        *[("crop", word, False) for word in ("false", "False", "0", "no", "NO", False, 0)],
        ("clean_edges", "no", False),
        ("despill", "yes", True),
        ("despill", "false", False),
        *[("input_alpha", word, InputAlpha(word)) for word in InputAlpha],
        ("quality", "1", 1),
        ("quality", "100", 100),
        ("quality", 75, 75),
        ("response", "auto", Delivery.AUTO),
        ("response", "inline", Delivery.INLINE),
        ("response", "url", Delivery.URL),
        ("response", "FIT", Delivery.FIT),
        ("on_empty", "error", OnEmpty.ERROR),
    ],
)
def test_accepted_values(name: str, text: object, expected: object) -> None:
    """Words in any case, JSON's booleans and integers, and every alias of the contract."""
    assert getattr(parse((name, text)), name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", [ZERO] * 4),
        ("30px", [Length(value=30, relative=False)] * 4),
        ("10%", [Length(value=10, relative=True)] * 4),
        ("7.5%", [Length(value=7.5, relative=True)] * 4),
        ("500PX", [Length(value=500, relative=False)] * 4),
        ("50%", [Length(value=50, relative=True)] * 4),
        ("1px 2%", [Length(value=1, relative=False), Length(value=2, relative=True)] * 2),
        (
            "1px 2px 3px 4px",
            [Length(value=value, relative=False) for value in (1, 2, 3, 4)],
        ),
        ("0 5px", [ZERO, Length(value=5, relative=False)] * 2),
    ],
)
def test_crop_margin_is_one_two_or_four_lengths(text: str, expected: list[Length]) -> None:
    """The order is CSS's: all; vertical, horizontal; top, right, bottom, left."""
    top, right, bottom, left = expected
    assert parse(("crop_margin", text)).crop_margin == Margin(
        top=top, right=right, bottom=bottom, left=left
    )


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        *[
            ("format", wire)
            for wire in ("svg", "png ", "p ng", 1, True, 1.5, [1], {"a": 1}, b"png")
        ],
        *[("channels", wire) for wire in ("rgb", "a", "alpha,rgba", 3)],
        *[("size", wire) for wire in ("huge", "0.25", 4, "50", "4 k", "4\u212a")],
        *[("crop", wire) for wire in ("on", "2", "t", 2, 1.0, [True], "\u0661")],
        *[("clean_edges", wire) for wire in ("maybe", -1)],
        *[("despill", wire) for wire in ("green", 2)],
        *[("input_alpha", wire) for wire in ("ignore", 0)],
        *[("quality", wire) for wire in ("0", "101", "-1", "+9", "9.5", 9.5, "x", "\u0669", True)],
        ("quality", "9" * 5000),
        *[("response", wire) for wire in ("json", "URLs")],
        *[("on_empty", wire) for wire in ("fail", 1)],
        *[
            ("crop_margin", wire)
            for wire in (
                "10",
                "px",
                "-1px",
                "501px",
                "50.1%",
                "1px 2px 3px",
                "1px 2px 3px 4px 5px",
                "1px,2px",
                "1em",
                " ",
                10,
                "\u0661px",
                "1px\u00a02px",
            )
        ],
    ],
)
def test_refused_values(name: str, wire: object) -> None:
    """Each option refuses in its own name and says what it takes."""
    with pytest.raises(InvalidOption) as refusal:
        parse_options([(name, wire)])
    assert refusal.value.status == 400
    assert refusal.value.code == f"invalid_{name}"
    assert str(refusal.value).startswith(f"{name} must be ")
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("format", "format must be one of png, jpg, webp, avif, bmp, gif, tiff, zip, auto, jpeg, jpe, jfif, tif."),
        ("channels", "channels must be one of rgba, alpha."),
        ("size", "size must be one of preview, medium, hd, 50mp, full, auto, small, regular, 4k."),
        ("crop", "crop must be true or false."),
        ("crop_margin", "crop_margin must be 1, 2 or 4 lengths such as 30px or 10%, each at most 50% of the subject or 500px."),
        ("quality", "quality must be an integer from 1 to 100."),
        ("bg_color", "bg_color must be a valid hex or named color."),
        ("on_empty", "on_empty must be one of image, error."),
        ("response", "response must be one of auto, inline, url, fit."),
        ("input_alpha", "input_alpha must be one of multiply, keep, discard."),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_accepted(name: str, message: str) -> None:
    """The exact words: clients show them to people."""
    with pytest.raises(InvalidOption) as refusal:
        parse_options([(name, "?")])
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("name", "wire", "code"),
    [
        ("bg_image_file", b"...", "invalid_bg_image"),
        ("bg_image_url", "http://example.com/x.jpg", "invalid_bg_image"),
        ("bg_blur", "20", "invalid_bg_blur"),
        ("scale", "50%", "invalid_scale"),
        ("position", "center", "invalid_position"),
        ("roi", "0px 0px 10px 10px", "invalid_roi"),
        ("shadow_type", "drop", "invalid_shadow_type"),
        ("shadow_opacity", "20", "invalid_shadow_opacity"),
    ],
)
def test_an_option_to_come_is_refused_never_ignored(name: str, wire: object, code: str) -> None:
    """Asking for a shadow and getting none would be a wrong picture with status 200."""
    with pytest.raises(InvalidOption) as refusal:
        parse_options([(name, wire)])
    assert refusal.value.code == code
    assert "this version does not offer it yet" in str(refusal.value)


def test_an_option_to_come_may_be_given_its_default() -> None:
    """Clients that send every field with its default work."""
    assert (
        parse(("shadow_type", "none"), ("scale", "original"), ("position", "ORIGINAL")) == parse()
    )


def test_names_are_matched_in_any_case() -> None:
    """``BG_Color`` is ours."""
    assert parse(("BG_Color", "red")).bg_color == Color(r=255, g=0, b=0)


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_field_is_absent(empty: object) -> None:
    """An HTML form sends every field, filled or not."""
    fields = [(option.name, empty) for option in OPTIONS if option.name != "bg_color"]
    assert parse(*fields) == Options()


def test_an_empty_bg_color_is_an_error_but_null_is_absent() -> None:
    """A colour that was meant and got lost must not give a transparent picture."""
    assert parse(("bg_color", None)).bg_color is None
    with pytest.raises(InvalidOption, match="bg_color must be a valid hex or named color"):
        parse_options([("bg_color", "")])


@pytest.mark.parametrize("name", [o.name for o in OPTIONS if o.name != "bg_color"])
def test_an_option_twice_is_a_duplicate(name: str) -> None:
    """Also with another case, with the same value, and with an empty one."""
    with pytest.raises(DuplicateOption) as refusal:
        parse_options([(name, "any"), (name.upper(), "")])
    assert refusal.value.code == "duplicate_option"
    assert name in str(refusal.value)


def test_bg_color_twice_is_invalid_bg_color() -> None:
    """The same error as any other bad colour, whatever the two say."""
    with pytest.raises(InvalidOption) as refusal:
        parse_options([("bg_color", "red"), ("bg_color", "red")])
    assert refusal.value.code == "invalid_bg_color"


def test_only_one_background() -> None:
    """Two backgrounds are a contradiction, named before either is read."""
    with pytest.raises(MultipleBackgrounds) as refusal:
        parse_options([("bg_color", "red"), ("bg_blur", "10")])
    assert refusal.value.code == "multiple_bg_sources"
    assert str(refusal.value) == (
        "Only one background is accepted: bg_color and bg_blur are given together."
    )


def test_unknown_fields_are_returned_once_each_in_order() -> None:
    """What no option has is for the reply's header, not an error."""
    options, ignored = parse_options([("zoom", "2"), ("Crop", "yes"), ("zoom", "3"), ("a", None)])
    assert options.crop
    assert ignored == ("zoom", "a")


def test_every_row_of_the_table_is_complete() -> None:
    """Messages end with what is accepted, and each option that is built has its field."""
    fields = {field.name for field in dataclasses.fields(Options)}
    assert {option.name for option in OPTIONS if option.built} == fields
    for option in OPTIONS:
        assert option.summary.endswith(".")
        assert option.accepted
        assert not option.accepted.endswith(".")


CODES = {
    400: {"multiple_bg_sources", "duplicate_option", "missing_image", "multiple_sources"}
    | {"invalid_base64", "invalid_json", "invalid_form", "invalid_multipart", "invalid_image"}
    | {"image_too_small", "invalid_image_key", "image_url_disabled", "storage_disabled"}
    | {"invalid_image_url", "image_url_fetch_failed"},
    401: {"invalid_api_key"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    413: {"payload_too_large", "image_too_large", "result_too_large"},
    415: {"unsupported_media_type", "unsupported_image_format"},
    422: {"unknown_foreground"},
    500: {"internal_error"},
    503: {"internal_error", "model_unavailable"},
    504: {"timeout"},
}


def test_every_error_code_has_the_status_of_the_contract() -> None:
    """By the class; an option's error has its code from the option."""
    kinds: list[type[CutoutError]] = [CutoutError, *CutoutError.__subclasses__()]
    found: dict[int, set[str]] = {}
    for kind in kinds:
        if kind is not InvalidOption:
            found.setdefault(kind.status, set()).add(kind.code)
    assert found == CODES
    assert (InvalidOption.status, InvalidOption(option="crop", accepted="").code) == (
        400,
        "invalid_crop",
    )


def test_a_deployments_own_defaults() -> None:
    """They hold for what no field says, an empty one included."""
    defaults = Options(response=Delivery.FIT, quality=70)
    assert parse_options([], defaults)[0] == defaults
    fields = [("response", ""), ("quality", "90"), ("crop", "1")]
    expected = Options(response=Delivery.FIT, quality=90, crop=True)
    assert parse_options(fields, defaults)[0] == expected


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ("preview", 250_000),
        ("small", 250_000),
        ("medium", 1_500_000),
        ("hd", 4_000_000),
        ("50MP", 50_000_000),
        ("full", None),
        ("4k", None),
    ],
)
def test_sizes_are_the_contracts(size: str, pixels: int | None) -> None:
    """In pixels; without a number the deployment's own limit counts."""
    assert parse(("size", size)).size.max_pixels == pixels


@pytest.mark.parametrize(
    ("layers", "merged"),
    [
        ([], []),
        ([[("format", "webp")], [("Format", "png")]], [("format", "png")]),
        ([[("format", "webp")], [("crop", "1")]], [("format", "webp"), ("crop", "1")]),
        ([[("bg-color", "red")], [("bg_blur", "3")]], [("bg_blur", "3")]),
        ([[("format", "webp")], [("format", ""), ("author", "x")]], [("format", "webp")]),
        ([[("bg_color", "red")], [("bg_color", "")]], [("bg_color", "")]),
        ([[("crop", "1")], [("crop", "0")], [("crop", "1")]], [("crop", "1")]),
        ([[("bg-color", "red"), ("bg_color", "red")]], [("bg_color", "red")] * 2),
    ],
)
def test_layers_of_options(
    layers: list[list[tuple[str, str]]], merged: list[tuple[str, str]]
) -> None:
    """A later layer says the last word on what it names, and repetitions stay to be refused."""
    assert list(overlay(*layers)) == merged
