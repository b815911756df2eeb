"""What the report costs: `fit` with it and without, the page's bytes, the time to lay it out and to its first paint.

    python bench/report.py [DATA[:TARGET] ...] [--repeats 5]

Both kinds of fit run in processes of their own, by turns. Without the report: nothing is gathered, no page is laid
out; the log stays. First paint is measured in a headless Chromium, where the package playwright and a Chromium are
installed; it begins with the call for the page.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FIT = """
import json, sys, time
from pathlib import Path
from preceptor.job import make_settings, prepare
from preceptor.job.run import Run
began = time.perf_counter()
data, target, out, gathers = sys.argv[1:]
fitting = prepare(data, make_settings({"target": target or None}))
fitting.gathers = gathers == "with"
if not fitting.gathers:
    Run._write_report = lambda run: None
fitting.open_folder(Path(out))
for _ in fitting.records():
    pass
fitting.keep()
run = fitting.finish()
ended = time.perf_counter()
page = run.report()
laid_out = time.perf_counter() - ended
print(json.dumps({"seconds": ended - began, "laid_out": laid_out, "bytes": len(page.encode())}))
"""


def fitted(data: str, target: str, out: Path, gathers: str) -> dict[str, float]:
    """The figures of one fit in a process of its own."""
    words = [sys.executable, "-c", FIT, data, target, str(out), gathers]
    found: dict[str, float] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return found


def first_paint(page: Path) -> float | None:
    """Milliseconds; None where no browser is there."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        times = []
        for _ in range(3):
            context = browser.new_context(offline=True)
            opened = context.new_page()
            opened.goto(page.as_uri())
            opened.wait_for_timeout(100)
            times.append(opened.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            context.close()
        browser.close()
    return statistics.median(times)


def main() -> None:
    """Prints a line for each set of data."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", default=["digits", "iris"])
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    print(f"{'data':24} {'without':>9} {'with':>9} {'ratio':>7} {'laid out':>9} {'page':>9} {'paint':>8}")
    for each in chosen.data:
        data, _, target = each.partition(":")
        found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
        with tempfile.TemporaryDirectory() as folder:
            for number in range(chosen.repeats):
                for how in found:
                    found[how].append(fitted(data, target, Path(folder) / f"{how}{number}", how))
            paint = first_paint(Path(folder) / "with0" / "report.html")
        without, with_it = (statistics.median(one["seconds"] for one in found[how]) for how in found)
        laid_out = statistics.median(one["laid_out"] for one in found["with"])
        size = found["with"][0]["bytes"] / 1000
        painted = "" if paint is None else f"{paint:.0f} ms"
        print(
            f"{Path(data).name:24} {without:7.2f} s {with_it:7.2f} s {with_it / without:7.3f} {laid_out:7.3f} s "
            f"{size:6,.0f} KB {painted:>8}"
        )


if __name__ == "__main__":
    main()
