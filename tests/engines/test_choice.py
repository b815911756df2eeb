"""Which engine a word means, and what is said where it cannot be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import preceptor as pr
from preceptor import engines
from preceptor.engines import Native, Reference, Xla, advice, choose_engine, unavailable, xla
from preceptor.errors import ConfigError, NotSupported

REASON = "the compiled module is missing."


@pytest.fixture
def machine(monkeypatch):
    """A machine with these engines; jax tells of an accelerator only where it may be loaded to look."""

    def make(native=False, jax=False, plugin=False, accelerator=False, **environment):
        monkeypatch.setattr(engines, "unavailable", lambda: "" if native else REASON)
        for module in (engines, xla):
            monkeypatch.setattr(module, "is_installed", lambda: jax)
        monkeypatch.setattr(engines, "may_have_accelerator", lambda: plugin)
        assert plugin or not accelerator
        look = (lambda: accelerator) if plugin else (lambda: pytest.fail("jax was loaded for nothing"))
        monkeypatch.setattr(engines, "has_accelerator", look)
        monkeypatch.setattr(os, "environ", os.environ | environment)

    return make


@pytest.mark.parametrize(
    "here, engine",
    [
        ({}, Reference),
        ({"jax": True}, Xla),
        ({"native": True}, Native),
        ({"native": True, "jax": True}, Native),
        ({"native": True, "jax": True, "plugin": True}, Native),
        ({"native": True, "jax": True, "plugin": True, "accelerator": True}, Xla),
        ({"native": True, "jax": True, "JAX_COORDINATOR_ADDRESS": "127.0.0.1:1"}, Xla),
    ],
)
def test_auto_is_the_fastest_that_is_here(machine, here, engine):
    machine(**here)
    assert type(choose_engine()) is engine
    assert type(choose_engine("auto", "bf16", devices=1)) is engine
    assert choose_engine("auto", "bf16").precision == "bf16"


def test_several_devices_are_for_xla(machine):
    machine(native=True, jax=True)
    assert choose_engine(devices=2) == Xla(devices=2)
    machine(native=True)
    with pytest.raises(NotSupported, match=r"xla is the one for several devices .* pip install 'preceptor\[xla\]'\."):
        choose_engine(devices=2)
    with pytest.raises(ConfigError, match=r"devices: received 2 with the native engine; it has one\."):
        choose_engine("native", devices=2)


def test_a_word_means_that_engine_or_an_error(machine):
    machine(native=True, jax=True)
    assert [type(choose_engine(word)) for word in ("native", "xla", "reference")] == [Native, Xla, Reference]
    machine()
    with pytest.raises(NotSupported, match=f"engine: native was asked for; {REASON}"):
        choose_engine("native")
    with pytest.raises(NotSupported, match=r"engine: xla was asked for; it needs jax.* pip install 'preceptor\[xla\]'"):
        choose_engine("xla")
    with pytest.raises(ConfigError, match="engine: received 'cuda'; it must be one of auto, native, xla, reference"):
        choose_engine("cuda")
    with pytest.raises(ConfigError, match="precision: received 'f8'; it must be one of f32, bf16, f64"):
        pr.jit(pr.sin, precision="f8")


def test_threads_are_for_native(machine):
    machine(native=True, jax=True)
    assert choose_engine("auto", threads=2).threads == 2
    assert choose_engine("native").threads is None
    for word in ("xla", "reference"):
        with pytest.raises(ConfigError, match=f"threads: received 2 with the {word} engine; only native takes"):
            choose_engine(word, threads=2)


def test_advice_is_given_only_where_auto_found_nothing_fast(machine):
    machine()
    expected = "Slow, for the native engine cannot be used: the compiled module is missing; or run: pip install 'prec"
    assert advice("auto", choose_engine("auto")).startswith(expected)
    assert advice("reference", choose_engine("reference")) == ""
    machine(native=True)
    assert advice("auto", choose_engine("auto")) == ""


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({"JAX_PLATFORMS": "cpu"}, False),
        ({"JAX_PLATFORMS": "cuda,cpu"}, True),
        ({"TPU_LIBRARY_PATH": "/lib/libtpu.so"}, True),
        ({"PJRT_NAMES_AND_LIBRARY_PATHS": "mine:/lib/mine.so"}, True),
    ],
)
def test_the_environment_may_tell_of_an_accelerator(monkeypatch, environment, expected):
    for name in (xla.PLATFORMS, *xla.DRIVERS):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert xla.may_have_accelerator() is expected


def test_plugins_of_jax_tell_of_an_accelerator(monkeypatch, tmp_path):
    for name in (xla.PLATFORMS, *xla.DRIVERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine-1.dist-info").mkdir()
    (tmp_path / "mine-1.dist-info" / "METADATA").write_text("Name: mine\nVersion: 1\n")
    (tmp_path / "mine-1.dist-info" / "entry_points.txt").write_text("[jax_plugins]\nmine = mine\n")
    assert xla.may_have_accelerator()


def test_nothing_of_jax_is_loaded_to_choose_another_engine():
    code = (
        "import sys\nfrom preceptor.engines import choose_engine, unavailable\n"
        "choose_engine('reference'), unavailable() or choose_engine()\nassert 'jax' not in sys.modules"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "TPU_", "PJRT_"))}
    plain["PYTHONPATH"] = str(Path(pr.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env=plain | {"JAX_PLATFORMS": "cpu"})


def test_threads_beyond_reason_are_refused():
    for count in (0, -1, 1025, 100_000, 10**30):
        with pytest.raises(ConfigError, match=rf"threads: received {count}; 1 to 1,024 are required\. .* leave it out"):
            Native(threads=count)
    assert Native(threads=1024).threads == 1024


@pytest.mark.parametrize(
    "variable, value, words",
    [
        ("PRECEPTOR_ONEDNN", "/nonsense", "oneDNN: received PRECEPTOR_ONEDNN=/nonsense; the file of a oneDNN 3 libr"),
        ("PRECEPTOR_ONEDNN", __file__, f"oneDNN: received PRECEPTOR_ONEDNN={__file__}; a library of oneDNN 3 is requ"),
        ("PRECEPTOR_ISA", "avx9", "PRECEPTOR_ISA: instruction set: received 'avx9'; it must be one of sse42, avx2, "),
        ("JAX_PLATFORMS", "cuda", "xla: received JAX_PLATFORMS=cuda; jax finds no such device here"),
        ("JAX_PLATFORMS", "nonsense", "xla: received JAX_PLATFORMS=nonsense; jax finds no such device here"),
    ],
    ids=lambda text: text[:12],
)
def test_what_the_environment_asks_for_and_is_not_here_is_said(variable, value, words):
    """No other engine is taken in silence, and nothing is a traceback."""
    if variable.startswith("PRECEPTOR") and unavailable():
        pytest.skip(f"the native engine: {unavailable()}")
    code = "import sys; from preceptor.cli import main; sys.argv[1:] = ['fit', 'iris', '--epochs', '1']; main()"
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("JAX_", "TPU_", "PJRT_"))}
    plain["PYTHONPATH"] = str(Path(pr.__file__).parents[1])
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=plain | {variable: value}, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"preceptor: {words}")
    assert "orrect it" in lines[0]
