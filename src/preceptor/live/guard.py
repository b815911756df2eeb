"""Who may ask: whoever knows the token, from this machine, through a page of our own. All else is refused."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["MOST_HEADER_BYTES", "Guard"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)
MOST_QUERY_BYTES = 8000  # a name of MOST_CHARACTERS, written out
MOST_HEADER_BYTES = 1 << 14


class Guard:
    """Asks every request, of whatever method, for the right Host (against a name that is led here, DNS rebinding), for
    no Origin but our own (against foreign pages), for a method that only reads, and for the token.

    The token comes in the address once; then a cookie has it, and the address is left without.

    Args:
        port: on which the server listens, on this machine alone.
    """

    def __init__(self, app: App, port: int, token: str) -> None:
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self.origins = {f"http://{host}" for host in self.hosts}
        self.cookie = f"preceptor-{port}"  # browsers keep cookies of all ports together

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return None  # no other kind is spoken here

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            return await _answer(guarded, *refusal)
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/" and any(name == "token" for name, _ in query):
            value = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Lax".encode()
            return await _answer(guarded, 303, "", [(b"location", b"/"), (b"set-cookie", value)])
        return await self.app(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | tuple[int, str, list[tuple[bytes, bytes]]] | None:
        """Status and sentence of why a request is refused; None where it is not."""
        headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
        hosts, origins, cookies = (
            [value.decode("latin-1") for name, value in headers if name.lower() == wanted]
            for wanted in (b"host", b"origin", b"cookie")
        )
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            names = " or ".join(sorted(self.hosts))
            return 421, f"This page answers to {names} alone; a tunnel must end at the same port."
        if any(each not in self.origins for each in origins):
            return 403, "Other pages may not ask here."
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "Nothing can be changed here; only GET and HEAD are answered.", [(b"allow", b"GET, HEAD")]
        if len(scope["query_string"]) > MOST_QUERY_BYTES:
            return 414, "The address is too long."
        if sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
            return 431, "The headers are too long."
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        given = [value for name, value in query if name == "token"] or list(self._in_cookies(cookies))
        if not any(secrets.compare_digest(each.encode(), self.token.encode()) for each in given[:4]):
            return 403, "The token is missing or wrong. Open the address that `preceptor watch` printed."
        return None

    def _in_cookies(self, cookies: Sequence[str]) -> Sequence[str]:
        found = []
        for each in cookies:
            try:
                jar = SimpleCookie(each)
            except CookieError:
                continue
            if self.cookie in jar:
                found.append(jar[self.cookie].value)
        return found


async def _answer(send: Send, status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    body = f"{text}\n".encode() if text else b""
    own = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})
