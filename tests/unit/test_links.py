"""The links of the documents lead somewhere, as far as that can be known without a network."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from documents import documents, prose

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = documents(ROOT)

_INLINE = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'(][^)]*)?\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)
_HTML = re.compile(r"(?:href|src|srcset)=[\"']([^\"']+)[\"']")
_HEADING = re.compile(r"^ {0,3}#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)
_ID = re.compile(r"(?:id|name)=[\"']([^\"']+)[\"']")


def links(text: str) -> list[str]:
    """Return the targets of a Markdown text's links and images."""
    plain = prose(text)
    return [target for form in (_INLINE, _REFERENCE, _HTML) for target in form.findall(plain)]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives a Markdown text's headings, and those of its HTML."""
    found: set[str] = set(_ID.findall(prose(text)))
    for heading in _HEADING.findall(prose(re.sub(r"`", "", text))):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def leads_somewhere(link: str, document: Path) -> bool:
    """Tell whether a link's file is in the repository, and its anchor in that file."""
    path, _, anchor = unquote(link).partition("#")
    base = ROOT if path.startswith("/") else document.parent
    target = (base / path.lstrip("/") if path else document).resolve()
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    page = target / "README.md" if target.is_dir() else target  # a folder's page shows its README
    return not anchor or anchor in anchors(page.read_text(encoding="utf-8"))


def broken(document: Path) -> list[str]:
    """Return the links of a document that lead nowhere, but for those to other hosts."""
    own = [
        link
        for link in links(document.read_text(encoding="utf-8"))
        if not re.match(r"[a-z][a-z0-9+.-]*:", link)
    ]
    return [link for link in own if not leads_somewhere(link, document)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    """Its file is in the repository, and its anchor in that file."""
    assert broken(document) == []


def test_there_are_documents_with_links() -> None:
    """The search finds them."""
    assert ROOT / "README.md" in DOCUMENTS
    assert links((ROOT / "README.md").read_text(encoding="utf-8"))


def test_what_is_broken_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and anchors that are not there, in every form of a link; code is not looked at."""
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "there.md").write_text("# A `b` – c!\n\n## Same\n\n## Same\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Top\n"
        "[1](there.md) ![2](gone.png) [3](there.md#a-b--c) [4](#top) [5](#bottom 'why')\n"
        "[6](there.md#same-1) [7](there.md#same-2) <a href='gone.html'>x</a> [8](https://x.example)\n"
        "`[9](gone-in-code.md)`\n\n```sh\necho [10](gone-in-block.md)\n```\n\n"
        "[11]: gone-reference.md\n[12](../outside.md)\n"
    )
    assert broken(page) == [
        *("gone.png", "#bottom", "there.md#same-2", "../outside.md"),
        *("gone-reference.md", "gone.html"),
    ]
