"""Change the code in small ways, and tell which changes no test notices: ``make mutants``.

A copy of the tree is mutated by mutmut, one module after the other, each with the tests that are
about it. A mutant that survives is a line that no test holds, or one that runs only while the
module is imported: mutmut changes nothing before the tests begin. ``--module`` takes some modules.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    "image/backdrop.py": [
        *("tests/unit/test_compose.py", "tests/unit/test_background.py"),
        "tests/unit/test_place.py",
        # It measures memory, for ten seconds that each survivor would take.
        *("-k", "not 12_megapixels"),
    ],
    "image/cap.py": ["tests/unit/test_decode.py", "tests/unit/test_place.py"],
    "image/compose.py": [
        *("tests/unit/test_compose.py", "tests/unit/test_shadow.py", "tests/unit/test_place.py"),
        *("tests/unit/test_background.py", "tests/unit/test_despill.py"),
        # They measure memory, for ten seconds that each survivor would take.
        *("-k", "not 12_megapixels"),
    ],
    "image/decode.py": [
        *("tests/unit/test_decode.py", "tests/unit/test_jpeg.py"),
        "tests/unit/test_named_colors.py",
    ],
    "image/gif.py": ["tests/unit/test_gif.py"],
    "image/hidden.py": ["tests/unit/test_hidden.py"],
    "image/prefix_code.py": ["tests/unit/test_prefix_code.py", "tests/unit/test_vp8l.py"],
    "image/srgb.py": ["tests/unit/test_decode.py", "tests/unit/test_named_colors.py"],
    "image/vp8l.py": ["tests/unit/test_vp8l.py"],
    "image/webp.py": ["tests/unit/test_webp.py"],
    "options/fields.py": ["tests/unit/test_options.py"],
    "options/option.py": ["tests/unit/test_option_rows.py"],
    "options/parsers.py": ["tests/unit/test_options.py"],
    "options/values.py": ["tests/unit/test_options.py", "tests/unit/test_option_rows.py"],
    "http/body.py": ["tests/unit/test_body.py"],
    "s3/worker.py": [
        *("tests/functional/test_worker_calls.py", "tests/functional/test_batch_jobs.py"),
    ],
    "store/bucket.py": ["tests/unit/test_store.py"],
    "store/client.py": ["tests/unit/test_store.py"],
}
# Mutants that no test can notice, since nothing that can be seen depends on them: the changed line,
# and why. They are counted apart.
EQUIVALENT = {
    "image/backdrop.py": {
        "pixels = resampled(joined(photo.pixels, matte.alpha), width, height, is_weighted=None)": (
            "None is as false as False"
        ),
        "for rows, columns in tiles(*pixels.shape[:3]):": "tiles begin at multiples of 4 px then",
        **dict.fromkeys(
            (
                "mixed = (alpha > 0) | (alpha < OPAQUE)",
                "mixed = (alpha >= 0) & (alpha < OPAQUE)",
                "mixed = (alpha > 0) & (alpha <= OPAQUE)",
            ),
            "the formula gives opaque and transparent pixels what they have already, but slowly",
        ),
    },
    "image/cap.py": {
        "hidden = resampled(pixels, *size, is_weighted=None)": "None is as false as False",
        "if cap_px is None or width * height < cap_px:": "at the cap itself the scale is 1",
    },
    "image/decode.py": {
        **dict.fromkeys(
            (
                'if image.mode != "XXRGBXX":  # Pillow would copy one that is RGB already',
                'if image.mode != "rgb":  # Pillow would copy one that is RGB already',
                "words = None",
                "words = decoded_into(image) if (_fits_words(image)) and False else None",
                "is_colour = None",
                'is_colour = image.mode in {"XXRGBXX", "RGBA"} and not has_key',
                'is_colour = image.mode in {"rgb", "RGBA"} and not has_key',
                'is_colour = image.mode in {"RGB", "XXRGBAXX"} and not has_key',
                'is_colour = image.mode in {"RGB", "rgba"} and not has_key',
                "return image.format in _INTO_WORDS and is_colour and bool(None)",
                *(
                    f"return image.format in _INTO_WORDS and is_colour and bool({tile})"
                    for tile in (
                        'getattr(None, "tile", ())',
                        'getattr(image, "XXtileXX", ())',
                        'getattr(image, "TILE", ())',
                    )
                ),
            ),
            "the same pixels, after a copy more",
        ),
        **dict.fromkeys(
            (
                "last = image.crop((image.width - 2, image.height - 1, image.width, image.height))",
                "last = image.crop((image.width - 1, image.height - 2, image.width, image.height))",
            ),
            "where more than the last row of blocks is missing, its neighbours are filler too",
        ),
        **dict.fromkeys(
            (
                "pillow_heif.register_heif_opener(thumbnails=None)",
                "pillow_heif.register_heif_opener(thumbnails=True)",
            ),
            "thumbnails are listed beside the picture, which is all that is read",
        ),
        **dict.fromkeys(
            (
                "values: NDArray[Any] = np.empty((image.height, image.width), "
                f"kinds.get(image.mode, {kind}))"
                for kind in ("None", "")
            ),
            "the same numbers in more memory",
        ),
        'orientation = orientation_of(opened.info.get("exif") or b"XXXX")': "neither is EXIF",
    },
    "image/gif.py": {
        "if cells.size < _COLOURS:": "256 cells are 256 colours of the palette in both ways",
        **dict.fromkeys(
            (
                "return (np.stack(channels, axis=1) * _CELL + (_CELL - 1) / 2).astype(None)",
                "extended = np.column_stack([colours, np.ones(len(colours), None)])",
                "extended = np.column_stack([colours, np.ones(len(colours), )])",
                "points = palette.T.astype(None)",
                "palette[_nearest(colour[None].astype(None), palette)] = colour",
                "table[_cells(colour[None])] = _nearest(colour[None, :3].astype(None), palette)",
                "found = np.array(chosen, None).reshape(-1, 3)",
                "found = np.array(chosen, ).reshape(-1, 3)",
                "table = np.zeros(used.size, None)",
                "table = np.zeros(used.size, )",
                "used = np.zeros(1 << 3 * _BITS, None)",
                "used = np.zeros(1 << 3 * _BITS, )",
                "used = np.zeros(1 << 4 * _BITS, np.bool_)",
                "used = np.zeros(2 << 3 * _BITS, np.bool_)",
            ),
            "the same numbers in more memory",
        ),
        **dict.fromkeys(
            (
                "part = slice(None, start + _LOOKED_UP)",
                "part = slice(start, None)",
                "part = slice(start + _LOOKED_UP)",
            ),
            "each cell is looked up at least once",
        ),
        **dict.fromkeys(
            (
                'sample = image_of(words.view(np.uint8).reshape(1, -2, 4)).convert("RGB")',
                "found = np.array(chosen, np.uint8).reshape(-2, 3)",
                'words = pixels.view("<u4").reshape(-2)',
                "frequent = values[ascending[is_frequent]].view(np.uint8).reshape(-2, 4)",
            ),
            "numpy takes any negative side for -1",
        ),
        **dict.fromkeys(
            (
                "for target, strip in zip(strips(indices), strips(pixels), strict=None):",
                "for target, strip in zip(strips(indices), strips(pixels), ):",
                "for target, strip in zip(strips(indices), strips(pixels), strict=False):",
            ),
            "both have the same rows",
        ),
        **dict.fromkeys(
            (
                'image = Image.frombuffer("P", (width, height), indices, "raw", "P", 1, 1)',
                'image = Image.frombuffer("P", (width, height), indices, "raw", "P", 0, 2)',
            ),
            "Pillow uses neither the stride nor how many rows a step has, only its sign",
        ),
        "words = words[(np.arange(_SAMPLE_PX) / _GOLDEN % 1 * words.size).astype(np.int64)]": (
            "the golden ratio and its inverse differ by 1"
        ),
        **dict.fromkeys(
            (
                'return file_of(image_of(pixels).convert("RGB"), "gif")',
                'return file_of(image, "gif")',
            ),
            "Pillow takes the name of a format in any case",
        ),
    },
    "image/hidden.py": {
        "means = (sums[..., :3] / np.maximum(counts, 1)[..., None]).astype(np.uint8)": (
            "the conversion to uint8 rounds down, too"
        ),
        "rows = np.add.reduceat(values, down, dtype=np.uint16)": "0 is the axis that it has then",
        **dict.fromkeys(
            (
                "rows = np.add.reduceat(values, down, axis=0, dtype=None)",
                "rows = np.add.reduceat(values, down, axis=0, )",
            ),
            "numpy adds in 64 bits then, which takes more memory",
        ),
    },
    "image/srgb.py": {
        **dict.fromkeys(
            (
                "for target, strip in zip(strips(grey), strips(values), strict=None):",
                "for target, strip in zip(strips(grey), strips(values), ):",
                "for target, strip in zip(strips(grey), strips(values), strict=False):",
            ),
            "both have the same rows",
        ),
        **dict.fromkeys(
            (
                'image = Image.frombuffer("CMYK", size, inks, "raw", "CMYK", 1, 1)',
                'image = Image.frombuffer("CMYK", size, inks, "raw", "CMYK", 0, 2)',
            ),
            "Pillow uses neither the stride nor how many rows a step has, only its sign",
        ),
        **dict.fromkeys(
            ('if image.mode != "XXRGBXX":', 'if image.mode != "rgb":'),
            "the same pixels, after a copy more",
        ),
        "if profile or profile[16:20] != _OF_RGB:": "what is empty is no profile to LittleCMS",
    },
    "image/vp8l.py": {
        "is_long = runs >= _SHORT_RUN": "four zeros are read the same from either way of writing",
    },
    "image/webp.py": {
        **dict.fromkeys(
            (
                "if np.count_nonzero(residual) < _BUSY_SHARE * residual.size:",
                "if np.count_nonzero(residual) <= _BUSY_SHARE / residual.size:",
                "data = _compressed(image_of(green), lossless=True, method=_ALPHA_METHOD)",
                "data = _compressed(image_of(green), lossless=True, quality=0, )",
                (
                    "data = _compressed(image_of(green), lossless=True, quality=1, "
                    "method=_ALPHA_METHOD)"
                ),
            ),
            "the same values, in more or less time and bytes",
        ),
        **dict.fromkeys(
            (
                (
                    'struct.pack("<4si", name.encode("ascii"), len(content)) + content + '
                    "bytes(len(content) % 2)"
                ),
                (
                    'struct.pack("<4sI", name.encode("ASCII"), len(content)) + content + '
                    "bytes(len(content) % 2)"
                ),
                (
                    '(size,) = struct.unpack_from("<i", data, 16)  '
                    '# behind "RIFF", a size, "WEBP" and a name'
                ),
                '_chunk("VP8X", struct.pack("<i", _HAS_ALPHA) + sides),',
                'return b"RIFF" + struct.pack("<i", len(body)) + body',
                'data = file_of(image, "webp", **settings)',
            ),
            "the same bytes, below 2 GiB",
        ),
        **dict.fromkeys(
            (
                "for rows, columns in tiles(height + 1, width - 1):",
                "for rows, columns in tiles(height - 1, width + 1):",
                "predicted = around[1:, :-1].astype(None)",
            ),
            "the same values, with tiles that reach beyond the plane or take more memory",
        ),
    },
    "options/fields.py": {
        "return name.lower() if (name.isascii()) or True else name": "the one letter beyond "
        "ASCII whose lower case is in it is the sign of Kelvin, and no option's name has a k",
        'unknown[field] = ""': "the dictionary is an ordered set, whose values nobody reads",
    },
    "options/parsers.py": {
        "return str(wire).upper()": "each parser that takes a word takes it in any case",
        'has_scheme = re.match(r"HTTPS?://", text.strip(), re.IGNORECASE)': (
            "the pattern ignores case"
        ),
    },
    "store/bucket.py": {
        'with mapped("ListObjectsV2", gone=None):': "None is as false as False",
    },
    "http/body.py": {
        **dict.fromkeys(
            (
                "return _SPECIAL.split(boundary, )[0] or boundary",
                "return _SPECIAL.split(boundary, maxsplit=2)[0] or boundary",
            ),
            "only the first piece is taken",
        ),
        **dict.fromkeys(
            (
                'encoding = (part.header("content-transfer-encoding") or "binary").strip().lower()',
                'encoding = (part.header("CONTENT-TRANSFER-ENCODING") or "binary").strip().lower()',
                'encoding = (part.header("Content-Transfer-Encoding") or "BINARY").strip().lower()',
                'is_image = (part.header("content-type") or "").lower().startswith("image/")',
                'is_image = (part.header("CONTENT-TYPE") or "").lower().startswith("image/")',
                'boundary, header_charset="LATIN-1", max_segment_count=_MAX_PARTS',
                'name = (part.name or "").encode("LATIN-1").decode(errors="replace")',
            ),
            "the case of these names makes no difference",
        ),
        'is_image = (part.header("Content-Type") or "XXXX").lower().startswith("image/")': (
            "neither is the type of an image"
        ),
        "document = json.loads(body, object_pairs_hook=_Pairs, strict=None)": (
            "None is as false as False"
        ),
        'content = _content(part, name, b"XXXX".join(chunks))': (
            "the parser gives the data of a part in one piece where it gets the whole body at once"
        ),
    },
}
MAX_SURVIVORS = 0.05
SURVIVED, NOT_REACHED = 0, 33  # mutmut's exit codes
SETTINGS = """
[tool.mutmut]
source_paths = ["src/cutout"]
only_mutate = ["src/cutout/{module}"]
also_copy = ["src", "function", "events", "models", "layers", "template.yaml", "tests"]
pytest_add_cli_args_test_selection = {tests}
"""


def copied(folder: Path) -> None:
    """Copy the tracked files; ``function/`` a second time as ``src/``, where mutmut looks."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(folder / "function", folder / "src")


def outcomes(module: str, tests: list[str], *, children: int) -> Counter[str]:
    """Return how many mutants of a module there are of each kind, and print those that survive."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        settings = (folder / "pyproject.toml").read_text(encoding="utf-8")
        settings = settings.replace('"function",', '"src",')
        settings += SETTINGS.format(module=module, tests=json.dumps(tests))
        (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
        ran = mutmut(folder, "run", "--max-children", str(children))
        results = folder / "mutants" / "src" / "cutout" / f"{module}.meta"
        codes: dict[str, int | None] = {}
        if results.is_file():
            codes = json.loads(results.read_text(encoding="utf-8"))["exit_code_by_key"]
        # When the tests fail without any change, mutmut ends before the first mutant.
        if not codes or None in codes.values():
            raise SystemExit(ran.stdout[-4000:] + ran.stderr[-2000:])
        found = Counter({"all": len(codes)})
        found["not reached"] = list(codes.values()).count(NOT_REACHED)
        equivalent = EQUIVALENT.get(module, {})
        unused = set(equivalent)
        for key in sorted(key for key, code in codes.items() if code == SURVIVED):
            shown = mutmut(folder, "show", key).stdout
            (line,) = re.findall(r"^\+(?!\+\+ )(.*)", shown, re.MULTILINE)[:1] or [""]
            if line.strip() in equivalent:
                unused.discard(line.strip())
                found["equivalent"] += 1
            else:
                print(shown)
                found["survived"] += 1
        for line in sorted(unused):
            print(f"The table of equivalent mutants has a line that is none any more: {line}")
        return found


def mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut in a folder."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def main() -> int:
    """Print the survivors of each module; 1 if they are too many."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--module", nargs="+", default=list(MODULES), choices=list(MODULES))
    parser.add_argument(
        "--most", type=float, default=MAX_SURVIVORS, help="share of survivors that is accepted"
    )
    parser.add_argument("--children", type=int, default=2, help="mutants tried at the same time")
    given = parser.parse_args()
    rows, too_many = [], False
    for module in given.module:
        found = outcomes(module, MODULES[module], children=given.children)
        tried = found["all"] - found["not reached"] - found["equivalent"]
        share = found["survived"] / max(tried, 1)
        too_many |= share > given.most
        cells = [found[kind] for kind in ("all", "not reached", "equivalent", "survived")]
        rows.append(f"| {module} | {' | '.join(map(str, cells))} | {share:.1%} |")
    head = "| module | mutants | not reached | equivalent | survived | share of the rest |"
    print("\n".join([head, "|---|---|---|---|---|---|", *rows]))
    return int(too_many)


if __name__ == "__main__":
    sys.exit(main())
