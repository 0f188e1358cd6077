"""Cut out real photographs through the real handler: a table here, the pictures in ``demo/``.

python tests/demo.py               what `make demo` runs
python tests/demo.py --pictures    also writes the README's pictures to tests/pictures/
"""

import argparse
import base64
import contextlib
import importlib.resources
import io
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from make_events import Query, Request, multipart, rest_event

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "events" / "local"))

from context import LocalContext, prepare_import  # noqa: E402 - it lies in that folder
from invoke import headers_of  # noqa: E402 - so does this

PICTURES = ROOT / "tests" / "pictures"
MAX_PICTURES_BYTES = 600_000

FILES = (
    "result.png",
    "photo.jpg",
    "cutout.png",
    "matte.png",
    "cutout-on-white.png",
    "cutout-on-white.jpg",
    "cutout-cropped.webp",
)
"""What a run leaves in ``demo/``."""

STAGES = ("decode", "matte", "compose", "encode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A photograph that a package brings along."""

    title: str
    package: str
    file: str

    def data(self) -> bytes:
        """Return the file's bytes."""
        return (importlib.resources.files(self.package) / self.file).read_bytes()


# The first is the one whose results are kept as files; it must be a JPEG, as photo.jpg says.
PHOTOGRAPHS = (
    Photograph(title="Dahlia", package="sklearn.datasets.images", file="flower.jpg"),
    Photograph(title="Astronaut", package="skimage.data", file="astronaut.png"),
    Photograph(title="Coffee", package="skimage.data", file="coffee.png"),
    Photograph(title="Cat", package="skimage.data", file="chelsea.png"),
    Photograph(title="Cameraman", package="skimage.data", file="camera.png"),
    Photograph(title="Pagoda", package="sklearn.datasets.images", file="china.jpg"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a caller would receive; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: float

    def image(self) -> Image.Image:
        """Return the image in the body."""
        image = Image.open(io.BytesIO(self.body))
        image.load()
        return image


class Caller:
    """Sends requests to the handler as REST API events, and prints a line for each."""

    def __init__(self) -> None:
        """Import the function, as a cold start does."""
        prepare_import()
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            import app  # noqa: PLC0415 - it reads the settings made just now
        self._handler = app.http_handler
        self.model = ""
        print(f"Imported the function and loaded the model in {_ms(start):.0f} ms.\n")
        columns = ("request", "status", "ms", "type", "bytes", "size", "subject", "cover", *STAGES)
        print(_row(columns))
        print(_row(["-" * width for width in _WIDTHS]))

    def send(self, title: str, request: Request, *, quiet: bool = False) -> Answer:
        """Return the answer; unless ``quiet``, print its line as ``title``."""
        event = rest_event(request)
        log = io.StringIO()
        start = time.perf_counter()
        with contextlib.redirect_stdout(log):
            reply = self._handler(event, LocalContext())
        elapsed_ms = _ms(start)
        body = reply.get("body") or ""
        answer = Answer(
            status=reply["statusCode"],
            headers={name.lower(): value for name, value in headers_of(reply)},
            body=base64.b64decode(body) if reply.get("isBase64Encoded") else body.encode(),
            elapsed_ms=elapsed_ms,
        )
        self.model = answer.headers.get("x-model", self.model)
        if not quiet:
            print(_line(title, answer))
        return answer

    def form(
        self, title: str, image: bytes, fields: Query, *, expect: int = 200, quiet: bool = False
    ) -> Answer:
        """Send a photograph as a form does, and return the answer.

        :raises SystemExit: the status is not the expected one.
        """
        headers, body = multipart(fields, image)
        request = Request(name=f"demo {title} {fields}", headers=headers, body=body)
        return self._expect(self.send(title, request, quiet=quiet), expect)

    def json(self, title: str, document: Mapping[str, object], *, expect: int = 200) -> Answer:
        """Send a JSON document, and return the answer.

        :raises SystemExit: the status is not the expected one.
        """
        headers = {"accept": "*/*", "content-type": "application/json"}
        body = json.dumps(document).encode()
        request = Request(name=f"demo {title}", headers=headers, body=body)
        return self._expect(self.send(title, request), expect)

    def raw(self, title: str, image: bytes, query: Query) -> Answer:
        """Send the image as the body, with options in the query string; return the answer.

        :raises SystemExit: the status is not 200.
        """
        headers = {"accept": "*/*", "content-type": "image/jpeg"}
        request = Request(name=f"demo {title}", headers=headers, query=query, body=image)
        return self._expect(self.send(title, request), 200)

    def _expect(self, answer: Answer, status: int) -> Answer:
        if answer.status != status:
            sys.exit(f"Expected {status}: {answer.body[:500].decode(errors='replace')}")
        return answer


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Cut out real photographs.")
    parser.add_argument(
        "--pictures", action="store_true", help="write the README's pictures to tests/pictures/"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "demo", help="folder of the results")
    given = parser.parse_args()
    out: Path = given.out
    main_photo = PHOTOGRAPHS[0].data()
    with _writing():
        out.mkdir(parents=True, exist_ok=True)
        (out / "photo.jpg").write_bytes(main_photo)

    caller = Caller()
    _show_requests(caller, main_photo, out)
    rows = [_make_row(caller, photograph) for photograph in PHOTOGRAPHS]
    print(
        f"\nAll by the model {caller.model}. A subject is width×height+left+top in px, cover is the"
        " mean alpha, and the last columns are ms."
    )
    sheet = contact_sheet(rows)
    with _writing():
        sheet.save(out / "result.png", optimize=True)

    print(f"{len(FILES)} files in {out.name}/: {', '.join(FILES)}. Look at result.png first.")
    if given.pictures:
        _write_pictures(rows)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """End the program with a message if a file of the results cannot be written."""
    try:
        yield
    except OSError as error:
        sys.exit(
            f"The results cannot be written: {error}. Choose another folder:"
            ' ARGS="--out …" for make, --out for this program.'
        )


def _show_requests(caller: Caller, photo: bytes, out: Path) -> None:
    """Send the main photograph in every way, and keep the results."""
    encoded = base64.b64encode(photo).decode()
    results = {
        "cutout.png": caller.form("format=png", photo, [("format", "png")]),
        "matte.png": caller.form("channels=alpha", photo, [("channels", "alpha")]),
        "cutout-on-white.png": caller.json(
            "bg_color=#FFFFFF (JSON)", {"image_base64": encoded, "bg_color": "#FFFFFF"}
        ),
        "cutout-on-white.jpg": caller.form(
            "format=jpg bg_color=white", photo, [("format", "jpg"), ("bg_color", "white")]
        ),
        "cutout-cropped.webp": caller.raw(
            "?format=webp&crop=1&crop_margin=5%",
            photo,
            [("format", "webp"), ("crop", "1"), ("crop_margin", "5%")],
        ),
    }
    with _writing():
        for name, answer in results.items():
            (out / name).write_bytes(answer.body)
    bad_color = caller.form("bg_color=bluish", photo, [("bg_color", "bluish")], expect=400)
    half = photo[: len(photo) // 2]
    broken = caller.form("half of the file", half, [("format", "png")], expect=400)
    print("The last two are wrong on purpose. Their answers:")
    for answer in (bad_color, broken):
        print(f"  {answer.body.decode()}")
    print()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A photograph and what became of it."""

    title: str
    photo: Image.Image
    matte: Image.Image
    cutout: Image.Image
    on_white: Image.Image


def _make_row(caller: Caller, photograph: Photograph) -> Row:
    data = photograph.data()
    photo = Image.open(io.BytesIO(data)).convert("RGB")
    white = [("bg_color", "#FFFFFF")]
    return Row(
        title=f"{photograph.title}, {photo.width} x {photo.height} px",
        photo=photo,
        cutout=caller.form(photograph.file, data, [("format", "png")]).image(),
        matte=caller.form(photograph.file, data, [("channels", "alpha")], quiet=True).image(),
        on_white=caller.form(photograph.file, data, white, quiet=True).image(),
    )


# --- the table -----------------------------------------------------------------------------------

_WIDTHS = (35, 6, 5, 16, 7, 9, 17, 6, 6, 6, 7, 6)


def _row(cells: Sequence[str]) -> str:
    return "  ".join(
        cell.ljust(width) if place in {0, 3} else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    )


def _line(title: str, answer: Answer) -> str:
    headers = answer.headers
    size = box = cover = ""
    if "x-width" in headers:
        size = f"{headers['x-width']}×{headers['x-height']}"
        width, height, left, top = (
            headers[f"x-foreground-{name}"] for name in ("width", "height", "left", "top")
        )
        box = f"{width}×{height}+{left}+{top}"
        cover = headers["x-foreground-coverage"]
    entries = [entry.split(";dur=") for entry in headers.get("server-timing", "").split(", ")]
    stages = {entry[0]: entry[1] for entry in entries if len(entry) == 2}
    return _row(
        [
            title,
            str(answer.status),
            f"{answer.elapsed_ms:.0f}" if answer.elapsed_ms >= 10 else f"{answer.elapsed_ms:.1f}",
            headers.get("content-type", ""),
            f"{len(answer.body):,}",
            size,
            box,
            cover,
            *(stages.get(stage, "") for stage in STAGES),
        ]
    )


def _ms(start: float) -> float:
    return (time.perf_counter() - start) * 1000


# --- the pictures --------------------------------------------------------------------------------

PAPER, INK, FAINT = "#F3F4F6", "#1F2937", "#6B7280"
LANCZOS = Image.Resampling.LANCZOS
SQUARES = ((255, 255, 255), (218, 222, 228))
COLUMNS = ("photo", "matte", "cutout", "on #FFFFFF")


def contact_sheet(rows: Sequence[Row], *, column_px: int = 400) -> Image.Image:
    """Return a sheet with a line for each row: photo, matte, cutout, cutout on white."""
    gap, head, foot = column_px // 20, column_px // 7, column_px // 9
    heading, caption = (ImageFont.load_default(column_px / share) for share in (18, 25))
    heights = [round(column_px * row.photo.height / row.photo.width) for row in rows]
    width = gap + len(COLUMNS) * (column_px + gap)
    sheet = Image.new("RGB", (width, head + sum(heights) + len(rows) * foot + gap // 2), PAPER)
    draw = ImageDraw.Draw(sheet)
    lefts = [gap + column * (column_px + gap) for column in range(len(COLUMNS))]
    for left, name in zip(lefts, COLUMNS, strict=True):
        draw.text((left + column_px // 2, head // 2), name, INK, font=heading, anchor="mm")
    top = head
    for row, height in zip(rows, heights, strict=True):
        size = (column_px, height)
        pictures = (row.photo, row.matte, on_squares(row.cutout, size), row.on_white)
        for left, picture in zip(lefts, pictures, strict=True):
            sheet.paste(picture.convert("RGB").resize(size, LANCZOS), (left, top))
        draw.text((gap, top + height + foot // 2 - 2), row.title, FAINT, font=caption, anchor="lm")
        top += height + foot
    return sheet


def squares(size: tuple[int, int], side: int = 10) -> Image.Image:
    """Return the chequered ground that stands for transparency."""
    tile = Image.new("RGB", (2 * side, 2 * side), SQUARES[0])
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, side - 1, side - 1), SQUARES[1])
    draw.rectangle((side, side, 2 * side - 1, 2 * side - 1), SQUARES[1])
    ground = Image.new("RGB", size)
    for left in range(0, size[0], 2 * side):
        for top in range(0, size[1], 2 * side):
            ground.paste(tile, (left, top))
    return ground


def on_squares(cutout: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a transparent cutout, brought to a size, on the chequered ground."""
    ground = squares(size)
    scaled = cutout.resize(size, LANCZOS)
    ground.paste(scaled, mask=scaled.getchannel("A"))
    return ground


def _write_pictures(rows: Sequence[Row]) -> None:
    """Write the README's pictures: before and after, and the sheet, small enough for a clone."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    first = rows[0]
    size = (560, round(560 * first.photo.height / first.photo.width))
    pair = Image.new("RGB", (2 * size[0] + 12, size[1]), "white")
    pair.paste(first.photo.resize(size, LANCZOS), (0, 0))
    pair.paste(on_squares(first.cutout, size), (size[0] + 12, 0))
    pair.save(PICTURES / "before-after.jpg", quality=85, optimize=True)
    sheet = contact_sheet(rows, column_px=264)
    sheet.save(PICTURES / "sheet.jpg", quality=78, optimize=True)
    files = sorted(PICTURES.glob("*.jpg"))
    total = sum(path.stat().st_size for path in files)
    for path in files:
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    if total > MAX_PICTURES_BYTES:
        sys.exit(f"The pictures are {total:,} bytes: at most {MAX_PICTURES_BYTES:,}")


if __name__ == "__main__":
    main()
