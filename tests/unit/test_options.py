"""The options table: every value, every alias, every refusal, from the wire to types."""

import dataclasses
import itertools

import pytest
from lengths import percent, px

from cutout.color import Color
from cutout.errors import (
    BackgroundUrlDisabled,
    CutoutError,
    DuplicateOption,
    InvalidOption,
    MultipleBackgrounds,
    RoiExceedsBounds,
    RoiRegionEmpty,
    envelope,
)
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
    Position,
    Region,
    ShadowType,
    Size,
    overlay,
    parse_object_options,
    parse_options,
)

ZERO = px(0)


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
        *[("crop", word, True) for word in ("true", "TRUE", "1", "yes", "Yes", True, 1, 1.0)],
        *[
            ("crop", word, False)
            for word in ("false", "False", "0", "no", "NO", False, 0, 0.0, -0.0)
        ],
        ("clean_edges", "no", False),
        ("despill", "yes", True),
        ("despill", "false", False),
        *[("input_alpha", word, InputAlpha(word)) for word in InputAlpha],
        ("quality", "1", 1),
        ("quality", "100", 100),
        ("quality", 75, 75),
        ("quality", 75.0, 75),
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
        (0, [ZERO] * 4),
        (0.0, [ZERO] * 4),
        ("30px", [px(30)] * 4),
        ("10%", [percent(10)] * 4),
        ("7.5%", [percent(7.5)] * 4),
        ("500PX", [px(500)] * 4),
        ("50%", [percent(50)] * 4),
        ("1px 2%", [px(1), percent(2)] * 2),
        ("1px 2px 3px 4px", [px(1), px(2), px(3), px(4)]),
        ("0 5px", [ZERO, px(5)] * 2),
    ],
)
def test_crop_margin_is_one_two_or_four_lengths(text: object, expected: list[Length]) -> None:
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
        *[("crop", wire) for wire in ("on", "2", "t", 2, 2.0, 0.5, float("nan"), [True], "\u0661")],
        *[("clean_edges", wire) for wire in ("maybe", -1)],
        *[("despill", wire) for wire in ("green", 2)],
        *[("input_alpha", wire) for wire in ("ignore", 0)],
        *[
            ("quality", wire)
            for wire in ("0", "101", "-1", "+9", "9.5", 9.5, "x", "\u0669", True, 1e300, 0.0)
        ],
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


FULL = percent(100)


@pytest.mark.parametrize(
    ("name", "wire", "expected"),
    [
        ("bg_image_file", b"...", b"..."),
        ("bg_image_url", "https://example.com/x.jpg", "https://example.com/x.jpg"),
        ("bg_image_url", "HTTP://example.com", "HTTP://example.com"),
        ("bg_image_url", "http://" + "x" * 8185, "http://" + "x" * 8185),
        ("bg_image_url", " https://x\n", " https://x\n"),
        ("bg_blur", "0", 0),
        ("bg_blur", 100, 100),
        ("scale", "10%", 10),
        ("scale", "99.5%", 99.5),
        ("scale", "100%", 100),
        ("scale", "Original", None),
        ("position", "original", Position(x=None, y=None)),
        ("position", "CENTER", Position(x=50, y=50)),
        ("position", "0%", Position(x=0, y=0)),
        ("position", "100%  2.5%", Position(x=100, y=2.5)),
        ("roi", "0% 0 100% 100%", Region(x1=percent(0), y1=ZERO, x2=FULL, y2=FULL)),
        ("roi", "0 0 100% 100%", Region(x1=ZERO, y1=ZERO, x2=FULL, y2=FULL)),
        ("roi", "7px 8.5PX 70000px 9%", Region(x1=px(7), y1=px(8.5), x2=px(70_000), y2=percent(9))),
        ("shadow_type", "DROP", ShadowType.DROP),
        ("shadow_type", "none", ShadowType.NONE),
        ("shadow_opacity", "0", 0),
        ("shadow_opacity", 100, 100),
    ],
)  # fmt: skip
def test_accepted_geometry_shadows_and_backgrounds(
    name: str, wire: object, expected: object
) -> None:
    """From the wire to types."""
    assert getattr(parse((name, wire)), name) == expected


GEOMETRY_MESSAGES = {
    "bg_image_file": "bg_image_file must be an image in a file part of multipart/form-data.",
    "bg_image_url": "bg_image_url must be the http or https URL of an image.",
    "bg_blur": "bg_blur must be an integer from 0 to 100.",
    "scale": "scale must be original, or a share of the canvas from 10% to 100%.",
    "position": "position must be original, center, or 1 or 2 shares from 0% to 100%, such as 50% or 20% 80%.",
    "roi": "roi must be 4 lengths x1 y1 x2 y2, such as 0px 0px 400px 300px or 10% 10% 90% 90%.",
    "shadow_type": "shadow_type must be one of none, drop.",
    "shadow_opacity": "shadow_opacity must be an integer from 0 to 100.",
}


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        *[("bg_image_file", wire) for wire in ("text", 1, ["x"])],
        *[("bg_image_url", wire) for wire in ("ftp://x", "x.jpg", "http:/x", 3, b"x")],
        ("bg_image_url", "http://" + "x" * 8186),
        *[("bg_blur", wire) for wire in ("-1", "101", "1.5", "20%", True)],
        *[("scale", wire) for wire in ("9.9%", "101%", "50", "50px", "center", "1\u0661%", 0.5)],
        *[("position", wire) for wire in ("left", "50", "-1%", "101%", "1% 2% 3%", "1%,2%", " ")],
        *[("position", wire) for wire in ("center center", "1%\u00a02%", 50)],
        *[("roi", wire) for wire in ("0 0 1 1", "1px 1px 2px", "1px 1px 2px 2px 3px", "all", 4)],
        *[("roi", wire) for wire in ("-1px 0 9px 9px", "1px,1px,9px,9px", "1em 0 9px 9px")],
        *[("roi", wire) for wire in ("0\u00a00 9px 9px", "\u0661px 0 9px 9px", [1, 2, 3, 4])],
        *[("shadow_type", wire) for wire in ("3D", "car", True)],
        *[("shadow_opacity", wire) for wire in ("-1", "101", "0.5", "x")],
    ],
)
def test_refused_geometry_shadows_and_backgrounds(name: str, wire: object) -> None:
    """The exact words."""
    with pytest.raises(InvalidOption) as refusal:
        parse_options([(name, wire)])
    code = "invalid_bg_image" if name.startswith("bg_image") else f"invalid_{name}"
    assert envelope(refusal.value, "r") == {
        "error": {
            "code": code,
            "message": GEOMETRY_MESSAGES[name],
            "status": 400,
            "request_id": "r",
        }
    }


@pytest.mark.parametrize("roi", ["0% 0% 100.1% 50%", "0 0 10px 200%", "101% 0 102% 5px"])
def test_a_roi_beyond_every_photo_is_refused_before_there_is_one(roi: str) -> None:
    """A share of more than the whole is in no photo."""
    with pytest.raises(RoiExceedsBounds) as refusal:
        parse_options([("roi", roi)])
    assert envelope(refusal.value, "r") == {
        "error": {
            "code": "roi_exceeds_bounds",
            "message": "roi must lie within the image: 100% is its whole side.",
            "status": 400,
            "request_id": "r",
        }
    }


@pytest.mark.parametrize("roi", ["5px 0 5px 9px", "0 9% 5px 8%", "0 0 0 0", "9px 0px 8px 100%"])
def test_a_roi_without_a_pixel_is_refused_before_there_is_a_photo(roi: str) -> None:
    """Corners in the wrong order included."""
    with pytest.raises(RoiRegionEmpty) as refusal:
        parse_options([("roi", roi)])
    assert envelope(refusal.value, "r") == {
        "error": {
            "code": "roi_region_empty",
            "message": "roi must contain at least one pixel: x1 must be less than x2, and y1 "
            "less than y2.",
            "status": 400,
            "request_id": "r",
        }
    }


def test_clients_that_send_every_field_with_its_default_work() -> None:
    """As remove.bg's do, an empty file among them."""
    assert parse(("shadow_type", "none"), ("shadow_opacity", "50"), ("scale", "original"),
                 ("bg_image_file", b""), ("bg_image_url", ""), ("roi", None)) == parse()  # fmt: skip


BACKGROUNDS: list[tuple[str, object]] = [
    ("bg_color", "red"),
    ("bg_image_file", b"x"),
    ("bg_image_url", "http://x"),
    ("bg_blur", "1"),
]


@pytest.mark.parametrize("pair", [*itertools.combinations(BACKGROUNDS, 2)])
def test_only_one_background(pair: tuple[tuple[str, object], ...]) -> None:
    """Each pair is refused, whatever its order is, and before either of the two is read."""
    (first, _), (second, _) = pair
    unread = [(name, "?") for name, _ in pair]
    for sent in (pair, pair[::-1], unread, unread[::-1]):
        with pytest.raises(MultipleBackgrounds) as refusal:
            parse_options(sent)
        assert refusal.value.code == "multiple_bg_sources"
        assert str(refusal.value) == (
            f"Only one background is accepted, but {first} and {second} were sent."
        )


def test_names_are_matched_in_any_case() -> None:
    """``BG_Color`` is the option ``bg_color``."""
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
    assert str(refusal.value) == "bg_color must be a valid hex or named color."


@pytest.mark.parametrize(
    "other",
    [("bg_image_file", b"x"), ("bg_image_url", "https://shop.example/b.jpg"), ("bg_blur", "5")],
)
def test_an_empty_bg_color_beside_another_background(other: tuple[str, object]) -> None:
    """The colour was lost, which is what the caller has to mend."""
    with pytest.raises(InvalidOption, match="bg_color must be a valid hex or named color"):
        parse_options([other, ("bg_color", "")])


def test_an_option_that_came_as_a_file_is_told_so() -> None:
    """Its words would do, and are not repeated as those that are accepted."""
    with pytest.raises(InvalidOption) as refusal:
        parse(("size", b"auto"))
    assert refusal.value.code == "invalid_size"
    assert str(refusal.value) == (
        "size must be a text part of the form, and it was sent as a file."
    )


def test_a_background_by_url_where_none_is_fetched() -> None:
    """Only that one is refused."""
    url = ("bg_image_url", "https://shop.example/b.jpg")
    with pytest.raises(BackgroundUrlDisabled):
        parse_options([url], fetches_urls=False)
    assert parse_options([("bg_blur", "5")], fetches_urls=False)[0].bg_blur == 5
    assert parse_options([url])[0].bg_image_url == url[1]


def test_formats_without_transparency() -> None:
    """They are flattened; auto decides by the pixels."""
    assert {name for name in Format if not name.has_alpha} == {"jpg", "bmp", "gif"}


def test_unknown_fields_are_returned_once_each_in_order() -> None:
    """What no option has is for the reply's header, not an error."""
    options, ignored = parse_options([("zoom", "2"), ("Crop", "yes"), ("zoom", "3"), ("a", None)])
    assert options.crop
    assert ignored == ("zoom", "a")


def test_every_row_of_the_table_is_complete() -> None:
    """Messages end with what is accepted, and each option has its field."""
    fields = {field.name for field in dataclasses.fields(Options)}
    assert {option.name for option in OPTIONS} == fields
    for option in OPTIONS:
        assert option.summary.endswith(".")
        assert option.accepted
        assert not option.accepted.endswith(".")


CODES = {
    400: {"multiple_bg_sources", "duplicate_option", "missing_image", "multiple_sources"}
    | {"invalid_base64", "invalid_json", "invalid_form", "invalid_multipart", "invalid_image"}
    | {"image_too_small", "invalid_image_key", "image_url_disabled", "storage_disabled"}
    | {"invalid_bg_image", "roi_exceeds_bounds", "roi_region_empty"}
    | {"invalid_image_url", "image_url_fetch_failed"}
    | {"bad_request"},  # API Gateway's; also of an event that does not come from there
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
        ([[("bg_color", "red")], [("crop", "1")]], [("bg_color", "red"), ("crop", "1")]),
        ([[("crop", "0")], [("bg_blur", "3"), ("crop", "1")]], [("bg_blur", "3"), ("crop", "1")]),
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


def test_a_model_is_one_of_those_that_are_there() -> None:
    """By its exact name; without a list any name that a folder can have."""
    names = ("erase-s", "u2netp.int8")
    for name in names:
        assert parse_options([("Model", name)], models=names)[0].model == name
    assert parse_options([("model", "")], models=names)[0].model is None
    for other in ("isnet", "ERASE-S", "erase-s ", "../erase-s", 5, "x" * 99):
        with pytest.raises(InvalidOption) as refusal:
            parse_options([("model", other)], models=names)
        assert refusal.value.code == "invalid_model"
        assert str(refusal.value) == "model must be one of erase-s, u2netp.int8."
    assert parse(("model", "isnet")).model == "isnet"
    with pytest.raises(InvalidOption, match="must be the name of a model of this deployment"):
        parse(("model", "../erase-s"))


@pytest.mark.parametrize("name", ["bg_image_file", "bg_image_url", "BG_Image_URL"])
def test_an_s3_object_has_no_background_image(name: str) -> None:
    """Whatever the value, and before anything else is said of it; an empty one is absent."""
    with pytest.raises(InvalidOption) as refusal:
        parse_object_options([("bg_color", "red"), (name, "https://example.com/x.jpg")], ())
    assert envelope(refusal.value, "r") == {
        "error": {
            "code": "invalid_bg_image",
            "message": f"{name.lower()} must be left out: S3 objects can have bg_color or bg_blur "
            "instead.",
            "status": 400,
            "request_id": "r",
        }
    }
    options, unknown = parse_object_options([(name, ""), ("format", "jpg"), ("x", "y")], ())
    assert (options.format, unknown) == (Format.JPG, ("x",))
    with pytest.raises(InvalidOption):
        parse_object_options([("model", "b")], ("a",))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("bg_color", "white", "bg_color must be Color or None, not 'white'"),
        ("crop_margin", "5%", "crop_margin must be Margin or None, not '5%'"),
        ("size", "preview", "size must be Size, not 'preview'"),
        ("format", "webp", "format must be Format, not 'webp'"),
        ("roi", "0px 0px 10px 10px", "roi must be Region or None, not '0px 0px 10px 10px'"),
        ("quality", "90", "quality must be int, not '90'"),
        ("quality", True, "quality must be int, not True"),
        ("crop", 1, "crop must be bool, not 1"),
        ("scale", "80%", "scale must be float or None or int, not '80%'"),
        ("bg_image_file", "sky.jpg", "bg_image_file must be bytes or None, not 'sky.jpg'"),
    ],
)
def test_options_hold_no_texts(name: str, value: object, message: str) -> None:
    """They are checked when they are made; later, the photo would be called damaged instead."""
    with pytest.raises(TypeError) as refused:
        Options(**{name: value})  # type: ignore[arg-type] # what a user without mypy writes
    said = f"{message}; cutout.options.parse_options makes Options of texts"
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("quality", 0, "quality must be from 1 to 100, not 0"),
        ("quality", 500, "quality must be from 1 to 100, not 500"),
        ("bg_blur", -1, "bg_blur must be from 0 to 100, not -1"),
        ("shadow_opacity", 101, "shadow_opacity must be from 0 to 100, not 101"),
        ("scale", 9.9, "scale must be from 10 to 100, not 9.9"),
        ("scale", float("nan"), "scale must be from 10 to 100, not nan"),
    ],
)
def test_options_hold_no_number_that_a_request_could_not(
    name: str, value: float, message: str
) -> None:
    """The bounds are those of the table; both of them are accepted."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        Options(**{name: value})  # type: ignore[arg-type] # a field's name and a number


def test_margins_and_positions_are_within_their_bounds() -> None:
    """No request can ask for a margin of 501 px or a position of 101 %, so no Options hold it."""
    with pytest.raises(ValueError, match=r"^a margin must be from 0 to 500, not 501$"):
        Margin(top=ZERO, right=ZERO, bottom=px(501), left=ZERO)
    with pytest.raises(ValueError, match=r"^a margin must be from 0 to 50, not 50\.1$"):
        Margin(top=ZERO, right=ZERO, bottom=ZERO, left=percent(50.1))
    with pytest.raises(ValueError, match=r"^a position must be from 0 to 100, not 101$"):
        Position(x=0, y=101)


def test_regions_have_no_edges_outside_of_every_photo() -> None:
    """A negative edge was once accepted, and ended in a division by 0."""
    with pytest.raises(ValueError, match=r"^an edge of a region must be from 0 to 100, not -1$"):
        Region(x1=percent(-1), y1=ZERO, x2=FULL, y2=FULL)
    with pytest.raises(ValueError, match=r"^an edge of a region must be from 0 to 100, not 101$"):
        Region(x1=ZERO, y1=ZERO, x2=FULL, y2=percent(101))
    for value in (-10, float("nan"), float("inf")):
        message = f"^an edge of a region must be from 0 to 1000000000, not {value}$"
        with pytest.raises(ValueError, match=message):
            Region(x1=ZERO, y1=px(value), x2=FULL, y2=FULL)


def test_a_whole_number_is_a_share_too() -> None:
    """Type checkers take an int for a float, and so do Options."""
    assert Options(scale=80) == Options(scale=80.0)
