"""`preceptor lab`."""

import json
import time
from pathlib import Path
from typing import Any

import click

from preceptor.cli.options import Place, check_html
from preceptor.cli.sentences import line
from preceptor.errors import ConfigError
from preceptor.lab.experiment import CHAPTERS, DATA, TARGET, Experiment
from preceptor.lab.experiments import EXPERIMENTS
from preceptor.lab.page import render, render_book
from preceptor.output import Output
from preceptor.words import closest, counted, duration, listing

ALL = "all"


@click.command()
@click.argument("name", required=False)
@click.argument("given", nargs=-1, metavar="[SETTING=VALUE]...")
@click.option("--seed", type=click.IntRange(0), help="Fixes all that is drawn.")
@click.option(
    "-o", "--output", type=Place(), help="Write the page to this file, an HTML; of all, a folder for the book."
)
@click.option(
    "--data", help="A table of your own in place of what is bundled, where the experiment takes one: a file as of fit."
)
@click.option("--target", help="The column of --data that tells the classes.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object instead.")
def command(
    name: str | None,
    given: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    data: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Runs an experiment of the course: what the lecture says, and what is found when one looks.

    Without NAME the experiments are listed; with NAME "all", all of them run, and -o FOLDER takes the book of their
    pages. Settings of an experiment are given as NAME=VALUE.
    """
    own = {key: value for key, value in ((DATA, data), (TARGET, target)) if value is not None}
    if name in (None, ALL) and own:
        raise ConfigError(f"lab: received --{next(iter(own))}; own data are of one experiment. {_with_data()}")
    if name is None:
        _list(as_json)
    elif name == ALL:
        _book(given, seed, output, as_json)
    else:
        _one(_named(name), given, seed, own, output, as_json)


def _named(name: str) -> Experiment:
    for each in EXPERIMENTS:
        if each.name == name.replace("_", "-"):
            return each
    raise ConfigError(
        f"lab: there is no experiment {name!r}.{closest(name, [each.name for each in EXPERIMENTS])} "
        "preceptor lab lists them."
    )


def _list(as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                [
                    {"name": each.name, "title": each.title, "chapter": each.chapter, "takes_data": each.takes_data}
                    for each in EXPERIMENTS
                ]
            )
        )
        return
    widest = max(len(each.name) for each in EXPERIMENTS)
    for chapter in CHAPTERS:
        own = [each for each in EXPERIMENTS if each.chapter == chapter]
        if own:
            print(f"{chapter}")
            for each in own:
                print(f"  {each.name.ljust(widest)}  {each.title}")
    print("\nRun one: preceptor lab NAME. All of them, as a book: preceptor lab all -o FOLDER")
    print(f"On a table of your own: preceptor lab NAME --data FILE. {_with_data()}")


def _with_data() -> str:
    return f"Those that take some are {listing([each.name for each in EXPERIMENTS if each.takes_data], 40)}."


def _settings(experiment: Experiment, given: tuple[str, ...], seed: int | None, own: dict[str, str]) -> dict[str, Any]:
    found = experiment.read(given) | own
    if own and not experiment.takes_data:
        raise ConfigError(f"lab {experiment.name}: received --{next(iter(own))}; it takes no own data. {_with_data()}")
    if TARGET in own and DATA not in own:
        raise ConfigError(f"lab {experiment.name}: received --target without --data, of which it is a column. Add it.")
    if seed is not None:
        if "seed" not in experiment.settings:
            raise ConfigError(f"lab {experiment.name}: received --seed; nothing is drawn here. Leave it out.")
        found["seed"] = seed
    return found


def _one(
    experiment: Experiment,
    given: tuple[str, ...],
    seed: int | None,
    own: dict[str, str],
    output: Path | None,
    as_json: bool,
) -> None:
    settings = _settings(experiment, given, seed, own)
    place = None if output is None else _page(output)
    found = experiment.run(**settings)
    if as_json:
        print(json.dumps({"name": experiment.name, "settings": experiment.settings | settings} | found.to_dict()))
    else:
        print(f"{experiment.title}\n\n{found}\n\n{experiment.question}\n  {found.answer()}")
    if place is not None:
        page = render(experiment, found, settings)
        with place.text() as file:
            file.write(page)
        if not as_json:
            print()
            line("page", f"{output}: {len(page.encode()) / 1000:,.0f} KB")


def _page(path: Path) -> Output:
    check_html(path, "lab")
    return Output(path, (), "lab: ")


def _book(given: tuple[str, ...], seed: int | None, output: Path | None, as_json: bool) -> None:
    if given:
        raise ConfigError(f"lab all: received {given[0]!r}; settings are of one experiment. Name it.")
    if output is not None and output.exists() and not output.is_dir():
        raise ConfigError(f"lab all: {output}: it is a file; a folder is required for the pages of the book.")
    began, done, kept = time.perf_counter(), [], {}
    for each in EXPERIMENTS:
        settings = {"seed": seed} if seed is not None and "seed" in each.settings else {}
        start = time.perf_counter()
        found = each.run(**settings)
        held = found.claims()
        if as_json:
            kept[each.name] = found.to_dict()
        else:
            words = f"{sum(claim.holds for claim in held)} of {counted(len(held), 'claim')} held"
            line(each.name, f"{duration(time.perf_counter() - start)}, {words}")
        done.append((each, found, settings))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for each, found, settings in done:
            _write(output / f"{each.name}.html", render(each, found, settings, "index.html"))
        _write(output / "index.html", render_book([(each, found, f"{each.name}.html") for each, found, _ in done]))
    if as_json:
        print(json.dumps(kept))
        return
    line("all", f"{counted(len(done), 'experiment')} in {duration(time.perf_counter() - began)}")
    if output is not None:
        line("book", str(output / "index.html"))


def _write(path: Path, page: str) -> None:
    with Output(path, (), "lab: ").text() as file:
        file.write(page)
