"""The shape of the source tree: who may import whom, what loads when, names and docstrings."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import preceptor

ROOT = Path(preceptor.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# A package imports only from those to its left. `data` stands aside: it knows errors and settings, and nothing of ours.
ORDER = (
    "errors",
    "machine",
    "words",
    "hyper",
    "signals",
    "disk",
    "output",
    "ops",
    "graph",
    "autodiff",
    "engines",
    "nn",
    "foreign",
    "data",
    "train",
    "pretext",
    "diagnose",
    "evidence",
    "page",
    "job",
    "tuning",
    "live",
    "writers",
    "sklearn",
    "report",
    "export",
    "lab",
    "api",
    "cli",
)
DATA_MAY_IMPORT = {"errors", "hyper", "machine", "words", "data"}
CORE = ("ops", "graph", "autodiff", "engines")
ROOMS = (
    "stream",
    "saved",
    "affine",
    "tables",
    "division",
    "encoding",
    "pictures",
)  # of data: one imports only from those to its left
MOST_LINES = 500  # of a file without a reason for more in its first comment


def stage(file: Path) -> str:
    """The package or module of `preceptor` that a file belongs to."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(file: Path) -> list[tuple[int, str]]:
    """(line, module) of every import in a file, inside functions too; `from a import b` counts as a.b."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def test_every_package_has_its_place():
    assert {stage(file) for file in FILES} - {"__init__"} <= set(ORDER)


@pytest.mark.parametrize("file", [f for f in FILES if stage(f) != "__init__"], ids=lambda f: str(f.relative_to(ROOT)))
def test_a_package_imports_only_from_those_to_its_left(file):
    own = stage(file)
    for line, module in imports(file):
        if not module.startswith("preceptor."):
            continue
        other = module.split(".")[1]
        assert other in ORDER, f"{file.name}:{line} imports {module}; name the package that it means"
        assert ORDER.index(other) <= ORDER.index(own), f"{file.name}:{line}: {own} must not import {module}"
        if own == "data":
            assert other in DATA_MAY_IMPORT, f"{file.name}:{line}: data must not import {module}"


@pytest.mark.parametrize("file", sorted((ROOT / "data").rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_a_room_of_data_imports_only_from_those_to_its_left(file):
    own = file.relative_to(ROOT / "data").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for line, module in imports(file):
        if module.startswith("preceptor.data."):
            other = module.split(".")[2]
            assert ROOMS.index(other) <= ROOMS.index(own), f"{file.name}:{line}: {own} must not import {module}"


def test_no_file_imports_itself_by_way_of_others():
    names = {".".join(file.relative_to(ROOT.parent).with_suffix("").parts): file for file in FILES}
    arrows = {}
    for name, file in names.items():
        if file.name != "__init__.py":
            found = {module if module in names else module.rpartition(".")[0] for _, module in imports(file)}
            arrows[name] = {other for other in found if other in names and other != name}
    graph = TopologicalSorter(arrows)
    graph.prepare()  # raises CycleError, which names the files


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_a_long_file_says_why(file):
    text = file.read_text()
    assert len(text.splitlines()) <= MOST_LINES or text.startswith(f"# Over {MOST_LINES} lines: "), file


def test_only_one_file_imports_jax():
    users = {
        str(file.relative_to(ROOT))
        for file in FILES
        if any(module.split(".")[0] in ("jax", "jaxlib") for _, module in imports(file))
    }
    assert users == {"engines/xla.py"}


@pytest.mark.parametrize("use", ["", "preceptor.sin; preceptor.grad; preceptor.trace"])
def test_importing_loads_nothing_heavy(use):
    heavy = ("jax", "duckdb", "torch", "pandas", "scipy", "sklearn", "rich")
    code = f"import sys, preceptor; {use}\nprint(*sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_gradients_on_the_reference_engine_need_no_jax():
    code = (
        "import sys, numpy as np, preceptor as pr\n"
        "pr.jit(pr.grad(lambda x: pr.sum(pr.tanh(x))), engine='reference')(np.ones(3))\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_module_is_a_drawer():
    names = {file.stem for file in FILES} | {folder.name for folder in ROOT.rglob("*") if folder.is_dir()}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


@pytest.mark.parametrize("file", [f for f in FILES if stage(f) in CORE], ids=lambda f: str(f.relative_to(ROOT)))
def test_everything_public_in_the_core_says_what_it_is(file):
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree), f"{file.name} has no docstring"
    silent = [
        f"{file.name}:{node.lineno} {node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_everything_public_is_listed_once():
    import preceptor.api as api

    assert len(api.__all__) == len(set(api.__all__))
    assert [name for name in api.__all__ if not hasattr(preceptor, name)] == []
    assert len(preceptor.ops.__all__) == len(set(preceptor.ops.__all__))
    assert [name for name in preceptor.ops.__all__ if not hasattr(preceptor.ops, name)] == []


def test_the_report_has_no_circle():
    """Each of its files can be read after those that it imports; imports inside functions count."""
    files = {file.stem: file for file in FILES if file.parent.name == "report" and file.stem != "__init__"}
    waiting = {
        name: {module.split(".")[2] for _, module in imports(file) if module.startswith("preceptor.report.")}
        for name, file in files.items()
    }
    while waiting:
        ready = [name for name, needed in waiting.items() if not needed & set(waiting)]
        assert ready, f"these import each other: {sorted(waiting)}"
        for name in ready:
            del waiting[name]
