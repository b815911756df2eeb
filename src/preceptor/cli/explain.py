"""`preceptor explain`."""

from pathlib import Path

import click

from preceptor.cli.options import FilePlace
from preceptor.errors import ConfigError
from preceptor.report import explain
from preceptor.report.examples import examples
from preceptor.report.expression import expression

WORDS = ", ".join(examples)


@click.command(epilog=f"Ready examples: {WORDS}. Functions: those of preceptor.ops, such as sin, exp, sigmoid, relu.")
@click.argument("what")
@click.argument("values", nargs=-1, metavar="[NAME=NUMBER]...")
@click.option("--svg", type=FilePlace(), help="Draw the graph in this file as well, an SVG.")
@click.option(
    "--detail",
    type=click.Choice(["auto", "variables", "steps"]),
    default="auto",
    help="Every operation (steps), or only values that have a name in the function (variables); if left out, variables "
    "where there are some and their formulas are short.",
)
def command(what: str, values: tuple[str, ...], svg: Path | None, detail: str) -> None:
    """Shows how a value and its derivatives are computed, step by step.

    WHAT is a ready example or a formula, such as "cos(sin(x**2) + 3*x**2)" x=2.
    """
    if what in examples:
        if values:
            raise ConfigError(f"explain: {what} is a ready example with values of its own; {values[0]} is too much.")
        example = examples[what]
        print(example.title + "\n")
        explained = explain(example.function, *example.arguments, detail=detail)
    else:
        explained = expression(what, dict(_number(each) for each in values))
    print(str(explained))
    if svg is not None:
        if svg.suffix.lower() != ".svg":
            raise ConfigError(f"explain: {svg}: the picture is an SVG; the name must end in .svg.")
        explained.save(svg)
        print(f"\npicture   {svg}")


def _number(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if not (name and equals):
            raise ValueError
        return name.strip(), float(value)
    except ValueError:
        raise ConfigError(f"explain: received {text!r}; NAME=NUMBER is required, such as x=2.") from None
