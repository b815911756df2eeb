"""Pages for people: one design, charts, and the report of a run. Knows nothing of networks."""

from preceptor.page.document import render
from preceptor.page.small import small, table
from preceptor.page.story import Story, Told
from preceptor.page.whole import Page

__all__ = ["Page", "Story", "Told", "render", "small", "table"]
