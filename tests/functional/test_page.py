"""The pages ``/`` and ``/docs`` through the handler: what a browser gets, and what it may do."""

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from client import ANY_PAYLOAD, Client
from cloud import Cloud
from conftest import deployment
from test_openapi import check, fetched

import app
from cutout.http.large_images import Transfer
from cutout.http.pages import FOLDER, read_page
from cutout.settings import Settings
from pack import build_function

PAGES = pytest.mark.parametrize("path", ["/", "/docs"])
MAX_BYTES = 100_000


def policy(headers: object) -> dict[str, list[str]]:
    """Return the directives of a reply's Content-Security-Policy."""
    assert isinstance(headers, dict)
    parts = [part.split() for part in headers["content-security-policy"].split(";")]
    return {name: sources for name, *sources in parts}


@PAGES
@ANY_PAYLOAD
def test_a_page_needs_no_key_and_loads_nothing(client: Client, path: str) -> None:
    """It is one document; what it names is inside it or beside it."""
    reply = client.send("GET", path, key=None)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-cache"
    html = reply.body.decode()
    assert html.startswith("<!doctype html>\n<html lang=")
    named = re.findall(r'\b(?:src|href|action)="([^"]*)"', html)
    assert named
    assert [name for name in named if not re.match(r"data:|#|\./$|docs$", name)] == []
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    assert not re.search(r'\son\w+="|\sstyle="', html)


@PAGES
@ANY_PAYLOAD
def test_only_what_the_page_holds_may_run(client: Client, path: str) -> None:
    """The policy names each script and style by its hash, and takes nothing else."""
    reply = client.send("GET", path, key=None)
    html = reply.body.decode()
    found = policy(reply.headers)
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        texts = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", html, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts]
        assert found[directive] == [f"'sha256-{digest}'" for digest in digests]
    assert found["default-src"] == ["'none'"]
    assert found["connect-src"] == ["'self'"]
    for directive in ("base-uri", "form-action", "frame-ancestors"):
        assert found[directive] == ["'none'"]


@PAGES
def test_the_page_may_reach_the_buckets_of_the_deployment(cloud: Cloud, path: str) -> None:
    """And no other host: that is where uploads go and where results are."""
    client = Client(
        deployment(app.remover, cloud.settings, transfer=Transfer(cloud.store, cloud.settings))
    )
    reply = client.send("GET", path, key=None)
    (own, *others) = policy(reply.headers)["connect-src"]
    assert own == "'self'"
    upload = replace(cloud.settings, api_key_hashes=app.settings.api_key_hashes)
    keyed = Client(deployment(app.remover, upload, transfer=Transfer(cloud.store, upload)))
    url = keyed.post("/v2/uploads").json()["upload"]["url"]
    assert any(url.startswith(origin) for origin in others)
    assert all(re.fullmatch(r"https?://[^/]+", origin) for origin in others)


@PAGES
@ANY_PAYLOAD
def test_a_page_that_is_known_is_not_sent_again(client: Client, path: str) -> None:
    """The ETag is the content's; lists, weak tags and * are understood."""
    first = client.send("GET", path, key=None)
    tag = first.headers["etag"]
    for condition in (tag, f'"other", W/{tag}', "*"):
        again = client.send("GET", path, key=None, headers={"If-None-Match": condition})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
        assert "content-type" not in again.headers
    changed = client.send("GET", path, key=None, headers={"If-None-Match": '"other"'})
    assert (changed.status, changed.body) == (200, first.body)


@PAGES
@ANY_PAYLOAD
def test_a_page_is_compressed_for_whoever_takes_that(client: Client, path: str) -> None:
    """Under a tag of its own, so that no cache mixes the two up."""
    plain = client.send("GET", path, key=None)
    assert plain.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    for coding in ("gzip", "br, gzip;q=0.5", "GZIP"):
        small = client.send("GET", path, key=None, headers={"Accept-Encoding": coding})
        assert small.headers["content-encoding"] == "gzip"
        assert gzip.decompress(small.body) == plain.body
        assert small.headers["etag"] != plain.headers["etag"]
    for coding in ("identity", "gzip;q=0", "gzip; q=0.000", "br"):
        other = client.send("GET", path, key=None, headers={"Accept-Encoding": coding})
        assert other.body == plain.body


@PAGES
@ANY_PAYLOAD
def test_a_slash_at_the_end_and_head(client: Client, path: str) -> None:
    """Both mean the same page; HEAD has its headers and no body."""
    whole = client.send("GET", path, key=None)
    assert client.send("GET", path.rstrip("/") + "/", key=None).body == whole.body
    head = client.send("HEAD", path, key=None)
    assert (head.status, head.body) == (200, b"")
    same = {"etag", "content-type", "content-security-policy", "cache-control"}
    assert {name: head.headers[name] for name in same} == {n: whole.headers[n] for n in same}


@ANY_PAYLOAD
def test_what_is_no_page_is_refused_in_the_envelope(client: Client) -> None:
    """The files of which a page is made have no address of their own."""
    for path in ("/page.css", "/page.js", "/page/index.html", "/docs/page.css", "/index.html"):
        reply = client.send("GET", path, key=None)
        assert (reply.status, reply.error()["code"]) == (404, "not_found")
    refused = client.send("POST", "/", key=None)
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@PAGES
@ANY_PAYLOAD
def test_the_pages_are_in_the_document(client: Client, path: str) -> None:
    """With their headers."""
    document = fetched(client)
    for method in ("GET", "HEAD"):
        gzipped = {"Accept-Encoding": "gzip"}
        reply = client.send(method, path, key=None, headers=gzipped)
        check(document, method, path, reply)
        known = {"If-None-Match": reply.headers["etag"], **gzipped}
        check(document, method, path, client.send(method, path, key=None, headers=known))


@ANY_PAYLOAD
def test_both_pages_are_small(client: Client) -> None:
    """As they travel, with the sample photos in them."""
    gzipped = {"Accept-Encoding": "gzip"}
    sizes = [len(client.send("GET", path, headers=gzipped).body) for path in ("/", "/docs")]
    assert sum(sizes) < MAX_BYTES, sizes


@ANY_PAYLOAD
def test_a_deployment_without_pages(client: Client) -> None:
    """Then nothing is there, and the document says nothing of them."""
    bare = Client(deployment(app.remover, Settings(show_pages=False)), client.payload)
    for path in ("/", "/docs"):
        reply = bare.send("GET", path, key=None)
        assert (reply.status, reply.error()["code"]) == (404, "not_found")
    document = fetched(bare)
    assert document["paths"].keys() == fetched(client)["paths"].keys() - {"/", "/docs"}


def test_the_built_function_has_the_files(tmp_path: Path) -> None:
    """What `make build` takes along is enough for both pages."""
    build_function(FOLDER.parents[2], tmp_path, python="0.0")  # of no version: without byte-code
    built = tmp_path / "cutout" / "http" / "page"
    assert {path.name for path in built.iterdir()} == {path.name for path in FOLDER.iterdir()}
    for name in ("index.html", "docs.html"):
        assert read_page(name, built) == read_page(name)


def scripts() -> Iterator[Path]:
    """Yield the modules of the pages."""
    yield from sorted(FOLDER.glob("*.js"))


def test_the_modules_share_no_name() -> None:
    """They are put into one scope, where a second declaration of a name would be an error."""
    declared: dict[str, list[str]] = {}
    shape = r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)"
    for path in scripts():
        for name in re.findall(shape, path.read_text(encoding="utf-8"), re.MULTILINE):
            declared.setdefault(name, []).append(path.name)
    # The two that start a page never meet.
    entries = {"page.js", "docs.js"}
    shared = {n: files for n, files in declared.items() if len(set(files) - entries) > 1}
    assert len(declared) > 50
    assert shared == {}


def test_every_import_is_one_that_is_put_in() -> None:
    """An import or an export of another shape would stay in the page and be asked for."""
    for path in scripts():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("import"):
                assert re.fullmatch(r'import \{[^}]*\} from "\./[\w-]+\.js";', line), line
            if line.startswith("export"):
                assert re.match(r"export (async )?(function|class|const) ", line), line


@PAGES
@ANY_PAYLOAD
def test_nothing_of_modules_is_left(client: Client, path: str) -> None:
    """Everything a page needs is in it."""
    html = client.send("GET", path, key=None).body.decode()
    assert not re.search(r"^\s*(import|export) ", html, re.MULTILINE)
    used = set(re.findall(r'"\./([\w-]+\.js)"', "".join(p.read_text() for p in scripts())))
    assert {one.name for one in scripts()} == used | {"page.js", "docs.js"}


def luminance(color: str) -> float:
    """Return the relative luminance of #RGB or #RRGGBB, as WCAG 2.2 defines it."""
    digits = color.removeprefix("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_sees_where_a_control_is(theme: str) -> None:
    """The outline of a field is all that shows it: WCAG 1.4.11 asks for 3 to 1."""
    styles = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.css"))]
    text = (FOLDER / "page.css").read_text(encoding="utf-8")
    first, second = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    colors = dict(re.findall(r"(--[\w-]+): (#\w+)", first if theme == "light" else second))
    for ground in ("--card", "--paper"):
        assert contrast(colors["--edge"], colors[ground]) >= 3
    rules = re.findall(r"([^{}]*)\{([^{}]*)\}", "".join(styles))
    controls = [(name, rule) for name, rule in rules if re.search(r"input|textarea|swatch ", name)]
    bordered = [(name, rule) for name, rule in controls if "border: 1px" in rule]
    assert len(bordered) == 4
    assert [name for name, rule in bordered if "border: 1px solid var(--edge)" not in rule] == []
