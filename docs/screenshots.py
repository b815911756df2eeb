"""Takes pictures of report pages: on a phone and a desk, light and dark, and printed.

    python docs/screenshots.py [PAGE.html ...] [-o FOLDER]
    preceptor fit digits --hidden 64,64 --learning-rate 1 --out runs/reckless
    python docs/screenshots.py --readme runs/reckless/report.html

    python docs/screenshots.py --live runs
    preceptor search digits --members 1 --trials 64 --pruner halving --space 'depth=1..3;width' --out runs/many
    python docs/screenshots.py --search runs/many/search.html

Without pages it lays out the stories of tests/page/stories.py. With --readme it takes the two pictures of the README of
one page: docs/report.png and docs/report-dark.png. With --live those of the live page of a folder: docs/live.png and
docs/live-dark.png, with --search of what mattered in a search: docs/search.png and docs/search-dark.png. Needs the
package playwright and a Chromium; printed pages become pictures where pdftoppm is installed.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
STILL: dict[str, Any] = {"reduced_motion": "reduce"}  # else it is on its way to where it was asked to scroll
SIZES = {"phone": (390, 844), "desk": (1440, 900)}


def pages_of_stories(folder: Path) -> list[Path]:
    """The stories of the tests as pages."""
    sys.path[:0] = [str(ROOT / "tests" / "page")]
    from stories import STORIES

    from preceptor.page import render

    made = []
    for name, story in STORIES.items():
        path = folder / f"{name}.html"
        path.write_text(render(story()), encoding="utf-8")
        made.append(path)
    return made


def shoot(browser: Any, page_path: Path, folder: Path) -> None:
    """All pictures of one page, whole pages of the two sizes and the two schemes, and the print."""
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, offline=True, reduced_motion="reduce"
            )
            page = context.new_page()
            page.goto(page_path.as_uri())
            page.wait_for_timeout(200)
            page.screenshot(path=folder / f"{page_path.stem}-{size}-{scheme}.png", full_page=True)
            page.screenshot(path=folder / f"{page_path.stem}-{size}-{scheme}-top.png")
            context.close()
    page = browser.new_page()
    page.goto(page_path.as_uri())
    printed = folder / f"{page_path.stem}-print.pdf"
    page.pdf(path=printed, format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "15mm"))
    page.close()
    if shutil.which("pdftoppm"):
        subprocess.run(["pdftoppm", "-r", "60", "-png", printed, folder / f"{page_path.stem}-print"], check=True)


def shoot_for_readme(browser: Any, address: str, name: str, height: int, wait: int = 200) -> None:
    """The beginning of a page, light and dark, at one and a half times the pixels."""
    for scheme, ending in (("light", ""), ("dark", "-dark")):
        size = {"width": 1280, "height": height}
        context = browser.new_context(viewport=size, color_scheme=scheme, device_scale_factor=1.5, **STILL)
        page = context.new_page()
        page.goto(address)
        page.wait_for_timeout(wait)
        path = ROOT / "docs" / f"{name}{ending}.png"
        page.screenshot(path=path)
        context.close()
        Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)  # few colours, a quarter of the bytes


def shoot_live(browser: Any, runs: Path) -> None:
    """The live page of a folder, served for the moment."""
    words = [sys.executable, "-u", "-m", "preceptor.cli", "watch", str(runs)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            shoot_for_readme(browser, server.stdout.readline().split()[-1], "live", 1000, 2500)
        finally:
            server.terminate()


def main() -> None:
    """Reads the words of the command and takes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--live", type=Path)
    parser.add_argument("--search", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
        if chosen.readme:
            shoot_for_readme(browser, chosen.pages[0].resolve().as_uri(), "report", 1330)
            return
        if chosen.search:
            shoot_for_readme(browser, f"{chosen.search.resolve().as_uri()}#settings", "search", 1330, 900)
            return
        if chosen.live:
            shoot_live(browser, chosen.live)
            return
        chosen.out.mkdir(parents=True, exist_ok=True)
        for each in [path.resolve() for path in chosen.pages] or pages_of_stories(Path(folder)):
            shoot(browser, each, chosen.out)
            print(each.stem)
        browser.close()


if __name__ == "__main__":
    main()
