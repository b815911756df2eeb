"""Where a cluster is, its token, and what is said where there is none."""

import os
import socket
import sys
from importlib.util import find_spec

import pytest

from preceptor.errors import ConfigError
from preceptor.tuning.joining import CLIENT, CORE, Place, environment, found_token, imported, place_of, what_answers

needs_grpc = pytest.mark.skipif(find_spec("grpc") is None, reason="gRPC is not installed: pip install 'preceptor[ray]'")


@pytest.mark.parametrize(
    "address, place",
    [
        ("ray://head:10001", Place("head:10001")),
        ("ray://10.0.0.1:6379?actors=8", Place("10.0.0.1:6379", 8)),
        ("ray://[fe80::1]:10001", Place("[fe80::1]:10001")),
        ("ray://local:3", Place("", 3)),
    ],
)
def test_an_address(address, place):
    assert place_of(address) == place


@pytest.mark.parametrize(
    "address",
    [
        "ray://",
        "ray://head",
        "ray://head:port",
        "ray://head:70000",
        "ray://head:0",
        "ray://local:0",
        "ray://local:2?actors=2",
        "ray://local:5000",
        "ray://head:1?actors=0",
        "ray://head:1?actors=many",
        "ray://head:1?actors",
        "ray://head:1?cores=2",
        "ray://head:1/path",
        "ray://me@head:1",
        "ray://[fe80:1",
        "http://head:10001",
    ],
)
def test_what_is_no_address(address):
    with pytest.raises(ConfigError) as caught:
        place_of(address)
    assert str(caught.value) == (
        f"search: received workers '{address}'; ray://HOST:PORT of a cluster, or ray://local:N for N processes of this "
        "machine, is required, with ?actors=N for so many processes."
    )


def test_the_token_is_found_where_ray_looks_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"^ray://h:1: no token in RAY_AUTH_TOKEN or .*/\.ray/auth_token; the one of"):
        found_token("ray://h:1")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("usual\n")
    assert found_token("ray://h:1") == "usual"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(ConfigError, match=r"/token; the one of the cluster is required"):
        found_token("ray://h:1")  # Ray does not fall back either
    (tmp_path / "token").write_text("named")
    assert found_token("ray://h:1") == "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN", " given ")
    assert found_token("ray://h:1") == "given"


def test_the_environment_is_as_it_was(monkeypatch):
    monkeypatch.setenv("PRECEPTOR_HERE", "before")
    monkeypatch.delenv("PRECEPTOR_NEW", raising=False)
    with environment({"PRECEPTOR_HERE": "within", "PRECEPTOR_NEW": "1"}):
        assert os.environ["PRECEPTOR_HERE"] == "within"
        assert os.environ["PRECEPTOR_NEW"] == "1"
    assert os.environ["PRECEPTOR_HERE"] == "before"
    assert "PRECEPTOR_NEW" not in os.environ


def test_without_ray_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ConfigError, match=r"Ray is required\. Install it: python -m pip install 'preceptor\[ray\]'$"):
        imported("ray://head:1")


@needs_grpc
def test_where_nothing_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            ConfigError, match=r"^ray://there: nothing answers \(.*\); the head of a running cluster is"
        ):
            what_answers("ray://there", address, "token")


@pytest.fixture
def serving():
    """A server of gRPC that answers one method to whoever has the token, or to anybody: method, token -> address."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    begun = []

    def serve(method, token):
        def answer(request, context):
            if token and dict(context.invocation_metadata()).get("authorization") != f"Bearer {token}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
            return b""

        class Handler(grpc.GenericRpcHandler):
            def service(self, call):
                return grpc.unary_unary_rpc_method_handler(answer) if call.method == method else None

        server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        begun.append(server)
        return f"127.0.0.1:{port}"

    yield serve
    for server in begun:
        server.stop(0).wait()


@needs_grpc
@pytest.mark.parametrize(
    "method, kind", [("/ray.rpc.RayletDriver/ClusterInfo", CLIENT), ("/ray.rpc.NodeInfoGcsService/GetClusterId", CORE)]
)
def test_what_answers_is_asked_with_and_without_the_token(serving, method, kind):
    asking, open_to_all = serving(method, "right"), serving(method, "")
    assert what_answers("ray://there", asking, "right") == kind
    assert what_answers("ray://there", open_to_all, "") == kind
    with pytest.raises(ConfigError, match=r"^ray://there: our token is not that of the cluster; the same is required"):
        what_answers("ray://there", asking, "wrong")
    with pytest.raises(ConfigError, match=r"^ray://there: the cluster asks for a token; .* and leave RAY_AUTH_MODE"):
        what_answers("ray://there", asking, "")
    with pytest.raises(ConfigError, match=r"^ray://there: the cluster takes whoever comes; one that asks for a"):
        what_answers("ray://there", open_to_all, "right")


@needs_grpc
def test_what_is_no_cluster(serving):
    with pytest.raises(ConfigError, match=r"^ray://there: what answers there is no Ray cluster; ray://HOST:PORT of a"):
        what_answers("ray://there", serving("/another/Method", ""), "token")
