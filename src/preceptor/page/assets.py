"""Files that pages are made of: style sheets, the script of ours, and uPlot, which draws what can be zoomed.

uPlot's licence (MIT) has its text go with every copy: `uplot_js` puts it before the code.
"""

from functools import cache
from pathlib import Path

from preceptor.page.palette import palette_css

FOLDER = Path(__file__).parent / "assets"


@cache
def asset(name: str) -> str:
    """The text of a file in `assets`, such as "base.css"."""
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def base_css() -> str:
    """Colours, type, tables and charts: what every page begins with."""
    return palette_css() + packed(asset("base.css"))


@cache
def uplot_js() -> str:
    """uPlot, with its licence as a comment before it. It defines `uPlot`."""
    return f"/*\n{asset('uPlot.LICENSE').strip()}\n*/\n{asset('uPlot.iife.min.js').strip()}\n"


@cache
def uplot_css() -> str:
    """uPlot's own style sheet, which goes before `base_css`."""
    return asset("uPlot.min.css").strip()


def packed(css: str) -> str:
    """The style sheet without its comments and line ends."""
    while (start := css.find("/*")) >= 0:
        css = css[:start] + css[css.index("*/", start) + 2 :]
    return "".join(
        line.strip() + ("" if line.rstrip().endswith((",", "{", "}", ";")) else " ") for line in css.splitlines()
    )
