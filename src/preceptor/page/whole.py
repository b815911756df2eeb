"""A page as a text that shows itself in a notebook."""

from html import escape

from preceptor.page.markup import Markup, tag


class Page(str):
    """The HTML of a whole page."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Page({len(self):,} characters; str() is its HTML)"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that neither its style nor its script meets those of the notebook."""
        style = "width:100%;height:80vh;border:0"
        # Escaped and no more: with its line ends gone the script would not be the one whose fingerprint the page has.
        return tag("iframe", srcdoc=Markup(escape(self)), title="Report", sandbox="allow-scripts", style=style)
