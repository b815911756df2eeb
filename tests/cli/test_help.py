"""Help: every setting with its unit, range and default, at once and without the heavy imports."""

import re
import subprocess
import sys
from typing import get_type_hints

import pytest

from preceptor.cli import COMMANDS
from preceptor.hyper import hyper_fields
from preceptor.job.parts import own_numbers
from preceptor.job.settings import Settings


def squeezed(text):
    return re.sub(r"\s", "", text)


def options(text):
    """Option -> its part of the help text, without white space."""
    parts = re.split(r"\n  (?=-)", text.split("\nOptions:")[1])
    return {flag: squeezed(part) for part in parts for flag in re.findall(r"--[\w-]+", part.split("  ")[0])}


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(preceptor, flag):
    code, out, err = preceptor(flag)
    assert (code, err) == (0, "")
    for command, sentence in COMMANDS.items():
        assert squeezed(command + sentence) in squeezed(out)


def test_no_words_at_all_are_answered_with_help(preceptor):
    assert preceptor() == preceptor("--help")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "explain"])
def test_every_command_and_option_has_a_sentence(preceptor, command):
    code, out, _ = preceptor(command, "--help")
    assert code == 0
    for flag, text in options(out).items():
        assert "." in text, flag


def test_fit_shows_every_setting_with_unit_range_and_default(preceptor):
    shown = options(preceptor("fit", "--help").out)
    hints = get_type_hints(Settings)
    for field, known in hyper_fields(Settings):
        part = shown["--" + field.name.rstrip("_").replace("_", "-")]
        assert not known.also or shown["--" + known.also.replace("_", "-")] == part
        notes = [known.doc, known.unit, known.range_text()]
        if hints[field.name] is bool:
            notes.append("default on" if field.default else "default off")
        elif isinstance(field.default, tuple):
            notes.append("default " + ",".join(map(str, field.default)))
        elif field.default is not None:
            notes.append(f"default {field.default}")
        for note in notes:
            assert squeezed(note) in part, field.name
    for name, own in own_numbers().items():
        part = shown["--" + name.replace("_", "-")]
        notes = (own.known.doc, own.known.unit, own.known.range_text(), f"default {own.default_text}")
        for note in (*notes, ", ".join(own.defaults)):
            assert squeezed(note) in part, name
    assert {"--out", "--json", "--no-header", "--help"} <= set(shown)


def test_help_imports_nothing_heavy(environment):
    """In a process of its own, where nothing is imported yet."""
    program = """
import sys
from preceptor.cli import main
sys.argv = ["preceptor", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
print([name for name in ("numpy", "jax", "duckdb", "rich", "msgspec", "safetensors") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Begin with: preceptor fit digits" in done.stdout
