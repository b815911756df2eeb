"""The command `preceptor`. Its commands are imported when called, so that `--help` answers at once."""

import importlib
import sys

import click

from preceptor import errors

COMMANDS = {
    "fit": "Trains a network on a table or on pictures, judges it, saves it.",
    "check": "Says what is wrong or remarkable with data, and trains nothing.",
    "lr-find": "Looks for a good learning rate.",
    "predict": "Predicts every row or picture with a trained network.",
    "evaluate": "Judges a trained network on a table that has the target.",
    "look": "Draws what a trained network has learned to see, as pictures.",
    "explain": "Shows a computation graph with its values, local derivatives and adjoints.",
    "show": "Shows what is known of a run, what a network is made of, or what augmentation does.",
}
USER_ERRORS = (
    errors.ShapeError,
    errors.DtypeError,
    errors.ConfigError,
    errors.DataError,
    errors.NotDifferentiable,
    errors.NotSupported,
)
USER_MISTAKE = 2  # exit code
INTERRUPTED = 130  # 128 + SIGINT, the shell's convention


class Commands(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"preceptor.cli.{name.replace('-', '_')}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="preceptor")
def commands() -> None:
    """Trains neural networks on your data, and says in plain words what happened.

    Begin with: preceptor fit digits
    """


def main() -> None:
    """Runs the command. A user's mistake is one line and exit code 2; nothing is written."""
    try:
        code = commands.main(prog_name="preceptor", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        where = getattr(error, "ctx", None)
        path = where.command_path if where else "preceptor"
        click.echo(f"{path}: {error.format_message().rstrip('.')}. See {path} --help.", err=True)
        code = USER_MISTAKE
    except USER_ERRORS as error:
        click.echo(f"preceptor: {' '.join(str(error).split())}", err=True)  # names in data may hold line ends
        code = USER_MISTAKE
    except (click.Abort, KeyboardInterrupt):
        click.echo("preceptor: interrupted; nothing was written.", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left; nothing is owed to it
        code = 1
    sys.exit(code)
