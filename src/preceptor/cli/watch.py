"""`preceptor watch`."""

from pathlib import Path

import click

from preceptor.cli.options import Place, Whole
from preceptor.cli.sentences import line
from preceptor.errors import ConfigError, DataError, NotSupported
from preceptor.live.watcher import Watcher

HIGHEST_PORT = 65_535


@click.command()
@click.argument("runs", type=Place(), default=Path("runs"))
@click.option(
    "--port", type=Whole(0, HIGHEST_PORT), default=0, help="Where it listens, on this machine; any if left out."
)
def command(runs: Path, port: int) -> None:
    """Shows the runs of a folder as a live page: their curves while they train, how they stand, what was found. A
    search is one entry with its trials: the best so far, the score of each, how many are done, paused and failed.

    RUNS is the folder they lie in, or a run of its own; runs if left out. Nothing in it is changed, so it may lie on
    another machine. Open the address that is printed; its token lets nobody else in. It answers to this machine alone:
    to see the page from another, ssh -L PORT:127.0.0.1:PORT and the same address. Ctrl-C ends it.
    """
    try:
        from preceptor.live.server import listening, new_token, serve
    except ImportError as error:
        raise NotSupported(
            f"watch: {error}; starlette and uvicorn are required. Install them: python -m pip install 'preceptor[live]'"
        ) from None
    if not runs.is_dir():
        raise DataError(f"{runs}: this is no folder; one in which runs lie is required. `preceptor fit` makes runs.")
    try:
        place = listening(port)
    except OSError as error:
        raise ConfigError(
            f"watch: port {port} cannot be listened on ({error.strerror}). Choose another with --port."
        ) from None
    token = new_token()
    line("page", f"http://127.0.0.1:{place.getsockname()[1]}/?token={token}")
    line("", f"the runs of {runs}; Ctrl-C ends it")
    try:
        serve(Watcher(runs), place, token)
    except KeyboardInterrupt:
        line("ended", "the runs go on without the page")
