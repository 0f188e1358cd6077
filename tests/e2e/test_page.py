"""The pages in a real Chromium, used as a person uses them, behind a stage of API Gateway."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
import skimage.data
from PIL import Image
from stage import Stage, staged
from test_serve import serve as serve_plain
from test_serve_s3 import serve

from image_files import encoded, heic_of
from make_events import KEY, PHOTO

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("there is no Chromium on this machine", allow_module_level=True)
playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: make e2e does that"
)
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="make e2e installs axe")

Page = Any
expect = playwright.expect
expect.set_options(timeout=60_000)  # a busy machine is slow, and no fault of the page

ROOT = Path(__file__).resolve().parents[2]
JPEG = PHOTO.read_bytes()
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
STORED_KEY = "sessionStorage.getItem('cutout-api-key')"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Serve the API with its buckets, as the stage ``/live``.

    Only pages of a shop may call the API from another origin, and these pages are not the shop's.
    """
    shop = "https://shop.example"
    with (
        serve("--s3-port", "0", ALLOWED_ORIGIN=shop) as served,
        staged(served.ready["url"]) as stage,
    ):
        yield stage


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Run Chromium."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, stage: Stage, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a tab; at its end, no script has failed and the policy has refused nothing."""
    options = {"viewport": WIDE, **getattr(request, "param", {})}
    context = browser.new_context(accept_downloads=True, **options)
    context.set_default_timeout(60_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text))
    yield page
    context.close()
    stage.reset()
    # The browser itself notes each request that fails, which is what some tests are about.
    assert [line for line in complaints if not line.startswith("Failed to load resource")] == []


def enter_key(page: Page, key: str = KEY) -> None:
    """Type a key as a person does."""
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use").click()


def opened(page: Page, stage: Stage) -> Page:
    """Open the page, with the key accepted and the options read."""
    page.goto(stage.url)
    enter_key(page)
    expect(page.locator("#key-state")).to_have_text("Accepted")
    expect(page.locator("#field-format")).to_be_attached()
    return page


def add(page: Page, *files: tuple[str, bytes]) -> None:
    """Pick files as with the file dialog."""
    page.locator("#files").set_input_files(
        [{"name": name, "mimeType": "image/jpeg", "buffer": body} for name, body in files]
    )


def row(page: Page, name: str) -> Any:
    """Return the line of a photo in the queue."""
    return page.locator("#items li").filter(has=page.get_by_text(name, exact=True))


def expect_state(page: Page, name: str, state: str) -> None:
    """Wait until a photo has come so far."""
    expect(row(page, name)).to_have_attribute("data-state", state)


def opened_with_a_cutout(page: Page, stage: Stage) -> None:
    """Open the page, and let it cut out ``photo.jpg``."""
    opened(page, stage)
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "done")


def show_matte(page: Page) -> None:
    """Choose the view of the matte, and wait until it is there."""
    page.get_by_role("radio", name="Matte").check(force=True)
    expect(page.locator("#after")).to_have_attribute("alt", re.compile("the matte"))


def apply_format(page: Page, target: str, name: str = "photo.jpg") -> None:
    """Choose a format, press Apply, and wait until a photo has it."""
    page.locator("#field-format").select_option(target)
    page.get_by_role("button", name="Apply").click()
    expect(row(page, name).locator(".status")).to_contain_text(target.upper())


def set_fields(page: Page, **values: str) -> None:
    """Set options without an event, so that photos which are added later are sent with them."""
    for name, value in values.items():
        page.locator(f"#field-{name}").evaluate("(field, value) => { field.value = value; }", value)


def zipped(page: Page) -> zipfile.ZipFile:
    """Return the archive that the button for all photos downloads."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all (zip)").click()
    return zipfile.ZipFile(download.value.path())


def saved(page: Page, name: str) -> bytes:
    """Return the file that the button of a photo downloads."""
    with page.expect_download() as download:
        row(page, name).get_by_role("button", name="Download").click()
    return Path(download.value.path()).read_bytes()


def shown(page: Page, selector: str = "#after") -> Image.Image:
    """Return the picture that an element of the page shows."""
    data = page.evaluate(
        """async (selector) => {
          const image = document.querySelector(selector);
          await image.decode();
          const canvas = document.createElement("canvas");
          canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
          canvas.getContext("2d").drawImage(image, 0, 0);
          return canvas.toDataURL("image/png").split(",")[1];
        }""",
        selector,
    )
    return Image.open(io.BytesIO(base64.b64decode(data)))


def cut(stage: Stage, body: bytes = JPEG, **fields: str) -> bytes:
    """Return what the API answers to the same request."""
    reply = requests.post(
        f"{stage.target}/v2",
        headers={"x-api-key": KEY},
        files={"image_file": body},
        data=fields,
        timeout=120,
    )
    assert reply.ok, reply.text
    return reply.content


def jpeg(width: int, height: int) -> bytes:
    """Return the astronaut at this size."""
    return encoded(Image.fromarray(skimage.data.astronaut()).resize((width, height)), "JPEG")


def noisy_jpeg(quality: int = 98) -> bytes:
    """Return a photo of 2200 px square with film grain, which does not compress.

    It has more bytes than one request carries; of quality 70 it has fewer, and its result more.
    """
    photo = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((2200, 2200)))
    grain = np.random.default_rng(12).integers(-60, 60, photo.shape)
    noisy = (photo.astype(int) + grain).clip(0, 255).astype(np.uint8)
    return encoded(Image.fromarray(noisy), "JPEG", quality=quality)


# ---- photos and results


def test_a_photo_becomes_the_apis_own_cutout(page: Page, stage: Stage) -> None:
    """The file is the reply's, byte for byte, and the picture on the page has its pixels."""
    opened_with_a_cutout(page, stage)
    body = cut(stage)
    assert saved(page, "photo.jpg") == body
    mine, theirs = np.asarray(shown(page)), np.asarray(Image.open(io.BytesIO(body)))
    assert mine.shape == theirs.shape == (320, 320, 4)
    assert np.array_equal(mine[..., 3], theirs[..., 3])
    opaque = theirs[..., 3] == 255
    assert np.array_equal(mine[opaque], theirs[opaque])
    facts = page.locator("#facts")
    for text in ("320 × 320 px", "Coverage", "Confidence", "matte", "request_id", "in the reply"):
        expect(facts).to_contain_text(text)


def test_the_views(page: Page, stage: Stage) -> None:
    """The matte is the result's alpha, the original is the photo, and the divider divides."""
    opened_with_a_cutout(page, stage)
    divider = page.get_by_label("How much of the photo before is shown, in percent")
    expect(divider).to_be_attached()
    assert "50%" in page.locator("#before").evaluate("image => image.style.clipPath")
    divider.focus()
    page.keyboard.press("ArrowRight")
    assert "49%" in page.locator("#before").evaluate("image => image.style.clipPath")

    show_matte(page)
    alpha = np.asarray(Image.open(io.BytesIO(cut(stage))))[..., 3]
    assert np.array_equal(np.asarray(shown(page).convert("L")), alpha)

    page.get_by_role("radio", name="Original").check(force=True)
    expect(page.locator("#before")).to_have_attribute("alt", re.compile("the original"))
    assert shown(page, "#before").size == (320, 320)

    page.get_by_role("radio", name="Result").check(force=True)
    page.get_by_label("Subject’s box").check()
    box = page.locator("#box")
    expect(box).to_be_visible()
    reply = requests.post(
        f"{stage.target}/v2", headers={"x-api-key": KEY}, files={"image_file": JPEG}, timeout=60
    )
    assert box.evaluate("box => box.style.width") == f"{reply.headers['X-Foreground-Width']}px"


def test_the_photo_is_in_sight_while_it_is_cut_out(page: Page, stage: Stage) -> None:
    """With a sign that work goes on, which a finished photo beside it does not have."""
    opened(page, stage)
    add(page, ("done.jpg", JPEG))
    expect_state(page, "done.jpg", "done")
    stage.delay_s = 20
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "working")
    expect(page.locator("#before")).to_have_attribute("alt", "photo.jpg, the original")
    expect(page.locator("#before")).to_be_visible()
    expect(page.locator("#message")).to_be_hidden()
    busy = re.compile(r"\bbusy\b")
    expect(page.locator("#stage")).to_have_class(busy)
    row(page, "done.jpg").locator(".pick").click()
    expect(page.locator("#stage")).not_to_have_class(busy)
    row(page, "photo.jpg").locator(".pick").click()
    expect(page.locator("#stage")).to_have_class(busy)


def test_the_matte_of_a_large_photo_comes_by_its_url(page: Page, stage: Stage) -> None:
    """It is a PNG whatever the format is. A redirect to S3 would take the API key with it."""
    opened(page, stage)
    add(page, ("photo.jpg", jpeg(1100, 1100)))
    expect_state(page, "photo.jpg", "done")
    apply_format(page, "jpg")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    show_matte(page)
    assert [url for url in fetched if "/results/" in url]


def test_the_matte_of_an_opaque_result_is_asked_for(page: Page, stage: Stage) -> None:
    """A JPEG has no alpha, so the service is asked for the matte alone."""
    opened(page, stage)
    page.get_by_role("button", name="An astronaut in an orange suit").click()
    expect_state(page, "astronaut.webp", "done")
    apply_format(page, "jpg", "astronaut.webp")
    show_matte(page)
    matte = np.asarray(shown(page).convert("RGB"))
    assert np.array_equal(matte[..., 0], matte[..., 1])
    assert matte.min() == 0
    assert matte.max() == 255


def test_the_matte_shows_no_shadow(page: Page, stage: Stage) -> None:
    """The alpha of a result with a shadow holds the shadow too; the matte is the subject's."""
    opened(page, stage)
    set_fields(page, shadow_type="drop")
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "done")
    show_matte(page)
    matte = np.asarray(Image.open(io.BytesIO(cut(stage, channels="alpha"))))
    assert np.array_equal(np.asarray(shown(page).convert("L")), matte)


COUNT_URLS = """globalThis.urls = new Set();
const { createObjectURL, revokeObjectURL } = URL;
URL.createObjectURL = (blob) => {
  const url = createObjectURL(blob);
  urls.add(url);
  return url;
};
URL.revokeObjectURL = (url) => {
  urls.delete(url);
  revokeObjectURL(url);
};"""


def test_a_matte_is_asked_for_once_and_its_memory_given_back(page: Page, stage: Stage) -> None:
    """With a sign of the work. Whoever looks elsewhere and comes back waits for the same answer."""
    page.add_init_script(COUNT_URLS)
    opened(page, stage)
    set_fields(page, format="jpg")
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "done")
    stage.asked.clear()
    stage.delay_s = 12
    page.get_by_role("radio", name="Matte").check(force=True)
    expect(page.locator("#stage")).to_have_class(re.compile(r"\bbusy\b"))
    page.get_by_role("radio", name="Result").check(force=True)
    expect(page.locator("#stage")).not_to_have_class(re.compile(r"\bbusy\b"))
    show_matte(page)
    expect(page.locator("#stage")).not_to_have_class(re.compile(r"\bbusy\b"))
    assert [path for method, path, _ in stage.asked if method == "POST"] == ["/live/v2"]
    stage.delay_s = 0
    apply_format(page, "png")
    expect(page.locator("#after")).to_have_attribute("alt", re.compile("the matte"))
    alpha = np.asarray(Image.open(io.BytesIO(cut(stage))))[..., 3]
    assert np.array_equal(np.asarray(shown(page).convert("L")), alpha)
    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_role("button", name="Choose photos")).to_be_visible()
    assert page.evaluate("urls.size") == 0


def test_a_photo_whose_matte_is_on_its_way_is_in_sight(page: Page, stage: Stage) -> None:
    """And not the matte of the photo, or the fault, that was looked at before."""
    opened(page, stage)
    set_fields(page, format="jpg")
    add(page, ("first.jpg", JPEG), ("second.jpg", JPEG), ("broken.jpg", b"no photo"))
    for name, state in (("first.jpg", "done"), ("second.jpg", "done"), ("broken.jpg", "failed")):
        expect_state(page, name, state)
    page.get_by_role("radio", name="Matte").check(force=True)
    after = page.locator("#after")
    expect(after).to_have_attribute("alt", re.compile("first.jpg, the matte"))
    stage.delay_s = 10
    row(page, "second.jpg").locator(".pick").click()
    expect(page.locator("#stage")).to_have_class(re.compile(r"\bbusy\b"))
    assert after.get_attribute("alt") == "second.jpg, cut out"
    row(page, "broken.jpg").locator(".pick").click()
    expect(page.locator("#message")).to_contain_text("invalid_image")
    row(page, "second.jpg").locator(".pick").click()
    expect(page.locator("#stage")).to_have_class(re.compile(r"\bbusy\b"))
    assert page.locator("#message").is_hidden()
    expect(after).to_have_attribute("alt", re.compile("second.jpg, the matte"))


def test_zoom_and_panning(page: Page, stage: Stage) -> None:
    """By buttons, by keys, by the wheel and by dragging; pixels stay pixels."""
    opened_with_a_cutout(page, stage)
    page.get_by_role("radio", name="Result").check(force=True)
    scene = page.locator("#scene")
    before = scene.bounding_box()
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    expect(scene).to_have_class(re.compile("pixels"))
    assert scene.bounding_box()["width"] > 4 * before["width"]
    left = scene.bounding_box()["x"]
    stage_box = page.locator("#stage").bounding_box()
    x, y = stage_box["x"] + stage_box["width"] / 2, stage_box["y"] + stage_box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 50, y)
    page.mouse.up()
    assert scene.bounding_box()["x"] == pytest.approx(left - 50, abs=1)
    page.mouse.wheel(0, -200)
    page.locator("#stage").focus()
    page.keyboard.press("0")
    assert scene.bounding_box() == before


HOLD_DECODING = """const decode = HTMLImageElement.prototype.decode;
HTMLImageElement.prototype.decode = async function () {
  await globalThis.held;
  return decode.call(this);
};"""


def test_a_picture_that_is_ready_too_late_is_not_shown(page: Page, stage: Stage) -> None:
    """A large one takes seconds; by then a person may look at a photo that has failed."""
    page.add_init_script(HOLD_DECODING)
    opened(page, stage)
    add(page, ("photo.jpg", JPEG), ("broken.jpg", b"no photo"))
    expect_state(page, "photo.jpg", "done")
    expect_state(page, "broken.jpg", "failed")
    row(page, "broken.jpg").locator(".pick").click()
    expect(page.locator("#message")).to_contain_text("invalid_image")
    page.evaluate("() => { globalThis.held = new Promise((go) => { globalThis.letGo = go; }); }")
    row(page, "photo.jpg").locator(".pick").click()
    expect(page.locator("#message")).to_be_hidden()
    row(page, "broken.jpg").locator(".pick").click()
    expect(page.locator("#message")).to_contain_text("invalid_image")
    page.evaluate(
        """async () => {
          letGo();
          const pictures = ["after", "before"].map((id) => document.getElementById(id));
          for (const picture of pictures) await picture.decode();
          await new Promise(requestAnimationFrame);
        }"""
    )
    expect(page.locator("#message")).to_be_visible()
    expect(page.locator("#scene")).to_be_hidden()
    expect(page.locator("#divider")).to_be_hidden()


def test_a_button_is_called_as_it_looks(page: Page, stage: Stage) -> None:
    """Whoever speaks to the browser says what is written there: WCAG 2.5.3."""
    opened_with_a_cutout(page, stage)
    page.get_by_role("button", name="Zoom in").click()
    value = page.locator("#zoom-value").text_content()
    page.get_by_role("button", name=f"{value} fit into the window").click()
    expect(page.locator("#stage")).not_to_have_class(re.compile("movable"))


def test_backgrounds(page: Page, stage: Stage) -> None:
    """A colour is first only shown, and then put into the file."""
    opened_with_a_cutout(page, stage)
    page.get_by_role("radio", name="White").check(force=True)
    color = page.locator("#backdrop").evaluate("element => element.style.backgroundColor")
    assert color == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Put it into the file").click()
    expect(page.locator("#field-bg_color")).to_have_value("#ffffff")
    expect_state(page, "photo.jpg", "done")
    assert saved(page, "photo.jpg") == cut(stage, bg_color="#ffffff")

    with page.expect_file_chooser() as chooser:
        page.get_by_role("radio", name="A picture of your own").check(force=True)
    chooser.value.set_files([{"name": "sky.jpg", "mimeType": "image/jpeg", "buffer": JPEG}])
    page.get_by_role("button", name="Put it into the file").click()
    expect(page.locator("#field-bg_color")).to_have_value("")
    expect_state(page, "photo.jpg", "done")
    picture = Image.open(io.BytesIO(saved(page, "photo.jpg")))
    assert np.asarray(picture.convert("RGBA"))[..., 3].min() == 255


def test_the_backdrop_is_the_chosen_one_after_coming_back(page: Page, stage: Stage) -> None:
    """A browser sets what was chosen before, without an event."""
    opened(page, stage)
    add(page, ("photo.jpg", JPEG))
    page.get_by_role("radio", name="White").check(force=True)
    page.goto(f"{stage.url}/docs")
    page.go_back()
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "done")
    expect(page.get_by_role("radio", name="White")).to_be_checked()
    expect(page.locator("#backdrop")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.locator("#backdrop")).to_have_css("background-image", "none")


def test_the_picture_behind_is_the_chosen_one_after_coming_back(page: Page, stage: Stage) -> None:
    """A browser sets its file again, too, without an event."""
    opened_with_a_cutout(page, stage)
    page.evaluate(
        """() => {
          const held = new DataTransfer();
          held.items.add(new File(["sky"], "sky.png", { type: "image/png" }));
          document.getElementById("picture").files = held.files;
          document.querySelector("input[name=on][value=picture]").checked = true;
          dispatchEvent(new Event("pageshow"));
        }"""
    )
    expect(page.locator("#backdrop")).to_have_css("background-image", re.compile("blob:"))
    expect(page.get_by_role("button", name="Put it into the file")).to_be_visible()


def test_every_option_is_on_the_page(page: Page, stage: Stage) -> None:
    """Those of the document, five of them open at first; the default model has its name."""
    opened(page, stage)
    add(page, ("photo.jpg", JPEG))
    document = requests.get(f"{stage.target}/openapi.json", timeout=30).json()
    told = document["components"]["schemas"]["RemovalForm"]["properties"].keys() - {"image_file"}
    found = page.locator("[id^=field-]:not([id$=-hint])").evaluate_all("all => all.map(e => e.id)")
    assert {name.removeprefix("field-") for name in found} == told
    assert page.locator("#options-first .field").count() == 5
    expect(page.locator("#field-quality")).to_be_hidden()
    page.get_by_text("All options").click()
    expect(page.locator("#field-quality")).to_be_visible()
    models = page.locator("#field-model option")
    assert models.evaluate_all("all => all.map(one => one.text)") == ["erase-s (default)"]


def test_values_are_no_words_to_check(page: Page, stage: Stage) -> None:
    """A browser's spelling checker would underline them, and some send what they check away."""
    opened(page, stage)
    checked = "all => all.filter((one) => one.spellcheck).map((one) => one.id)"
    texts = "input:not([type]), input[type=text], input[type=password], textarea"
    assert page.locator(texts).count() > 5
    assert page.locator(texts).evaluate_all(checked) == []
    page.goto(f"{stage.url}/docs")
    expect(page.locator("article").first).to_be_visible()
    assert page.locator("textarea").count() > 0
    assert page.locator(texts).evaluate_all(checked) == []


def test_an_option_that_is_refused(page: Page, stage: Stage) -> None:
    """It is told at the buttons and under the picture, where the last result stays."""
    opened_with_a_cutout(page, stage)
    page.locator("#field-bg_color").fill("bluish")
    page.get_by_role("button", name="Apply").click()
    expect_state(page, "photo.jpg", "failed")
    facts = page.locator("#facts")
    expect(facts).to_contain_text("bg_color must be a valid hex or named color.")
    expect(facts).to_contain_text("invalid_bg_color")
    expect(facts).to_contain_text("The picture is the last result, which has other options.")
    expect(page.locator("#message")).to_be_hidden()
    assert shown(page).size == (320, 320)
    said = page.locator("#options-fault")
    expect(said).to_have_text("bg_color must be a valid hex or named color.")
    expect(page.locator("[aria-invalid=true]")).to_have_id("field-bg_color")
    expect(page.locator("#field-bg_color")).to_have_css("border-color", "rgb(179, 38, 30)")
    panel = page.locator(".panel")
    panel.evaluate("panel => { panel.scrollTop = 1e6; }")
    top = panel.evaluate("panel => panel.scrollTop")
    page.get_by_role("radio", name="Result").check(force=True)
    expect(page.locator("#facts")).to_contain_text("invalid_bg_color")
    assert top == panel.evaluate("panel => panel.scrollTop") > 0
    assert saved(page, "photo.jpg") == cut(stage)
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Try again").click()
    expect_state(page, "photo.jpg", "done")
    expect(facts).to_contain_text("Coverage")
    expect(said).to_be_hidden()
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)
    expect(page.locator("#apply")).to_be_disabled()


@pytest.mark.parametrize("typed", ["500", "9-e", "50,5"])
def test_a_number_that_is_refused(page: Page, stage: Stage, typed: str) -> None:
    """What was typed is what is sent, and the service's words are shown, where they say it."""
    opened_with_a_cutout(page, stage)
    page.get_by_text("All options").click()
    page.locator("#field-quality").press_sequentially(typed)
    page.get_by_text("All options").click()
    expect(page.locator("#field-quality")).to_be_hidden()
    page.get_by_role("button", name="Apply").click()
    expect_state(page, "photo.jpg", "failed")
    expect(page.locator("#options-fault")).to_contain_text("quality must be")
    expect(page.locator("#field-quality")).to_be_visible()
    expect(page.locator("[aria-invalid=true]")).to_have_id("field-quality")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"bg_color": "white", "bg_blur": "20"}, "multiple_bg_sources"),
        ({"roi": "50% 50% 50% 80%"}, "roi_region_empty"),
        ({"roi": "0 0 900px 900px"}, "roi_exceeds_bounds"),
    ],
)
def test_options_that_do_not_fit(
    page: Page, stage: Stage, values: dict[str, str], code: str
) -> None:
    """Together, or with this photo: each is marked, and it is told where one has pressed Apply."""
    opened_with_a_cutout(page, stage)
    page.get_by_text("All options").click()
    for name, value in values.items():
        page.locator(f"#field-{name}").fill(value)
    page.get_by_role("button", name="Apply").click()
    expect_state(page, "photo.jpg", "failed")
    expect(page.locator("#facts")).to_contain_text(code)
    said = page.locator("#facts .fault").text_content()
    expect(page.locator("#options-fault")).to_have_text(said or "nothing")
    marked = page.locator("[aria-invalid=true]").evaluate_all("all => all.map((one) => one.id)")
    assert marked == [f"field-{name}" for name in values]


def test_a_queue_of_five_with_a_broken_one(page: Page, stage: Stage) -> None:
    """Three at a time; the broken one says why, beside an empty thumbnail; the zip has four."""
    opened(page, stage)
    stage.delay_s = 0.5
    names = [f"{number}.jpg" for number in range(4)]
    broken = ("broken.jpg", b"this is no photo")
    add(page, *[(name, JPEG) for name in names[:2]], broken, *[(name, JPEG) for name in names[2:]])
    for name in names:
        expect_state(page, name, "done")
    expect_state(page, "broken.jpg", "failed")
    expect(row(page, "broken.jpg").locator(".thumb")).to_have_js_property("naturalWidth", 1)
    assert 1 < stage.most_at_once <= 3
    row(page, "broken.jpg").locator(".pick").click()
    message = page.locator("#message")
    expect(message).to_contain_text("invalid_image")
    expect(message).to_contain_text(re.compile("request_id [0-9a-f-]{36}"))
    with zipped(page) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{number}-cutout.png" for number in range(4)]
        assert archive.read("0-cutout.png") == cut(stage)
    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_photos_with_the_same_name(page: Page, stage: Stage) -> None:
    """None of them is lost in the zip."""
    opened(page, stage)
    add(page, ("a.jpg", JPEG), ("a.jpg", JPEG), ("ä.jpg", JPEG))
    expect(page.locator("#items li[data-state=done]")).to_have_count(3)
    with zipped(page) as archive:
        assert archive.namelist() == ["a-cutout.png", "a-cutout-2.png", "ä-cutout.png"]
        assert archive.testzip() is None


def test_photos_with_the_longest_names(page: Page, stage: Stage, tmp_path: Path) -> None:
    """A file system takes 255 bytes: their cutouts can be unpacked, and none is another's."""
    opened(page, stage)
    names = ["a" * 251 + ".jpg", "a" * 250 + "b.jpg", "あ" * 83 + ".jpg"]
    add(page, *[(name, JPEG) for name in names])
    expect(page.locator("#items li[data-state=done]")).to_have_count(3)
    with zipped(page) as archive:
        archive.extractall(tmp_path)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {
        "a" * 235 + "-cutout.png",
        "a" * 235 + "-cutout-2.png",
        "あ" * 78 + "-cutout.png",
    }


def test_photos_whose_names_differ_by_case(page: Page, stage: Stage) -> None:
    """On Windows and on a Mac, one would be unpacked over the other."""
    opened(page, stage)
    names = ["a.jpg", "A.jpg", "\u00e4.jpg", "a\u0308.jpg"]
    add(page, *[(name, JPEG) for name in names])
    expect(page.locator("#items li[data-state=done]")).to_have_count(4)
    with zipped(page) as archive:
        assert archive.namelist() == [
            "a-cutout.png",
            "A-cutout-2.png",
            "\u00e4-cutout.png",
            "a\u0308-cutout-2.png",
        ]


def test_cancel_and_retry(page: Page, stage: Stage) -> None:
    """A photo that is cancelled is not cut out until it is tried again."""
    opened(page, stage)
    stage.delay_s = 5
    add(page, ("photo.jpg", JPEG))
    row(page, "photo.jpg").get_by_role("button", name="Cancel").click()
    expect_state(page, "photo.jpg", "cancelled")
    stage.delay_s = 0
    row(page, "photo.jpg").get_by_role("button", name="Retry").click()
    expect_state(page, "photo.jpg", "done")


def test_what_is_stopped_before_it_is_sent_is_never_sent(page: Page, stage: Stage) -> None:
    """A large photo takes the browser seconds to measure; it can be stopped meanwhile."""
    page.add_init_script(
        """const decode = HTMLImageElement.prototype.decode;
        HTMLImageElement.prototype.decode = async function () {
          await new Promise((done) => { setTimeout(done, 5000); });
          return decode.call(this);
        };"""
    )
    opened(page, stage)
    add(page, ("first.jpg", JPEG), ("second.jpg", JPEG), ("third.jpg", JPEG))
    row(page, "first.jpg").get_by_role("button", name="Cancel").click()
    expect_state(page, "first.jpg", "cancelled")
    row(page, "second.jpg").get_by_role("button", name="Remove").click()
    row(page, "first.jpg").get_by_role("button", name="Remove").click()
    page.locator("#field-format").select_option("jpg")
    page.get_by_role("button", name="Apply").click()
    expect_state(page, "third.jpg", "done")
    assert saved(page, "third.jpg") == cut(stage, format="jpg")
    sent = [
        headers for method, path, headers in stage.asked if (method, path) == ("POST", "/live/v2")
    ]
    assert [headers.get("x-api-key") for headers in sent] == [KEY]


def test_a_file_that_changes_after_it_is_chosen(page: Page, stage: Stage, tmp_path: Path) -> None:
    """A browser does not send it; the network is not at fault. Chosen again, it is sent."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(JPEG)
    opened(page, stage)
    page.locator("#files").set_input_files(photo)
    expect_state(page, "photo.jpg", "done")
    photo.write_bytes(jpeg(300, 200))
    os.utime(photo, (0, 0))
    page.locator("#field-format").select_option("jpg")
    page.get_by_role("button", name="Apply").click()
    expect_state(page, "photo.jpg", "failed")
    expect(row(page, "photo.jpg").locator(".status")).to_have_text(
        "The browser cannot read photo.jpg. It is a folder, or the file has changed since it was "
        "chosen. Choose it again."
    )
    row(page, "photo.jpg").get_by_role("button", name="Remove").click()
    page.locator("#files").set_input_files(photo)
    expect_state(page, "photo.jpg", "done")
    assert shown(page).size == (300, 200)


def test_too_many_requests_are_sent_again_when_told(page: Page, stage: Stage) -> None:
    """After the time that Retry-After says."""
    error = {"code": "rate_limit_exceeded", "message": "Wait.", "status": 429, "request_id": "r"}
    body = json.dumps({"error": error}).encode()
    refused: list[str] = []

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes] | None:
        if (method, path) != ("POST", "/v2") or refused:
            return None
        refused.append(path)
        return 429, {"Content-Type": "application/json", "Retry-After": "2"}, body

    opened(page, stage)
    stage.answer = answer
    add(page, ("photo.jpg", JPEG))
    expect(row(page, "photo.jpg")).to_contain_text("Tries again in")
    expect_state(page, "photo.jpg", "done")
    assert [path for method, path, _ in stage.asked if path == "/live/v2"] == ["/live/v2"] * 2


def test_a_large_photo_goes_through_s3(page: Page, stage: Stage) -> None:
    """By an upload, and its result by a URL, without a word from the person."""
    photo = noisy_jpeg()
    assert len(photo) > 4_700_000
    opened(page, stage)
    add(page, ("large.jpg", photo))
    expect_state(page, "large.jpg", "done")
    for text in ("by an upload to S3", "by its URL"):
        expect(page.locator("#facts")).to_contain_text(text)
    assert Image.open(io.BytesIO(saved(page, "large.jpg"))).size == (2200, 2200)
    expect(page.locator("#code")).to_contain_text("/live/v2/uploads")


def test_a_background_that_is_too_large_for_a_request(page: Page, stage: Stage) -> None:
    """Only the photo can go through S3. It is told at once, and at the option."""
    opened_with_a_cutout(page, stage)
    page.get_by_text("All options").click()
    sky = {"name": "sky.jpg", "mimeType": "image/jpeg", "buffer": noisy_jpeg()}
    page.locator("#field-bg_image_file").set_input_files([sky])
    stage.asked.clear()
    page.get_by_role("button", name="Apply").click()
    expect_state(page, "photo.jpg", "failed")
    expect(page.locator("#options-fault")).to_have_text(
        re.compile(
            r"^The background sky\.jpg has \d\.\d MB, and one request takes 4\.7 MB\. "
            r"Choose a smaller picture\.$"
        )
    )
    expect(page.locator("[aria-invalid=true]")).to_have_id("field-bg_image_file")
    assert stage.asked == []


def test_a_large_photo_is_not_said_to_be_sent_any_more(page: Page, stage: Stage) -> None:
    """Once it is in S3, the service works on it."""
    opened(page, stage)
    stage.delay_s = 20
    add(page, ("large.jpg", noisy_jpeg()))
    while ("POST", "/live/v2") not in [(method, path) for method, path, _ in stage.asked]:
        page.wait_for_timeout(50)
    assert row(page, "large.jpg").get_attribute("data-state") == "working"
    assert row(page, "large.jpg").locator(".status").text_content() == "Cuts out…"


def test_a_large_jpg_keeps_what_is_told_of_it(page: Page, stage: Stage) -> None:
    """A redirect to S3 would lose the headers. Its photo fits into the request."""
    body = noisy_jpeg(quality=70)
    assert len(body) < 4_500_000
    opened(page, stage)
    set_fields(page, format="jpg", bg_blur="0", quality="100")
    add(page, ("photo.jpg", body))
    expect_state(page, "photo.jpg", "done")
    assert len(saved(page, "photo.jpg")) > 4_800_000
    for text in ("Coverage", "Confidence", "in the request", "by its URL"):
        expect(page.locator("#facts")).to_contain_text(text)


def test_a_large_result_where_auto_is_a_choice(page: Page) -> None:
    """A deployment may have another default. Its page follows no redirect, either."""
    body = noisy_jpeg(quality=70)
    with (
        serve("--s3-port", "0", DEFAULT_RESPONSE="inline") as served,
        staged(served.ready["url"]) as stage,
    ):
        opened(page, stage)
        set_fields(page, response="auto", bg_blur="0")
        add(page, ("photo.jpg", body))
        expect_state(page, "photo.jpg", "done")
        for text in ("Coverage", "request_id", "by its URL"):
            expect(page.locator("#facts")).to_contain_text(text)


def test_a_bucket_that_cannot_be_reached(page: Page, stage: Stage) -> None:
    """A page learns nothing of why; the words say where to look. Smaller photos work."""
    hosts = []

    def refuse(route: Any) -> None:
        hosts.append(urlsplit(route.request.url).netloc)
        route.abort()

    opened(page, stage)
    page.route(re.compile("/cutout-input"), refuse)
    add(page, ("large.jpg", noisy_jpeg()), ("photo.jpg", JPEG))
    expect_state(page, "large.jpg", "failed")
    expect_state(page, "photo.jpg", "done")
    expect(page.locator("#message")).to_contain_text(
        "The browser could not exchange the file with S3, where large photos go. If smaller photos "
        f"work, a firewall or a browser extension may block {hosts[0]}."
    )


def test_a_photo_that_the_browser_cannot_show(page: Page, stage: Stage) -> None:
    """HEIC is shown by its result."""
    opened(page, stage)
    add(page, ("photo.heic", heic_of(Image.open(PHOTO))))
    expect_state(page, "photo.heic", "done")
    assert shown(page).size == (320, 320)
    expect(page.get_by_role("radio", name="Compare")).to_be_disabled()


@pytest.mark.parametrize(("target", "begins"), [("zip", b"PK"), ("tiff", b"II*")])
def test_a_result_that_the_browser_cannot_show(
    page: Page, stage: Stage, target: str, begins: bytes
) -> None:
    """The page says so, and the file can be downloaded."""
    opened(page, stage)
    add(page, ("photo.jpg", JPEG))
    apply_format(page, target)
    expect(page.locator("#message")).to_contain_text("This browser cannot show this format.")
    expect(page.get_by_role("radio", name="Matte")).to_be_disabled()
    assert saved(page, "photo.jpg").startswith(begins)


def test_paste_and_drop(page: Page, stage: Stage) -> None:
    """Both take files from the event."""
    opened(page, stage)
    for kind in ("paste", "drop"):
        page.evaluate(
            """([kind, base64]) => {
              const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
              const data = new DataTransfer();
              data.items.add(new File([bytes], `${kind}.jpg`, { type: "image/jpeg" }));
              const event = kind === "paste"
                ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true })
                : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
              document.body.dispatchEvent(event);
            }""",
            [kind, base64.b64encode(JPEG).decode()],
        )
        expect_state(page, f"{kind}.jpg", "done")


def test_a_picture_that_is_dropped_on_an_options_field(page: Page, stage: Stage) -> None:
    """It is the background, and no more photo to cut out. The veil does not hide the field."""
    opened(page, stage)
    add(page, ("photo.jpg", JPEG))
    page.get_by_text("All options").click()
    field = page.locator("#field-bg_image_file")
    field.hover()  # which scrolls to where nothing covers it
    box = field.bounding_box()
    devtools = page.context.new_cdp_session(page)

    def drag(kind: str, x: float, y: float) -> None:
        data = {"items": [], "files": [str(PHOTO)], "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})

    drag("dragEnter", 300, 300)
    drag("dragOver", 300, 300)
    expect(page.locator("#veil")).to_be_visible()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for _ in range(2):  # the first is the one that enters the field
        drag("dragOver", *middle)
    expect(page.locator("#veil")).to_be_hidden()
    drag("drop", *middle)
    expect(field).to_have_js_property("files.length", 1)
    assert page.locator("#items li").count() == 1
    expect(page.locator("#apply")).to_be_enabled()


PASTE = """(field) => {
  const data = new DataTransfer();
  data.items.add(new File(["picture"], "image.png", { type: "image/png" }));
  data.setData("text/plain", "my-key");
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
}"""


def test_a_text_that_is_pasted_with_a_picture_of_itself(page: Page, stage: Stage) -> None:
    """Word and Excel put both into the clipboard. In a field the text is meant."""
    opened(page, stage)
    page.locator("#key").evaluate(PASTE)
    expect(page.get_by_role("button", name="Choose photos")).to_be_visible()
    assert page.locator("#items li").count() == 0


@pytest.mark.parametrize("chosen", ["#views input", "#show-box", "#divide", "#field-bg_image_file"])
def test_a_photo_that_is_pasted_with_its_name(page: Page, stage: Stage, chosen: str) -> None:
    """A Mac puts both into the clipboard. What has the focus after a click takes no text."""
    opened(page, stage)
    page.locator(chosen).first.evaluate(PASTE)
    assert page.locator("#items li").count() == 1


# ---- the key, the network, the address


def test_a_key_that_is_refused(page: Page, stage: Stage) -> None:
    """The photo waits for a good one, which stays in the tab and in no address."""
    page.goto(stage.url)
    add(page, ("photo.jpg", JPEG))
    expect(row(page, "photo.jpg")).to_contain_text("Waits for the API key")
    enter_key(page, "wrong")
    expect(page.locator("#key-state")).to_have_text("This key is not accepted")
    enter_key(page)
    expect_state(page, "photo.jpg", "done")
    assert page.evaluate(STORED_KEY) == KEY
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert [path for _, path, _ in stage.asked if KEY in path or "wrong" in path] == []
    assert KEY not in page.locator("#code").text_content()
    page.reload()
    expect(page.locator("#key-state")).to_have_text("Accepted")


def test_a_key_that_ends_while_the_page_is_open(page: Page, stage: Stage) -> None:
    """A 401 on the way shows its words, and a new key starts the photo again."""
    opened(page, stage)
    page.evaluate("sessionStorage.setItem('cutout-api-key', 'old')")
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "failed")
    expect(page.locator("#message")).to_contain_text("Missing or invalid API key.")
    expect(page.get_by_label("API key")).to_be_focused()
    enter_key(page)
    expect_state(page, "photo.jpg", "done")


def test_a_browser_that_stores_nothing(page: Page, stage: Stage) -> None:
    """Where a person has forbidden that, the key lasts as long as the page."""
    page.add_init_script(
        """Object.defineProperty(globalThis, "sessionStorage", {
          get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
        });"""
    )
    opened_with_a_cutout(page, stage)
    enter_key(page, "")
    expect(page.locator("#key-state")).to_have_text("Enter a key")
    add(page, ("other.jpg", JPEG))
    expect(row(page, "other.jpg")).to_contain_text("Waits for the API key")


def test_offline(page: Page, stage: Stage) -> None:
    """The photo says so, and starts by itself when the network is back."""
    opened(page, stage)
    page.context.set_offline(True)
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "failed")
    expect(page.locator("#message")).to_contain_text("This device is offline.")
    page.context.set_offline(False)
    expect_state(page, "photo.jpg", "done")


def test_a_key_that_is_entered_offline(page: Page, stage: Stage) -> None:
    """It is tested when the network is back, and the photos that waited for it start."""
    page.goto(stage.url)
    expect(page.locator("#field-format")).to_be_attached()
    add(page, ("photo.jpg", JPEG))
    page.context.set_offline(True)
    enter_key(page)
    expect(page.locator("#key-state")).to_have_text("The service cannot be reached")
    page.context.set_offline(False)
    expect(page.locator("#key-state")).to_have_text("Accepted")
    expect_state(page, "photo.jpg", "done")


@pytest.mark.parametrize("path", ["", "/", "/docs", "/docs/"])
def test_a_stage_and_a_slash_at_the_end(page: Page, stage: Stage, path: str) -> None:
    """Nothing outside the stage is asked for."""
    page.goto(stage.url + path)
    landmark = page.locator("article").first if "docs" in path else page.locator("#field-format")
    expect(landmark).to_be_attached()
    assert page.locator("a[data-path=docs], a[data-path='']").first.get_attribute("href")
    assert {path.partition("/live")[0] for _, path, _ in stage.asked} == {""}
    names = [path for _, path, _ in stage.asked]
    assert "/live/openapi.json" in names
    hrefs = page.locator("a[data-path]").evaluate_all("all => all.map((one) => one.href)")
    assert set(hrefs) == {f"{stage.url}/", f"{stage.url}/docs"} & set(hrefs)


def test_a_service_that_does_not_answer(page: Page, stage: Stage) -> None:
    """The photo fails in the end, and can be tried again."""
    page.clock.install()
    opened(page, stage)
    stage.delay_s = 20
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "working")
    page.clock.fast_forward(91_000)
    expect_state(page, "photo.jpg", "failed")
    expect(page.locator("#message")).to_contain_text("did not answer within 90 seconds")
    stage.delay_s = 0
    page.clock.resume()
    page.get_by_role("button", name="Try again").click()
    expect_state(page, "photo.jpg", "done")


STRANGE = (
    "The answer is not one of this service. A proxy or a sign-in page between this page and the "
    "service may have given it."
)
JSON_TYPE, HTML_TYPE = {"Content-Type": "application/json"}, {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (200, HTML_TYPE, b"<title>Sign in</title>", STRANGE),
        (200, JSON_TYPE, b"<title>Sign in</title>", STRANGE),
        (403, HTML_TYPE, b"<b>No</b>", "The service answered with the status 403."),
        (
            413,
            JSON_TYPE,
            b'{"message": "Request Entity Too Large"}',
            "The service answered with the status 413: Request Entity Too Large.",
        ),
        (403, JSON_TYPE, b'{"error": {"code": 403, "message": "Not here."}}', "Not here."),
        (500, JSON_TYPE, b'{"error": "<b>boom</b>"}', "The service answered with the status 500."),
        (503, JSON_TYPE, b"null", "The service answered with the status 503."),
        (
            504,
            JSON_TYPE,
            b'{"message": "Endpoint request timed out"}',
            "The service answered with the status 504: Endpoint request timed out.",
        ),
    ],
)
def test_answers_that_are_not_the_services(
    page: Page, stage: Stage, status: int, headers: dict[str, str], body: bytes, words: str
) -> None:
    """Of a gateway, a proxy, a network that wants a sign-in: none of them is taken for a result."""
    opened(page, stage)
    stage.answer = lambda _, path: (status, headers, body) if path == "/v2" else None
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "failed")
    expect(page.locator("#message .fault")).to_have_text(words)
    expect(page.get_by_role("button", name="Download", exact=True)).to_be_disabled()


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (200, HTML_TYPE, b"<title>Sign in</title>", "The answer is not one of this service"),
        (403, HTML_TYPE, b"<b>No</b>", "The service refuses requests from here"),
        (429, JSON_TYPE, b'{"message": "Too Many Requests"}', "The service answered 429"),
    ],
)
def test_a_key_that_cannot_be_tested(
    page: Page, stage: Stage, status: int, headers: dict[str, str], body: bytes, words: str
) -> None:
    """The key is not called wrong, and can be tested again."""
    page.goto(stage.url)
    stage.answer = lambda _, path: (status, headers, body) if path == "/v2/account" else None
    enter_key(page)
    expect(page.locator("#key-state")).to_have_text(words)
    stage.answer = lambda *_: None
    page.get_by_role("button", name="Use").click()
    expect(page.locator("#key-state")).to_have_text("Accepted")


def test_a_deployment_without_buckets(page: Page) -> None:
    """Behind an HTTP API: small photos work, and a large one is refused before it is sent."""
    with serve_plain("--payload", "2.0") as server, staged(server.url) as plain:
        opened(page, plain)
        add(page, ("photo.jpg", JPEG), ("large.jpg", noisy_jpeg()))
        expect_state(page, "photo.jpg", "done")
        assert saved(page, "photo.jpg") == cut(plain)
        expect_state(page, "large.jpg", "failed")
        expect(row(page, "large.jpg").locator(".status")).to_contain_text("one request takes")
        assert [path for method, path, _ in plain.asked if method == "POST"] == ["/live/v2"]


# ---- everybody


def test_by_keyboard_alone(page: Page, stage: Stage) -> None:
    """From the key to the downloaded file, and every stop shows where it is."""
    page.goto(stage.url)
    expect(page.locator("#field-format")).to_be_attached()

    def tab_to(name: str, *, back: bool = False) -> None:
        for _ in range(60):
            page.keyboard.press("Shift+Tab" if back else "Tab")
            label = page.evaluate(
                """() => {
                  const { activeElement: at } = document;
                  return [at.getAttribute("aria-label"), at.labels?.[0]?.textContent,
                    at.querySelector?.("img")?.alt, at.textContent].filter(Boolean).join(" ");
                }"""
            )
            outline = page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
                " || document.activeElement.matches('input[type=radio], input[type=range]')"
                " || document.activeElement === document.body"
            )
            assert outline, f"nothing shows that {label} has the focus"
            if name in label:
                return
        pytest.fail(f"no Tab leads to {name}")

    tab_to("API key")
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#key-state")).to_have_text("Accepted")
    tab_to("A cup of coffee")
    page.keyboard.press("Enter")
    expect_state(page, "coffee.webp", "done")
    expect(page.locator("#live")).to_have_text("coffee.webp is cut out.")
    tab_to("Compare")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Result")).to_be_checked()
    tab_to("Download")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "coffee-cutout.png"
    tab_to("bg_color")
    page.keyboard.type("navy")
    tab_to("Apply")
    page.keyboard.press("Enter")
    expect(page.locator("#apply")).to_be_disabled()
    expect_state(page, "coffee.webp", "done")


def test_the_same_news_is_told_again(page: Page, stage: Stage) -> None:
    """A screen reader reads what has changed, so the same text alone would be silence."""
    opened(page, stage)
    page.evaluate(
        """() => {
          globalThis.told = [];
          const live = document.getElementById("live");
          const note = () => told.push(live.textContent);
          new MutationObserver(note).observe(live, { childList: true });
        }"""
    )
    add(page, ("photo.jpg", JPEG))
    expect_state(page, "photo.jpg", "done")
    for target in ("jpg", "webp"):
        apply_format(page, target)
    told = page.evaluate("told")
    assert [text.strip() for text in told[-3:]] == ["photo.jpg is cut out."] * 3
    assert told[-3] != told[-2] != told[-1]


def test_the_focus_is_never_lost(page: Page, stage: Stage) -> None:
    """A button that goes away gives it to what is in its place."""
    opened(page, stage)

    def press(button: Any) -> None:
        button.focus()
        page.keyboard.press("Enter")

    press(page.get_by_role("button", name="A cup of coffee"))
    expect(page.get_by_role("heading", name="Your photos")).to_be_focused()
    expect_state(page, "coffee.webp", "done")
    page.locator("#field-format").select_option("jpg")
    press(page.get_by_role("button", name="Apply"))
    expect(page.locator("#apply")).to_be_disabled()
    expect(row(page, "coffee.webp").locator(".status")).to_contain_text("JPG")
    expect(page.locator("#apply")).to_be_focused()
    stage.asked.clear()
    page.keyboard.press("Enter")
    expect_state(page, "coffee.webp", "done")
    assert stage.asked == []
    stage.delay_s = 5
    add(page, ("a.jpg", JPEG), ("b.jpg", JPEG))
    press(page.get_by_role("button", name="Cancel a.jpg"))
    expect(row(page, "a.jpg").locator(".pick")).to_be_focused()
    stage.delay_s = 0
    press(page.get_by_role("button", name="Retry a.jpg"))
    expect(row(page, "a.jpg").locator(".pick")).to_be_focused()
    expect_state(page, "a.jpg", "done")
    press(page.get_by_role("button", name="Remove a.jpg"))
    expect(row(page, "b.jpg").locator(".pick")).to_be_focused()
    press(page.get_by_role("button", name="Remove b.jpg"))
    expect(row(page, "coffee.webp").locator(".pick")).to_be_focused()
    add(page, ("broken.jpg", b"no photo"))
    expect_state(page, "broken.jpg", "failed")
    press(page.get_by_role("button", name="Try again"))
    expect(page.locator("#stage")).to_be_focused()
    press(page.get_by_role("button", name="Remove all"))
    expect(page.get_by_role("button", name="Choose photos")).to_be_focused()


@pytest.mark.parametrize(
    "page",
    [{"viewport": {"width": 640, "height": 400}}, {"viewport": PHONE}, {"viewport": WIDE}],
    ids=["zoomed", "phone", "wide"],
    indirect=True,
)
def test_no_option_that_has_the_focus_is_hidden(page: Page, stage: Stage) -> None:
    """The buttons stay at the lower edge of the panel, and Tab leads to no field beneath them."""
    opened_with_a_cutout(page, stage)
    page.get_by_text("All options").click()
    page.locator("#field-format").focus()
    hidden, seen = [], 0
    while page.evaluate("document.activeElement.closest('#options .field, #options summary')"):
        seen += 1
        hidden += page.evaluate(
            """() => {
              const field = document.activeElement;
              const { left, right, top, bottom } = field.getBoundingClientRect();
              const heights = [top + 2, (top + bottom) / 2, bottom - 2];
              const found = heights.map((y) => document.elementFromPoint((left + right) / 2, y));
              return found.every((one) => one === field) ? [] : [field.id || field.tagName];
            }"""
        )
        page.keyboard.press("Tab")
    assert seen > 20
    assert hidden == []


@pytest.mark.parametrize(
    "page",
    [
        {"viewport": {"width": 320, "height": 568}, "has_touch": True, "is_mobile": True},
        {"viewport": PHONE, "has_touch": True, "is_mobile": True, "color_scheme": "dark"},
        {"viewport": WIDE, "reduced_motion": "reduce"},
        {"viewport": {"width": 3840, "height": 2160}, "color_scheme": "dark"},
    ],
    ids=["320", "390-dark", "1280", "3840-dark"],
    indirect=True,
)
def test_each_width_and_theme(page: Page, stage: Stage) -> None:
    """Nothing is wider than the window, and axe-core finds nothing, empty or full."""
    opened(page, stage)

    def check() -> None:
        # A phone's browser shows a page that is wider than the window smaller.
        width = page.viewport_size["width"]
        assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
        results = axe.Axe().run(page).response
        found = {
            violation["id"]: [node["html"][:200] for node in violation["nodes"]]
            for violation in results["violations"]
        }
        assert found == {}

    check()
    add(page, ("photo.jpg", JPEG), ("broken.jpg", b"no photo"))
    expect_state(page, "photo.jpg", "done")
    expect_state(page, "broken.jpg", "failed")
    page.get_by_text("All options").click()
    check()
    row(page, "broken.jpg").locator(".pick").click()
    check()
    page.goto(f"{stage.url}/docs")
    expect(page.locator("article").first).to_be_visible()
    check()


@pytest.mark.parametrize(
    "page", [{"viewport": {"width": width, "height": 800}} for width in (320, 640)], indirect=True
)
def test_the_reference_is_no_wider_than_the_window(page: Page, stage: Stage) -> None:
    """Even when all of it is open, with an answer whose lines are long."""
    page.goto(f"{stage.url}/docs")
    expect(page.locator("article").first).to_be_visible()
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    document = page.locator("#get--openapi-json")
    document.get_by_role("button", name="Send").click()
    expect(document.locator(".outcome pre")).to_contain_text("openapi")
    width = page.viewport_size["width"]
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]


@pytest.mark.parametrize("page", [{"viewport": {"width": 320, "height": 568}}], indirect=True)
def test_a_long_name_is_read_without_scrolling(page: Page, stage: Stage) -> None:
    """It breaks where the stage ends."""
    opened(page, stage)
    stage.delay_s = 20
    add(page, (f"{'long' * 50}.heic", b"no photo"))
    message = page.locator("#message")
    expect(message).to_contain_text("is on its way")
    assert message.evaluate("message => message.scrollWidth <= message.clientWidth")


@pytest.mark.parametrize("page", [{"forced_colors": "active"}], ids=["forced"], indirect=True)
def test_what_is_chosen_shows_in_forced_colors(page: Page, stage: Stage) -> None:
    """Windows' contrast themes take backgrounds and shadows away, unless the page names theirs."""
    opened(page, stage)
    page.get_by_role("button", name="A cup of coffee").click()
    expect_state(page, "coffee.webp", "done")
    chosen = page.locator("#views input:checked + span")
    color = "element => getComputedStyle(element).backgroundColor"
    assert chosen.evaluate(color) != page.locator("body").evaluate(color)


# ---- the code


def is_here(language: str) -> bool:
    """Tell whether this machine can run the snippets of a language."""
    return language == "python" or shutil.which(language) is not None


def needs(language: str) -> None:
    """Skip a test of a language that cannot run here."""
    if not is_here(language):
        pytest.skip(f"there is no {language} on this machine")


def run_snippet(
    language: str, code: str, folder: Path, key: str = KEY
) -> subprocess.CompletedProcess[str]:
    """Run a snippet as a person would who has copied it."""
    commands = {
        "curl": ["bash"],  # as a terminal, which goes on after a line that failed
        "python": ["python3"],
        "node": ["node", "--input-type=module"],
    }
    return subprocess.run(
        commands[language],
        input=code,
        cwd=folder,
        env=os.environ | {"CUTOUT_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def run_code(language: str, code: str, folder: Path) -> None:
    """Run a snippet, which must work."""
    done = run_snippet(language, code, folder)
    assert done.returncode == 0, done.stderr + code


@pytest.mark.parametrize("language", ["curl", "python", "node"])
def test_the_code_is_the_very_request(
    page: Page, stage: Stage, tmp_path: Path, language: str
) -> None:
    """Its result is the page's, byte for byte, with a name that every shell could trip over."""
    needs(language)
    name = 'it\'s a; "photo" $HOME,1.jpg'
    (tmp_path / name).write_bytes(JPEG)
    (tmp_path / "sky, blue.jpg").write_bytes(jpeg(200, 100))
    opened(page, stage)
    add(page, (name, JPEG))
    expect_state(page, name, "done")
    page.get_by_text("All options").click()
    page.locator("#field-format").select_option("webp")
    page.locator("#field-crop").check()
    page.locator("#field-crop_margin").fill("5% 10px")
    page.locator("#field-bg_image_file").set_input_files(tmp_path / "sky, blue.jpg")
    page.get_by_role("button", name="Apply").click()
    expect(row(page, name).locator(".status")).to_contain_text("WEBP")
    page.get_by_role("radio", name=language).check(force=True)
    run_code(language, page.locator("#code").text_content(), tmp_path)
    assert (tmp_path / "cutout.webp").read_bytes() == saved(page, name)


@pytest.mark.parametrize("language", ["curl", "python", "node"])
def test_the_code_of_a_large_photo(page: Page, stage: Stage, tmp_path: Path, language: str) -> None:
    """It uploads, and fetches the result by its URL."""
    needs(language)
    photo = noisy_jpeg()
    (tmp_path / "large.jpg").write_bytes(photo)
    opened(page, stage)
    add(page, ("large.jpg", photo))
    page.locator("#field-size").select_option("preview")
    page.get_by_role("button", name="Apply").click()
    expect_state(page, "large.jpg", "done")
    page.get_by_role("radio", name=language).check(force=True)
    run_code(language, page.locator("#code").text_content(), tmp_path)
    assert (tmp_path / "cutout.png").read_bytes() == saved(page, "large.jpg")


def test_the_code_where_results_come_by_their_urls(page: Page, tmp_path: Path) -> None:
    """A deployment's ``DefaultResponse`` may say so. The file is the picture, and not the link."""
    (tmp_path / "photo.jpg").write_bytes(JPEG)
    with (
        serve("--s3-port", "0", DEFAULT_RESPONSE="url") as served,
        staged(served.ready["url"]) as stage,
    ):
        opened(page, stage)
        add(page, ("photo.jpg", JPEG))
        expect_state(page, "photo.jpg", "done")
        for language in filter(is_here, ("curl", "python", "node")):
            page.locator(f"input[name=language][value={language}]").check(force=True)
            run_code(language, page.locator("#code").text_content(), tmp_path)
            assert (tmp_path / "cutout.png").read_bytes() == saved(page, "photo.jpg")
            (tmp_path / "cutout.png").unlink()
        page.goto(f"{stage.url}/docs")
        example = page.locator("#post--v2 > pre").text_content()
        answer = run_snippet("curl", example, tmp_path)
        assert json.loads(answer.stdout)["url"].startswith("http")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("curl", "The requested URL returned error: 401"),
        ("python", "401 Client Error"),
        ("node", "invalid_api_key"),
    ],
)
def test_the_code_tells_why_it_fails(
    page: Page, stage: Stage, tmp_path: Path, language: str, words: str
) -> None:
    """With a wrong key, a large photo ends at the first step, and no file is made."""
    needs(language)
    photo = noisy_jpeg()
    (tmp_path / "large.jpg").write_bytes(photo)
    opened(page, stage)
    add(page, ("large.jpg", photo))
    page.get_by_role("radio", name=language).check(force=True)
    code = page.locator("#code").text_content()
    failed = run_snippet(language, code, tmp_path, key="wrong")
    assert failed.returncode != 0
    assert words in failed.stderr
    assert failed.stderr.count("Traceback") == (language == "python")
    assert [path.name for path in tmp_path.iterdir()] == ["large.jpg"]


# ---- the reference


def test_the_examples_of_the_reference_are_answered(
    page: Page, stage: Stage, tmp_path: Path
) -> None:
    """Each operation has a request for curl."""
    (tmp_path / "photo.jpg").write_bytes(JPEG)
    page.goto(f"{stage.url}/docs")
    examples = page.locator("article > pre")
    expect(examples.first).to_be_visible()
    assert examples.count() == page.locator("article").count()
    for example in examples.all():
        run_code("curl", "set -o pipefail\n" + example.text_content() + " --fail", tmp_path)
        if "/live/v2'" in example.text_content():
            assert (tmp_path / "cutout.png").read_bytes() == cut(stage)


def test_the_reference_tells_every_operation_and_sends_requests(page: Page, stage: Stage) -> None:
    """From the document, with answers on the same page."""
    page.goto(f"{stage.url}/docs")
    enter_key(page)
    document = requests.get(f"{stage.target}/openapi.json", timeout=30).json()
    count = sum(len(methods) for methods in document["paths"].values())
    expect(page.locator("article")).to_have_count(count)
    text = page.locator("main").text_content()
    for name in document["components"]["schemas"]["RemovalForm"]["properties"]:
        assert name in text
    for code in document["components"]["schemas"]["Error"]["properties"]["error"]["properties"][
        "code"
    ]["enum"]:
        if code not in {"not_found", "method_not_allowed"}:  # of no route
            assert code in text

    health = page.locator("#get--v2-health")
    health.get_by_text("Try it", exact=True).click()
    health.get_by_role("button", name="Send").click()
    expect(health.locator(".outcome")).to_contain_text("200 · application/json")
    expect(health.locator(".outcome pre")).to_contain_text('"status": "ok"')

    main = page.locator("#post--v2")
    main.get_by_text("Try it", exact=True).click()
    main.locator("[id='post--v2-image_file']").set_input_files(PHOTO)
    main.locator("[id='post--v2-format']").select_option("webp")
    main.get_by_role("button", name="Send").click()
    expect(main.locator(".outcome img")).to_be_visible()
    assert shown(page, "#post--v2 .outcome img").size == (320, 320)

    main.locator("[id='post--v2-bg_color']").fill("bluish")
    main.get_by_role("button", name="Send").click()
    expect(main.locator(".outcome pre")).to_contain_text("invalid_bg_color")

    upload = page.locator("#post--v2-uploads")
    upload.get_by_text("Try it", exact=True).click()
    upload.get_by_role("button", name="Send").click()
    expect(upload.locator(".outcome pre")).to_contain_text('"image_key": "incoming/')


def test_the_reference_shows_no_broken_picture(page: Page, stage: Stage) -> None:
    """What the browser cannot show, such as a TIFF, can be downloaded."""
    page.goto(f"{stage.url}/docs")
    enter_key(page)
    main = page.locator("#post--v2")
    main.get_by_text("Try it", exact=True).click()
    main.locator("[id='post--v2-image_file']").set_input_files(PHOTO)
    main.locator("[id='post--v2-format']").select_option("tiff")
    main.get_by_role("button", name="Send").click()
    expect(main.locator(".outcome")).to_contain_text("200 · image/tiff")
    with page.expect_download() as download:
        main.get_by_text("Download the reply").click()
    assert Path(download.value.path()).read_bytes() == cut(stage, format="tiff")
    expect(main.locator(".outcome img")).to_have_count(0)


def test_an_answer_without_an_id(page: Page, stage: Stage) -> None:
    """A proxy's has none, which is said in a word."""
    page.goto(f"{stage.url}/docs")
    health = page.locator("#get--v2-health")
    health.get_by_text("Try it", exact=True).click()
    stage.answer = lambda _, path: (502, HTML_TYPE, b"<b>No</b>") if path == "/v2/health" else None
    health.get_by_role("button", name="Send").click()
    expect(health.locator(".outcome")).to_contain_text("502 · text/html")
    expect(health.locator(".outcome")).to_contain_text("X-Request-Id missing")


def test_the_reference_tells_each_answer_once(page: Page, stage: Stage) -> None:
    """In a sentence and not word for word; a slow answer does not replace a later one."""
    page.add_init_script(COUNT_URLS)
    page.goto(f"{stage.url}/docs")
    enter_key(page)
    main = page.locator("#post--v2")
    main.get_by_text("Try it", exact=True).click()
    main.locator("[id='post--v2-image_file']").set_input_files(PHOTO)
    send, outcome = main.get_by_role("button", name="Send"), main.locator(".outcome")
    live = page.locator("#live")
    for _ in range(2):
        send.click()
        expect(outcome.locator("img")).to_be_visible()
        expect(live).to_have_text("The answer has the status 200.")
    assert page.evaluate("urls.size") == 1
    assert page.locator(".outcome[role], .outcome [role=status]").count() == 0

    stage.delay_s = 5
    send.click()
    expect(outcome).to_have_text("Sends…")
    stage.delay_s = 0
    main.locator("[id='post--v2-bg_color']").fill("bluish")
    send.click()
    expect(outcome).to_contain_text("invalid_bg_color")
    expect(live).to_have_text("The answer has the status 400.")
    page.wait_for_timeout(6_000)
    expect(outcome).to_contain_text("invalid_bg_color")
    assert page.evaluate("urls.size") == 0

    page.context.set_offline(True)
    send.click()
    expect(outcome).to_have_text("This device is offline.")
    expect(live).to_have_text("This device is offline.")


def test_the_picture_of_the_page_is_drawn(tmp_path: Path) -> None:
    """As its program says in its first lines; it has the size of the one that is shown."""
    picture = tmp_path / "page.jpg"
    subprocess.run([sys.executable, ROOT / "tests/e2e/page_picture.py", picture], check=True)
    with Image.open(picture) as drawn, Image.open(ROOT / "tests/pictures/page.jpg") as shown:
        assert drawn.size == shown.size
    assert picture.stat().st_size < 100_000
