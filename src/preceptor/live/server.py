"""The server of the live page: a page, the state of all runs, what comes as server-sent events, and finer curves."""

import asyncio
import re
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib.resources import files
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from preceptor.live.guard import MOST_HEADER_BYTES, App, Guard
from preceptor.live.training import MOST_CHARACTERS
from preceptor.live.watcher import Watcher
from preceptor.page.assets import base_css, uplot_css, uplot_js

__all__ = ["application", "serve"]

TICK_SECONDS = 1.0
BEAT_SECONDS = 15.0  # of silence, after which a word is sent all the same: a connection that is gone is noticed by it
MOST_CLIENTS = 64
STEP = re.compile(r"\d{1,15}")
NAME = re.compile(rf".{{1,{MOST_CHARACTERS}}}", re.DOTALL)
JSON, JAVASCRIPT, CSS = "application/json", "text/javascript", "text/css"


class Ticks:
    """Looks at the runs once a second while somebody is there, and wakes those that wait for news."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher, self.clients = watcher, 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until there is news, or so many seconds have passed."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def _run(self) -> None:
        while self.clients:
            if await asyncio.to_thread(self.watcher.tick) is not None:
                news, self._news = self._news, asyncio.Event()
                news.set()
            await asyncio.sleep(TICK_SECONDS)


def application(watcher: Watcher, port: int, token: str) -> App:
    """The page of a folder, behind its guard."""
    ticks = Ticks(watcher)

    async def page(request: Request) -> Response:
        return _text("page.html", "text/html")

    async def state(request: Request) -> Response:
        number, content = await asyncio.to_thread(watcher.everything)
        return Response(content, media_type=JSON, headers={"X-Cursor": f"{watcher.name}-{number}"})

    async def curve(request: Request) -> Response:
        given = request.query_params
        run, name, start, stop = (given.get(each, "") for each in ("run", "of", "from", "to"))
        if not (STEP.fullmatch(run) and STEP.fullmatch(start) and STEP.fullmatch(stop) and NAME.fullmatch(name)):
            return PlainTextResponse("A curve is asked for by run, of, from and to.\n", 400)
        content = await asyncio.to_thread(watcher.curve, int(run), name, int(start), int(stop))
        if content is None:
            return PlainTextResponse("There is no such run.\n", 404)
        return Response(content, media_type=JSON)

    async def events(request: Request) -> Response:
        cursor = request.headers.get("last-event-id") or request.query_params.get("after", "")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if ticks.clients >= MOST_CLIENTS:
            return PlainTextResponse(f"{MOST_CLIENTS} pages are open already.\n", 503)
        return StreamingResponse(stream(cursor), media_type="text/event-stream")

    async def stream(cursor: str) -> AsyncIterator[bytes]:
        ticks.clients += 1
        try:
            name, _, number = cursor.partition("-")
            known = int(number) if name == watcher.name and STEP.fullmatch(number) else -1
            yield b"retry: 2000\n\n"
            while True:
                news = watcher.behind(known)
                if news is None:
                    known, content = await asyncio.to_thread(watcher.everything)
                    yield _event("all", f"{watcher.name}-{known}", content)
                    continue
                for each in news:
                    known = each.number
                    yield _event("news", f"{watcher.name}-{known}", each.content)
                if not news:
                    before = watcher.latest
                    await ticks.wait(BEAT_SECONDS)
                    if watcher.latest == before:
                        yield b": nothing new\n\n"
        finally:
            ticks.clients -= 1

    async def script(request: Request) -> Response:
        return _text("live.js", JAVASCRIPT)

    async def style(request: Request) -> Response:
        own = files(__package__).joinpath("live.css").read_text("utf-8")
        return Response(f"{uplot_css()}\n{base_css()}\n{own}", media_type=CSS)

    async def charts(request: Request) -> Response:
        return Response(uplot_js(), media_type=JAVASCRIPT)

    routes = [
        Route("/", page),
        Route("/state", state),
        Route("/events", events),
        Route("/curve", curve),
        Route("/live.js", script),
        Route("/live.css", style),
        Route("/uplot.js", charts),
    ]
    return Guard(Starlette(routes=routes), port, token)


def _event(kind: str, cursor: str, content: bytes) -> bytes:
    """An event of a stream; JSON has no line ends of its own."""
    return f"event: {kind}\nid: {cursor}\ndata: ".encode() + content + b"\n\n"


def _text(name: str, kind: str) -> Response:
    return Response(files(__package__).joinpath(name).read_text("utf-8"), media_type=kind)


def listening(port: int) -> socket.socket:
    """A socket on this machine alone; port 0 for one that is free. Raises: OSError where it is taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", port))
        found.listen(MOST_CLIENTS)  # who comes before the server has begun is answered when it has
    except BaseException:
        found.close()
        raise
    return found


def new_token() -> str:
    """A word that nobody guesses: 256 bits."""
    return secrets.token_urlsafe(32)


def serve(watcher: Watcher, place: socket.socket, token: str) -> None:
    """Serves the page of a folder until the process is asked to end."""
    settings: dict[str, Any] = {"http": "h11", "ws": "none", "lifespan": "off", "log_config": None}
    settings |= {"log_level": "critical", "access_log": False, "server_header": False, "proxy_headers": False}
    settings |= {"h11_max_incomplete_event_size": MOST_HEADER_BYTES, "timeout_graceful_shutdown": 1}
    app = application(watcher, place.getsockname()[1], token)
    uvicorn.Server(uvicorn.Config(app, **settings)).run(sockets=[place])
