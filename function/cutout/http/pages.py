"""The two pages: files of ``page/`` → one HTML document each, with everything in it → replies.

A page is one request, so one environment of the function answers all of it. The files beside it
are ordinary ones: the HTML names its style, its pictures and its first script, and the scripts
import each other as ES modules. Here they are put in the place of their names.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cutout.http.cacheable import Cacheable
from cutout.http.reply import Reply
from cutout.http.request import Request

FOLDER = Path(__file__).resolve().parent / "page"

PAGES = {"/": "index.html", "/docs": "docs.html"}
"""Path → the HTML file of its page."""

_STYLE = re.compile(r'<link rel="stylesheet" href="([\w-]+\.css)">')
_SCRIPT = re.compile(r'<script type="module" src="([\w-]+\.js)"></script>')
_PICTURE = re.compile(r'src="([\w/-]+\.webp)"')
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) )", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page as it is sent.

    ``script`` and ``styles`` are the sources that a Content-Security-Policy names, such as
    ``'sha256-…'``: nothing else on the page runs or styles it.
    """

    html: Cacheable
    script: str
    styles: tuple[str, ...]

    def reply_to(self, request: Request, connects_to: Iterable[str]) -> Reply:
        """Return the page, or 304 to whoever has it; ``connects_to`` are origins beside its own."""
        headers = {
            "Content-Security-Policy": self._policy(connects_to),
            "Referrer-Policy": "no-referrer",
        }
        return self.html.reply_to(request, "text/html; charset=utf-8", headers)

    def _policy(self, connects_to: Iterable[str]) -> str:
        directives = {
            "default-src": ("'none'",),
            "script-src": (self.script,),
            "style-src": self.styles,
            "img-src": ("'self'", "data:", "blob:"),
            "connect-src": ("'self'", *connects_to),
            "base-uri": ("'none'",),
            "form-action": ("'none'",),
            "frame-ancestors": ("'none'",),
        }
        return "; ".join(" ".join((name, *sources)) for name, sources in directives.items())


@cache  # when first asked for, so that no start of the function waits for it
def read_page(name: str, folder: Path = FOLDER) -> Page:
    """Return the page of an HTML file in ``folder``, which names styles and one script."""
    html = (folder / name).read_text(encoding="utf-8")
    styles = [(folder / style).read_text(encoding="utf-8") for style in _STYLE.findall(html)]
    script = _with_imports(folder, _SCRIPT.findall(html)[0], set())
    inlined = iter(styles)
    html = _STYLE.sub(lambda _: f"<style>{next(inlined)}</style>", html)
    html = _PICTURE.sub(lambda match: f'src="{_data_url(folder / match[1])}"', html)
    html = _SCRIPT.sub(lambda _: f'<script type="module">{script}</script>', html)
    return Page(
        html=Cacheable.of(html.encode()),
        script=_hash_source(script),
        styles=tuple(map(_hash_source, styles)),
    )


def _with_imports(folder: Path, name: str, done: set[str]) -> str:
    """Return a script after those that it imports, each of them once: they share one scope."""
    if name in done:
        return ""
    done.add(name)
    script = (folder / name).read_text(encoding="utf-8")
    imported = [_with_imports(folder, other, done) for other in _IMPORT.findall(script)]
    return "".join((*imported, _EXPORT.sub("", _IMPORT.sub("", script))))


def _data_url(path: Path) -> str:
    return f"data:image/webp;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
