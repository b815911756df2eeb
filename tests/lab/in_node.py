"""The script of the pages, run by node."""

import json
import shutil
import subprocess

import pytest

from preceptor.lab.page import ASSETS

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="the session is run by node: install Node.js")


def session(spec, script):
    """What a script of JavaScript, a function of a Session, returns."""
    path = json.dumps(str(ASSETS / "session.js"))
    words = (
        f'const Session = require({path}); const spec = JSON.parse(require("fs").readFileSync(0, "utf8"));'
        f"const found = (s => {{ {script} }})(new Session(spec)); console.log(JSON.stringify(found));"
    )
    given = json.dumps(spec, allow_nan=False)
    done = subprocess.run([NODE, "-e", words], input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
