"""The command `preceptor`. Its commands are imported when called, so that `--help` answers at once."""

import atexit
import errno
import importlib
import re
import sys
import traceback
from typing import Any

import click

from preceptor import errors
from preceptor.cli.terminal import Outlet, OutputLost, outlets
from preceptor.signals import as_interrupts, deaf
from preceptor.words import closest, one_line

COMMANDS = {
    "fit": "Trains a network on a table or on pictures, judges it, saves it.",
    "pretrain": "Trains a network without labels, on a task that the data pose themselves; fit goes on from it.",
    "search": "Trains many times with other settings, and keeps another only where it is better.",
    "check": "Says what is wrong or remarkable with data, and trains nothing.",
    "diagnose": "Says what was found of a run, before and during its training.",
    "report": "Makes the report of a run or a search: one page with how good it is, why, and what to do next.",
    "explain-rule": "Tells of a rule of the doctor: what it looks for, why, by which evidence, what to do.",
    "watch": "Shows the runs and searches of a folder as a live page while they train.",
    "lr-find": "Looks for a good learning rate.",
    "learning-curve": "Tells what more rows, a wider network or more regularisation would bring.",
    "predict": "Predicts every row or picture with a trained network.",
    "embed": "Writes what a layer of a trained network sees in rows or pictures; finds the nearest ones.",
    "evaluate": "Judges a trained network on a table that has the target.",
    "export": "Writes a trained network as a file that others read: ONNX, safetensors, NumPy or C.",
    "look": "Draws what a trained network has learned to see, as pictures.",
    "lab": "Runs the experiments of the course, each with its page: how networks learn, shown and checked.",
    "explain": "Shows a computation graph with its values, local derivatives and adjoints.",
    "show": "Shows what is known of a run or a search, what a network is made of, or what augmentation does.",
}
CODES = """Exit codes: 0 done; 1 the loss became infinite (fit); 2 a mistake in settings or data; 74 the output cannot
be written; 130 interrupted; 141 the reader of the output left."""
USER_ERRORS = (
    errors.ShapeError,
    errors.DtypeError,
    errors.ConfigError,
    errors.DataError,
    errors.NotDifferentiable,
    errors.NotSupported,
)
USER_MISTAKE = 2  # exit code
OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h
OUTPUT_LOST = 74  # EX_IOERR of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, the shell's convention
READER_LEFT = 141  # 128 + SIGPIPE


class Commands(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"preceptor.cli.{name.replace('-', '_')}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and args and args[0][:1] not in ("", "-") and args[0] not in COMMANDS:
            ctx.fail(f"No such command {args[0]!r}.{closest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # of a stream that was named as a file; click would exit with 1
            raise OutputLost from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=CODES)
@click.version_option(package_name="preceptor")
def commands() -> None:
    """Trains neural networks on your data, and says in plain words what happened.

    Begin with: preceptor fit digits
    """


def main() -> None:
    """Runs the command. A user's mistake is one line and exit code 2; nothing is written.

    A command whose words could not all be printed has failed; not a training, which goes on without them, and not where
    the reader left early, who has what he wanted.
    """
    with outlets() as out, as_interrupts():
        atexit.register(deaf)  # all is done and said by then: a second Ctrl-C keeps the exit code of the first
        code = _answer(out)
        if out.lost and out.lost.errno != errno.EPIPE:
            if not out.is_aside:
                code = code or OUTPUT_LOST
            if code == OUTPUT_LOST or out.stream is not None:  # a training whose output was closed on purpose is quiet
                complain(f"standard output: not all could be written ({out.lost.strerror}).")
    sys.exit(code or 0)


def _answer(out: Outlet) -> int | None:
    """Runs the command and returns its exit code; what goes wrong is one line on standard error."""
    try:
        return commands.main(prog_name="preceptor", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return None
    except click.ClickException as error:
        where = getattr(error, "ctx", None)
        named = [word for word in sys.argv[1:2] if word in COMMANDS]
        path = where.command_path if where else " ".join(["preceptor", *named])
        text = error.format_message() + _minus(error)
        complain(f"{text}{'' if text.endswith(('.', '?')) else '.'} See {path} --help.", path)
    except USER_ERRORS as error:
        complain(str(error))
    except (click.Abort, KeyboardInterrupt) as error:
        cause = error.__cause__ if isinstance(error, click.Abort) else error
        complain(str(cause or "") or "interrupted; nothing was written.")
        return INTERRUPTED
    except OutputLost:
        return READER_LEFT if out.lost is None or out.lost.errno == errno.EPIPE else OUTPUT_LOST
    except OSError as error:
        complain(f"{error.filename or 'a file'}: {error.strerror or error}.")
        return OUTPUT_LOST
    except MemoryError as error:
        complain(f"the memory does not suffice ({error}); take less data or a smaller network.")
    except Exception:
        traceback.print_exc()
        complain("this is a fault of preceptor, not of your data or settings.")
        return OWN_FAULT
    return USER_MISTAKE


def _minus(error: click.ClickException) -> str:
    """How to write a value that was taken for an option."""
    if isinstance(error, click.NoSuchOption) and re.match(r"-[\d.]", error.option_name):
        return " A value that begins with a minus stands behind an equals sign: --ordered=-1,0,1."
    return ""


def complain(text: str, path: str = "preceptor") -> None:
    """An error as one line on standard error; names in data may hold line ends."""
    print(f"{path}: {one_line(text)}", file=sys.stderr)
