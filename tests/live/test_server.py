"""The server refuses whatever is no page of its own with the token, answers nothing that was not asked, and serves text
as text. It is attacked as it runs, over a socket."""

import http.client
import json
import re
import socket
import subprocess
import sys
import time

import pytest

from preceptor.live.watcher import Watcher

MARKUP = "<script>alert(1)</script>"
PATHS = ("/", "/state", "/events", "/curve?run=1&of=objective&from=0&to=9", "/live.js", "/live.css", "/uplot.js")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("served") / "runs"


@pytest.fixture(scope="module")
def server(serve, folder):
    """A page of two runs, one with markup wherever a text may stand."""
    folder.mkdir()
    return serve(folder)


@pytest.fixture(scope="module")
def runs(request, folder, server):
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("live_conftest", request.path.with_name("conftest.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    one = module.Made(folder / "one", data=MARKUP, target=MARKUP)
    one.grow(120, **{f"dev_{MARKUP}": 1.0})
    one.find(MARKUP, proof={"text": MARKUP}, rule=MARKUP)
    other = module.Made(folder / f"{MARKUP.replace('/', '')}")
    other.grow(60)
    ask(server, "/state")  # they are found, whichever test comes first
    return one, other


def ask(server, path, method="GET", cookie=True, **headers):
    """Status, headers and body of an answer; of a stream of events its first 2,000 bytes."""
    connection = http.client.HTTPConnection(server.place, timeout=10)
    known = {"Host": server.place} | {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie:
        known["Cookie"] = f"preceptor-{server.place.rpartition(':')[2]}={server.token}"
    connection.putrequest(method, path, skip_host=True)
    for name, value in known.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    is_stream = answer.headers.get_content_type() == "text/event-stream" and answer.status == 200 and method == "GET"
    body = answer.read1(2000) if is_stream else answer.read()
    connection.close()
    return answer.status, answer.headers, body


@pytest.mark.parametrize("path", PATHS)
def test_who_knows_the_token_is_answered(server, runs, path):
    for host in (server.place, server.place.replace("127.0.0.1", "localhost")):
        status, headers, _ = ask(server, path, Host=host)
        assert status == 200
    assert ask(server, path, Origin=f"http://{server.place}")[0] == 200
    assert ask(server, path, "HEAD")[0] == 200
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_the_token_leaves_the_address(server):
    status, headers, body = ask(server, f"/?token={server.token}", cookie=False)
    assert (status, headers["Location"], body) == (303, "/", b"")
    assert re.fullmatch(r"preceptor-\d+=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax", headers["Set-Cookie"])
    assert server.token in headers["Set-Cookie"]
    assert ask(server, "/?token=wrong", cookie=False)[0] == 403
    assert "Set-Cookie" not in ask(server, "/?token=wrong", cookie=False)[1]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "localhost.evil.example:80"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Cookie": None},
        {"Cookie": "preceptor=1"},
    ],
    ids=str,
)
def test_strangers_are_refused(server, runs, path, method, headers):
    if headers.get("Cookie", "") is not None and "Cookie" in headers:
        headers = {"Cookie": f"preceptor-{server.place.rpartition(':')[2]}={'x' * 43}"}
    status, _, body = ask(server, path, method, cookie="Cookie" not in headers, **headers)
    assert status in (400, 403, 405, 421)
    assert status != 405 or method not in ("GET", "HEAD")
    assert len(body) < 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PROPFIND"])
def test_nothing_can_be_changed(server, runs, method):
    for path in PATHS:
        status, headers, _ = ask(server, path, method)
        assert (status, headers.get("Allow")) == (405, "GET, HEAD")


WRONG = [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/live.js/../../server.py", "//etc/passwd", "/%00",
    "/one/config.json", "/static/../server.py", "/.git/config", "/curve",
    "/curve?run=../../etc/passwd&of=objective&from=0&to=1",
    "/curve?run=one&of=objective&from=0&to=1", "/curve?run=-1&of=objective&from=0&to=1",
    "/curve?run=1&of=&from=0&to=1", "/curve?run=1&of=objective&from=1e9&to=1",
    "/curve?run=1&of=objective&from=0&to=NaN",
    "/curve?run=99999&of=objective&from=0&to=9", "/curve?run=%D9%A1%0a&of=objective&from=0&to=1",
    "/curve?run=1&of=objective&from=0&to=" + "9" * 40, "/curve?run=1&of=" + "x" * 700 + "&from=0&to=1",
    "/curve?run=1&of=objective&from=0&to=1&" + "a" * 9000,
]  # fmt: skip


@pytest.mark.parametrize("path", WRONG, ids=[path[:40] for path in WRONG])
def test_what_there_is_not_is_refused(server, runs, path):
    status, _, body = ask(server, path)
    assert status in (400, 404, 414)
    assert b"root:" not in body
    assert len(body) < 200


@pytest.mark.parametrize("of", ["../../../etc/passwd", "__class__", "seconds", "%00", MARKUP, "objective/../x"])
def test_a_name_is_looked_up_and_leads_nowhere(server, runs, of):
    status, headers, body = ask(server, f"/curve?run=1&of={of}&from=0&to=9")
    assert (status, json.loads(body)) == (200, {"x": [], "low": [], "high": []})
    assert headers.get_content_type() == "application/json"


def test_wild_requests_do_not_stop_it(server, runs):
    host, _, port = server.place.partition(":")
    cookie = f"Cookie: preceptor-{port}={server.token}\r\n"
    start = f"GET /state HTTP/1.1\r\nHost: {server.place}\r\n{cookie}"
    wild = [
        start + f"X: {'a' * 100_000}\r\n\r\n",
        start + "".join(f"X{n}: a\r\n" for n in range(20_000)) + "\r\n",
        start + f"Host: {server.place}\r\n\r\n",
        f"GET /{'a' * 100_000} HTTP/1.1\r\nHost: {server.place}\r\n{cookie}\r\n",
        start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nxxxxx",
        "\x00\xff" * 1000,
        f"GET http://evil.example/state HTTP/1.1\r\nHost: evil.example\r\n{cookie}\r\n",
        f"GET /state HTTP/1.1\r\n{cookie}\r\n",
        f"GET /events HTTP/1.1\r\nHost: {server.place}\r\n{cookie}Connection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\nOrigin: http://evil.example\r\n\r\n",
    ]
    for each in wild:
        with socket.create_connection((host, int(port)), 10) as connection:
            try:
                connection.sendall(each.encode("latin-1"))
                answer = connection.recv(1000)
            except ConnectionError:
                continue
            assert re.match(rb"HTTP/1.1 4\d\d |$", answer) or ("chunked" in each and b" 200 OK" in answer), answer
    assert ask(server, "/state")[0] == 200


def test_what_is_told_is_json_and_no_markup_of_a_page(server, runs):
    _, headers, body = ask(server, "/state")
    assert headers.get_content_type() == "application/json"
    known = {each["name"]: each for each in json.loads(body)["runs"]}
    assert known["one"]["data"] == known["one"]["settings"]["target"] == MARKUP
    assert known["one"]["findings"][0]["text"] == MARKUP
    _, _, page = ask(server, "/")
    assert MARKUP.encode() not in page
    assert b"<script>" not in page  # only files of our own


def events(server, cursor=None):
    """The lines of a stream of events as they come."""
    connection = http.client.HTTPConnection(server.place, timeout=30)
    headers = {"Cookie": f"preceptor-{server.place.rpartition(':')[2]}={server.token}"}
    connection.request("GET", "/events", headers=headers | ({"Last-Event-ID": cursor} if cursor else {}))
    answer = connection.getresponse()
    found = {}
    try:
        while line := answer.readline().decode().rstrip("\n"):
            found = dict([line.split(": ", 1)])  # the delay of another try
        while True:
            found = {}
            while line := answer.readline().decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                found[name] = value
            if "event" in found:
                yield found["event"], found["id"], json.loads(found["data"])
    finally:
        connection.close()


def test_events_go_on_behind_the_last_one(server, runs):
    one, _ = runs
    stream = events(server)
    kind, cursor, told = next(stream)
    assert kind == "all"
    run = next(each for each in told["runs"] if each["name"] == "one")
    one.grow(3)
    came = [next(stream)]
    while came[-1][2]["steps"][0][:2] != [run["id"], run["step"] + 3]:
        came.append(next(stream))
    assert {kind for kind, _, _ in came} == {"news"}
    stream.close()
    again = events(server, cursor)
    assert [next(again) for _ in came] == came
    again.close()
    other = events(server, "otherserver-5")
    assert next(other)[0] == "all"
    other.close()


def test_a_port_that_is_taken_and_a_folder_that_is_none(server, tmp_path):
    command = [sys.executable, "-m", "preceptor.cli", "watch"]
    port = server.place.rpartition(":")[2]
    done = subprocess.run([*command, str(tmp_path), "--port", port], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"preceptor: watch: port {port} cannot be listened on (")
    assert done.stderr.count("\n") == 1
    done = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "this is no folder; one in which runs lie is required" in done.stderr


def test_it_listens_on_this_machine_alone(server):
    _, _, port = server.place.partition(":")
    inode = hex(int(port))[2:].upper().rjust(4, "0")
    with open("/proc/net/tcp") as file:
        found = [line.split()[1] for line in file if line.split()[1].endswith(f":{inode}") and line.split()[3] == "0A"]
    if not found:
        pytest.skip("the system does not list sockets")
    assert found == [f"0100007F:{inode}"]


def test_without_its_extra_it_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['starlette'] = None; from preceptor.cli import main; "
    code += f"sys.argv = ['preceptor', 'watch', {str(tmp_path)!r}]; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "python -m pip install 'preceptor[live]'" in done.stderr


def test_idle_pages_cost_no_look(tmp_path, monkeypatch):
    """Nobody there: nothing is read. The server looks only while a page listens."""
    pytest.importorskip("starlette")
    import asyncio

    from preceptor.live import server as module

    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    looks, watcher = [], Watcher(tmp_path)
    monkeypatch.setattr(watcher, "tick", lambda: looks.append(time.monotonic()))
    ticks = module.Ticks(watcher)

    async def session():
        ticks.clients = 1
        await ticks.wait(0.2)
        during = len(looks)
        ticks.clients = 0
        await asyncio.sleep(0.1)
        after = len(looks)
        await asyncio.sleep(0.2)
        return during, after, len(looks)

    during, after, later = asyncio.run(session())
    assert during >= 2
    assert later == after
