"""The list of what trained the model: it says what the model's document says, with licences."""

import csv
import re
from pathlib import Path

TRAINING = Path(__file__).resolve().parents[2] / "models/training"
DOCUMENT = (TRAINING.parent / "erase-s/README.md").read_text(encoding="utf-8")

with (TRAINING / "photographs.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))

ALLOW_COMMERCIAL_USE = re.compile(
    r"\b(0BSD|AFL 3\.0|Apache-2\.0|BSD-[23]-Clause|CC BY|CC0|CDLA-Permissive-1\.0|GPL-3\+|MIT"
    r"|OSL 3\.0|Pexels|Pixabay|Unlicense|Unsplash|WTFPL|public domain|free to use however you wish)"
)
FORBID_IT = re.compile(r"(?i)\bNC\b|non.?commercial|research|academic|educat|personal|none stated")


def subjects(origin: str) -> int:
    """Return the photographs with a subject of all origins whose name has this in it."""
    return sum(int(row["subjects"]) for row in ROWS if origin in row["origin"])


def test_the_numbers_are_those_of_the_document() -> None:
    """The sums, those by kind, and the origins that the text names."""
    _, _, text = DOCUMENT.partition("### Labelled photographs\n")
    photographs, backgrounds = (
        int(number.replace(",", ""))
        for number in re.findall(r"(?m)^([0-9,]+) photographs, and ([0-9,]+) without", text)[0]
    )
    assert subjects("") == photographs
    assert sum(int(row["backgrounds"]) for row in ROWS) == backgrounds
    (kinds,) = re.findall(r"(?m)^\| items \|(.*)\|$", text.partition("\n### ")[0])
    assert sum(int(number.replace(",", "")) for number in kinds.split("|")) == photographs
    named = {"Caltech": "Caltech-101", "clothing-dataset": "clothing-dataset", "codrops": "codrops"}
    for origin, name in named.items():
        assert f"{name} ({subjects(origin):,})" in " ".join(text.split())


def test_every_origin_is_listed_once() -> None:
    """In the order of the alphabet, with something that trained."""
    origins = [row["origin"] for row in ROWS]
    assert origins == sorted(set(origins), key=str.lower)
    assert all(int(row["subjects"]) + int(row["backgrounds"]) > 0 for row in ROWS)


def test_every_licence_is_stated_somewhere_and_allows_commercial_use() -> None:
    """The file that states it is in brackets behind it."""
    for row in ROWS:
        licence = row["licence"]
        assert ALLOW_COMMERCIAL_USE.search(licence), row
        assert not FORBID_IT.search(licence), row
        assert re.search(r". \(.+\)", licence), row
