"""The page in Chromium with a sample photo cut out, as a picture for the README.

python tests/e2e/page_picture.py tests/pictures/page.jpg

Needs Chromium, and what ``make e2e`` installs.
"""

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
VIEWPORT = {"width": 1280, "height": 860}
TIMEOUT_MS = 60_000


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Draw the README's picture of the page.")
    parser.add_argument("out", type=Path, help="the picture, .jpg")
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("There is no Chromium on this machine.")
    with served() as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=VIEWPORT)
        page.set_default_timeout(TIMEOUT_MS)
        cut_out_the_sample(page, url)  # the first request of a process takes longer
        cut_out_the_sample(page, url)
        shot = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
        browser.close()
    shot.save(given.out, quality=65, optimize=True)
    print(f"{given.out}: {given.out.stat().st_size:,} bytes")


@contextmanager
def served() -> Iterator[str]:
    """Serve the API on a free port and give its URL."""
    with subprocess.Popen(
        [sys.executable, ROOT / "events/local/serve.py", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().partition(" ")[0]
        finally:
            process.terminate()


def cut_out_the_sample(page: Page, url: str) -> None:
    """Open the page anew, use the key, and wait for the cutout of the first sample."""
    page.goto(url)
    page.get_by_label("API key").fill("local")
    page.get_by_role("button", name="Use").click()
    page.get_by_role("button", name="An astronaut in an orange suit").click()
    expect(page.locator("#items li")).to_have_attribute("data-state", "done", timeout=TIMEOUT_MS)
    page.mouse.move(0, 0)


if __name__ == "__main__":
    main()
