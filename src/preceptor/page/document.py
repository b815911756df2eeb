"""The report of a run: one HTML file that needs nothing else."""

from base64 import b64encode
from hashlib import sha256

from preceptor.page import card, columns, curves, findings, inside, judgement, matters, verdict
from preceptor.page.assets import asset, base_css, packed, uplot_css, uplot_js
from preceptor.page.markup import Markup, clipped, joined, tag
from preceptor.page.story import Story

SECTIONS = (
    ("findings", "Findings", findings.section),
    ("curves", "Curves", curves.section),
    ("judgement", "Judgement", judgement.section),
    ("matters", "What matters", matters.section),
    ("data", "Data", columns.section),
    ("inside", "Inside", inside.section),
    ("card", "Model card", card.section),
)


def render(story: Story) -> str:
    """The page of a run as one file: no request, no script from elsewhere, everything escaped.

    Differs: from pages that load their charts: pictures are SVG and stand without the script, which only adds zoom, the
    values under the pointer and buttons that copy.
    """
    script = f"{uplot_js()}{asset('report.js').strip()}\n"
    return "<!DOCTYPE html>\n" + tag(
        "html", tag("head", _head(story, script)), tag("body", _body(story), tag("script", Markup(script))), lang="en"
    )


def _head(story: Story, script: str) -> Markup:
    # Scripts run by their fingerprint alone; nothing is ever fetched, sent or framed.
    fingerprint = b64encode(sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{fingerprint}'; "
        "base-uri 'none'; form-action 'none'"
    )
    style = Markup(uplot_css() + base_css() + packed(asset("report.css")))
    return joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="Preceptor"),
        tag("title", clipped(f"{story.name}: {story.target}", 200)),
        tag("link", rel="icon", href="data:,"),
        tag("style", style),
    )


def _body(story: Story) -> Markup:
    links = [("verdict", "Verdict"), *((name, title) for name, title, _ in SECTIONS)]
    contents = tag(
        "nav",
        tag("p", story.name, class_="small quiet run", dir="auto"),
        tag("ol", (tag("li", tag("a", title, href=f"#{name}")) for name, title in links)),
        aria_label="Contents",
        class_="contents",
    )
    parts = [tag("section", tag("h2", title), make(story), id=name) for name, title, make in SECTIONS]
    return joined(
        tag("a", "To the verdict", href="#verdict", class_="skip"),
        contents,
        tag("main", verdict.head(story), parts),
        tag("footer", tag("p", "Made by Preceptor from the run's folder. This page asks nothing of any network.")),
    )
