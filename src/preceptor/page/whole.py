"""A page as a text that shows itself in a notebook."""

from preceptor.page.markup import tag


class Page(str):
    """The HTML of a whole page."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that neither its style nor its script meets those of the notebook."""
        style = "width:100%;height:80vh;border:0"
        return tag("iframe", srcdoc=self, title="Report", sandbox="allow-scripts", style=style)
