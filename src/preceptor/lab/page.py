"""The page of an experiment, and the book of all: one HTML file each, of the report's design, without network."""

import re
from collections.abc import Sequence
from typing import Any

from preceptor.lab.experiment import CHAPTERS, DATA, TARGET, Claim, Experiment, Figures, Player, Replay
from preceptor.lab.experiment import Table as Cells
from preceptor.page.assets import FOLDER, asset, base_css, packed
from preceptor.page.document import document
from preceptor.page.grid import command_line, folded, grid
from preceptor.page.markup import Markup, joined, script_data, tag
from preceptor.words import counted, shell_word

ASSETS = FOLDER.parents[1] / "lab" / "assets"
FOOT = "Made by Preceptor: every figure is of the run that made this page. This page asks nothing of any network."


def lab_asset(name: str) -> str:
    """The text of a file of the lab's own."""
    return (ASSETS / name).read_text(encoding="utf-8")


def short(script: str) -> str:
    """A script of the lab without comments and indentation. Comments stand on lines of their own, or behind two
    spaces."""
    script = re.sub(r"^\s*/\*.*?\*/\s*$", "", script, flags=re.MULTILINE | re.DOTALL)
    lines = (re.sub(r"(^|\s\s+)//.*$", "", line).strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line)


def render(experiment: Experiment, found: Figures, given: dict[str, Any], book: str = "") -> str:
    """The page of one experiment.

    Args:
        given: the settings that are not the usual ones.
        book: where the book's index lies, relative to this page; "" where there is none.
    """
    players = [_player(each) for each in found.players()]
    replays = [_replay(each) for each in found.replays()]
    sections = [
        ("predict", "Predict first, then look", _question(experiment, found)),
        ("figures", "What was found", joined(tag("div", found.pictures(), class_="figures"), players)),
        *([("train", "Train it here", joined(*replays))] if replays else []),
        ("numbers", "In numbers", joined(*map(_table, found.tables()))),
        ("claims", "What the lecture says, and what was found", _claims(found.claims())),
        ("change", "What changes when", _changes(experiment, given)),
    ]
    scripts = ("lab.js", *(("interpreter.js", "session.js", "replay.js") if replays else ()))
    return document(
        experiment.title,
        experiment.title,
        _head(experiment, found, book),
        sections,
        FOOT,
        script="".join(
            f"{each.strip()}\n" for each in (asset("report.js"), *(short(lab_asset(own)) for own in scripts))
        ),
        top="Experiment",
        style=base_css() + packed(asset("report.css")) + packed(lab_asset("lab.css")),
    )


def render_book(found: Sequence[tuple[Experiment, Figures, str]]) -> str:
    """The index of the book: each experiment with its first picture, in the order of the lectures.

    Args:
        found: experiment, figures and the file of its page.
    """
    sections = []
    for chapter in CHAPTERS:
        own = [each for each in found if each[0].chapter == chapter]
        if own:
            cards = [_card(*each) for each in own]
            sections.append((chapter.lower().replace(" ", "-"), chapter, tag("div", cards, class_="figures")))
    kept = [claim for _, figures, _ in found for claim in figures.claims()]
    head = tag(
        "section",
        tag("p", "The lab", class_="eyebrow"),
        tag("h1", "How networks learn: the experiments of the course, run"),
        tag(
            "p",
            f"{counted(len(found), 'experiment')}, each a page that can be stepped through. Of "
            f"{counted(len(kept), 'claim')} of the lectures and of theory {sum(each.holds for each in kept)} held in "
            "these runs; where one did not, its page says what was found.",
            class_="lead",
        ),
        tag("p", "Each page is made again, with other settings or another seed, by the command at its end."),
        command_line("preceptor lab all -o book"),
        id="verdict",
    )
    return document(
        "The lab of Preceptor",
        "The lab",
        head,
        sections,
        FOOT,
        script=f"{asset('report.js').strip()}\n",
        top="Book",
        style=base_css() + packed(asset("report.css")) + packed(lab_asset("lab.css")),
    )


def _card(experiment: Experiment, found: Figures, file: str) -> Markup:
    return tag(
        "article",
        tag("h3", tag("a", experiment.title, href=file)),
        found.pictures()[0],
        tag("p", experiment.question, class_="small"),
        class_="card",
    )


def _head(experiment: Experiment, found: Figures, book: str) -> Markup:
    above = tag("a", "The lab", href=book) if book else "The lab"
    return tag(
        "section",
        tag("p", above, f" · {experiment.chapter}", class_="eyebrow"),
        tag("h1", experiment.title),
        tag("p", experiment.says, class_="lead"),
        tag("p", f"Course material {experiment.source}.", class_="small quiet"),
        tag("p", tag("b", "What is done here. "), experiment.does),
        tag("p", tag("b", "Own data. "), " ".join(found.notes)) if found.notes else None,
        tag("p", tag("b", "What to look at. "), experiment.look),
        tag("p", tag("b", "Where the text errs. "), experiment.errs) if experiment.errs else None,
        id="verdict",
    )


def _question(experiment: Experiment, found: Figures) -> Markup:
    return joined(tag("p", experiment.question), folded("The answer", tag("p", found.answer()), is_printed=True))


def _table(table: Cells) -> Markup:
    return grid(table.title, table.heads, table.rows, range(1, len(table.heads)))


def _claims(claims: Sequence[Claim]) -> Markup:
    signs = {True: ("✓", "good", "holds"), False: ("✗", "bad", "does not hold")}
    lines = []
    for each in claims:
        sign, level, word = signs[each.holds]
        badge = tag("span", f"{sign} {word}", class_=f"badge {level}")
        lines.append([each.says, each.source, each.found, badge])
    return tag("div", grid("Claims", ["what is said", "where", "what was found", ""], lines), class_="claims")


def _changes(experiment: Experiment, given: dict[str, Any]) -> Markup:
    words = " ".join(
        f"--{name} {shell_word(value)}" if name in (DATA, TARGET) else f"{name}={shell_word(value)}"
        for name, value in given.items()
    )
    own = [f"{name}={_word(value)}" for name, value in experiment.settings.items()]
    return joined(
        tag("ul", (tag("li", each) for each in experiment.changes)) if experiment.changes else None,
        tag("p", f"Settings, as they are if left out: {', '.join(own)}.") if own else None,
        command_line(f"preceptor lab {experiment.name}{' ' if words else ''}{words} -o {experiment.name}.html"),
    )


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _player(player: Player) -> Markup:
    """Pictures of which one is shown; without the script, all of them."""
    shown = [
        tag("div", picture, class_="frame", data_label=label)
        for label, picture in zip(player.labels, player.pictures, strict=True)
    ]
    last = len(shown) - 1
    control = tag(
        "div",
        tag("button", "Back", type="button", class_="back"),
        tag("input", type="range", min=0, max=last, value=0, step=1, aria_label=player.title),
        tag("button", "Forward", type="button", class_="forward"),
        tag("output", player.labels[0] if shown else ""),
        class_="control",
        hidden=True,
    )
    return tag(
        "section",
        tag("h3", player.title),
        control,
        tag("div", shown, class_="frames"),
        class_="player",
        data_name=player.name,
    )


def _replay(replay: Replay) -> Markup:
    """A training that the page's script makes again; without the script a word that it would."""
    return tag(
        "section",
        tag("h3", replay.title),
        tag("p", "The training is made again by the page's script, which does not run here.", class_="without quiet"),
        tag("script", script_data(replay.to_dict()), type="application/json"),
        class_="replay",
        data_name=replay.name,
    )
