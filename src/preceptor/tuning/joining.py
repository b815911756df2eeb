"""A Ray cluster found and joined, or one of this machine begun: where, with which token, and what can go wrong."""

import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from preceptor.errors import ConfigError
from preceptor.hyper import shown

SCHEME = "ray"
LOCAL = "local"
FORMS = f"{SCHEME}://HOST:PORT of a cluster, or {SCHEME}://{LOCAL}:N for N processes of this machine, is required"
MOST_ACTORS = 1024
ASK_SECONDS = 5.0  # for a word from the head of a cluster

CLIENT, CORE = "the client server of a cluster", "a cluster itself"
ASKED = {  # what tells them apart: a word that each understands
    CLIENT: ("/ray.rpc.RayletDriver/ClusterInfo", b"\x08\x04"),
    CORE: ("/ray.rpc.NodeInfoGcsService/GetClusterId", b""),
}
QUIET = {  # Ray's own words, which are for its developers
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # else it prints to the standard output that a process died
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else it begins a cluster of its own where the connection is lost
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # and tells of each process that it begins
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@dataclass(frozen=True)
class Place:
    """Where trainings are made.

    Args:
        address: HOST:PORT; "" for processes of this machine, started for the search.
        actors: how many; None for one on each core of the cluster.
    """

    address: str
    actors: int | None = None


def place_of(address: str) -> Place:
    """Raises: ConfigError for what is no address."""
    refused = ConfigError(f"search: received workers {shown(address)}; {FORMS}, with ?actors=N for so many processes.")
    try:
        parts = urlsplit(address)
        host, port, asked = parts.hostname, parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        actors = int(asked.pop("actors")) if "actors" in asked else None
    except ValueError:
        raise refused from None
    is_local = host == LOCAL
    count = port if is_local else actors
    if parts.scheme != SCHEME or not host or not port or asked or parts.path.strip("/") or parts.username:
        raise refused
    if (is_local and actors is not None) or (count is not None and not 1 <= count <= MOST_ACTORS):
        raise refused
    return Place("" if is_local else f"[{host}]:{port}" if ":" in host else f"{host}:{port}", count)


@contextmanager
def connected(address: str, place: Place) -> Iterator[ModuleType]:
    """Ray, connected to a cluster. Raises: ConfigError where that cannot be."""
    with ExitStack() as stack:
        is_open = os.environ.get(MODE, "token").lower() == "disabled"
        token = "" if is_open else own_token() if not place.address else found_token(address)
        stack.enter_context(environment(QUIET | {MODE: "disabled" if is_open else "token", TOKEN: token}))
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module=r"ray\.")
        ray = imported(address)
        if ray.is_initialized():
            raise ConfigError(f"{address}: this process is connected to Ray already. Call ray.shutdown() first.")
        told: dict[str, Any] = {"logging_level": "critical", "log_to_driver": False}
        if not place.address:
            folder = tempfile.mkdtemp(prefix="pr-")  # a short name: sockets lie below it
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            told |= {"address": "local", "num_cpus": place.actors, "include_dashboard": False, "_temp_dir": folder}
        else:
            kind = what_answers(address, place.address, token)
            told["address"] = f"ray://{place.address}" if kind == CLIENT else place.address
        words = ray._private.worker.logger.parent  # of all of Ray
        stack.callback(words.setLevel, words.level)
        words.setLevel("CRITICAL")
        stack.callback(ray.shutdown)
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**told)
        except Exception as error:  # Ray's are of many kinds
            raise ConfigError(f"{address}: it cannot be joined: {first_line(error)}.") from None
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # which Ray takes for itself
        yield ray


def imported(address: str) -> ModuleType:
    """Ray, its view of the environment as it is now."""
    try:
        import grpc  # noqa: F401  (of the client, and of our own question)
        import ray
    except ImportError as error:
        raise ConfigError(
            f"{address}: {error}; Ray is required. Install it: python -m pip install 'preceptor[ray]'"
        ) from None
    library: Any = ray._raylet
    library.Config.initialize("")  # where it was loaded before
    library.AuthenticationTokenLoader.instance().reset_cache()
    return ray


def what_answers(name: str, address: str, token: str) -> str:
    """Whether CLIENT or CORE answers there, and takes our token: Ray itself tries for minutes, and does not say why.

    Raises: ConfigError where none does.
    """
    import grpc

    for kind, (method, body) in ASKED.items():
        code, details = _answer(address, method, body, token)
        if code == grpc.StatusCode.UNIMPLEMENTED:
            continue
        if code == grpc.StatusCode.UNAUTHENTICATED:
            received = "our token is not that of the cluster" if token else "the cluster asks for a token"
            raise ConfigError(
                f"{name}: {received}; the same is required on all machines. Set {TOKEN} or {TOKEN_PATH} as there"
                + ("." if token else f", and leave {MODE} out.")
            )
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise ConfigError(
                f"{name}: nothing answers ({details}); the head of a running cluster is required. Start one: "
                f"{MODE}=token ray start --head"
            )
        if token and _answer(address, method, body, "")[0] != grpc.StatusCode.UNAUTHENTICATED:
            raise ConfigError(
                f"{name}: the cluster takes whoever comes; one that asks for a token is required. Start it with "
                f"{MODE}=token, or set {MODE}=disabled here if nobody else reaches it."
            )
        return kind
    raise ConfigError(f"{name}: what answers there is no Ray cluster; {FORMS}.")


def _answer(address: str, method: str, body: bytes, token: str) -> tuple[Any, str]:
    """The status with which a call is answered; None for a good one."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(method)(
                body, timeout=ASK_SECONDS, metadata=[("authorization", f"Bearer {token}")] if token else []
            )
        except grpc.RpcError as error:
            return error.code(), str(error.details()).rpartition(": ")[2]
        return None, ""


def is_there(address: str) -> bool:
    """Whether anything listens there."""
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), ASK_SECONDS):
        return True
    return False


def found_token(name: str) -> str:
    """The token that a cluster asks for, as Ray looks for it. Raises: ConfigError where there is none."""
    if given := os.environ.get(TOKEN, "").strip():
        return given
    path = os.environ.get(TOKEN_PATH)
    place = Path(path) if path else Path.home() / ".ray" / "auth_token"
    with suppress(OSError):
        if text := place.read_text().strip():
            return text
    raise ConfigError(
        f"{name}: no token in {TOKEN} or {place}; the one of the cluster is required. Make one, "
        "`ray get-auth-token --generate`, and have it on all machines."
    )


@cache
def own_token() -> str:
    """Of the clusters that this process starts for itself."""
    return os.environ.get(TOKEN, "").strip() or secrets.token_hex(32)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Some variables set, and afterwards as they were."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def first_line(error: BaseException) -> str:
    """What went wrong, in a line, without a full stop."""
    told = error.details() if hasattr(error, "details") else error  # gRPC's text begins with names of its own
    lines = [line.strip() for line in str(told).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return (f"{first} {lines[-1]}" if first.endswith(":") and lines[1:] else first).rstrip(".:")


__all__ = ["MODE", "MOST_ACTORS", "Place", "connected", "first_line", "is_there", "place_of"]
