"""The report of a run: one HTML file that needs nothing else."""

from base64 import b64encode
from collections.abc import Sequence
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
    return document(
        f"{story.name}: {story.target}",
        story.name,
        verdict.head(story),
        [(name, title, make(story)) for name, title, make in SECTIONS],
        "Made by Preceptor from the run's folder. This page asks nothing of any network.",
        script=f"{uplot_js()}{asset('report.js').strip()}\n",
        style=uplot_css() + base_css() + packed(asset("report.css")),
    )


def document(
    title: str,
    name: str,
    head: Markup,
    sections: Sequence[tuple[str, str, Markup]],
    foot: str,
    *,
    script: str,
    style: str,
    top: str = "Verdict",
) -> str:
    """A whole page of the report's design.

    Args:
        title: of its window; `name`: of what it is about, above the contents.
        head: its first section, whose id is "verdict".
        sections: id, heading and content of the others.
        foot: its last sentence.
        script: the one that may run, by its fingerprint; `style`: the sheet.
        top: what its first section is called in the contents.
    """
    links = [("verdict", top), *((part, heading) for part, heading, _ in sections)]
    contents = tag(
        "nav",
        tag("p", name, class_="small quiet run", dir="auto"),
        tag("ol", (tag("li", tag("a", heading, href=f"#{part}")) for part, heading in links)),
        aria_label="Contents",
        class_="contents",
    )
    parts = [tag("section", tag("h2", heading), content, id=part) for part, heading, content in sections]
    body = joined(
        tag("a", f"To the {top.lower()}", href="#verdict", class_="skip"),
        contents,
        tag("main", head, parts),
        tag("footer", tag("p", foot)),
        tag("script", Markup(script)),
    )
    return "<!DOCTYPE html>\n" + tag("html", tag("head", _head(title, script, style)), tag("body", body), lang="en")


def _head(title: str, script: str, style: str) -> Markup:
    # Scripts run by their fingerprint alone; nothing is ever fetched, sent or framed.
    fingerprint = b64encode(sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{fingerprint}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="Preceptor"),
        tag("title", clipped(title, 200)),
        tag("link", rel="icon", href="data:,"),
        tag("style", Markup(style)),
    )
