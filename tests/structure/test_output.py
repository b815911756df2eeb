"""Who may write where: words leave for a person through the outlets of the command, and nowhere else."""

import ast
from pathlib import Path

import pytest

import preceptor

ROOT = Path(preceptor.__file__).parent
FILES = {str(file.relative_to(ROOT)): file for file in sorted(ROOT.rglob("*.py"))}
OUTLET = "cli/terminal.py"
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
LIBRARIES = {"rich", "tqdm", "curses", "termios", "pprint", "logging"}


def writes(file: Path) -> set[str]:
    """What in a file prints, or takes hold of the terminal."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
            found.add("print")
        elif isinstance(node, ast.Attribute) and node.attr in STREAMS and ast.unparse(node.value) == "sys":
            found.add(f"sys.{node.attr}")
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("click.echo", "click.secho"):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & LIBRARIES
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module.split(".")[0]} & LIBRARIES
            found |= {f"sys.{alias.name}" for alias in node.names if node.module == "sys" and alias.name in STREAMS}
    return found


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("cli/")])
def test_only_the_command_speaks(name):
    assert writes(FILES[name]) == set()


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("cli/") and name != OUTLET])
def test_the_command_prints_and_does_no_more(name):
    """`print` goes through the outlets, which stand where standard output and standard error were."""
    assert writes(FILES[name]) <= {"print", "sys.stdout", "sys.stderr"}


def test_every_outlet_makes_its_text_printable():
    """The one place where text leaves names the two functions that make it fit to be seen."""
    tree = ast.parse(FILES[OUTLET].read_text())
    outlet = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Outlet")
    methods = {node.name: ast.unparse(node) for node in outlet.body if isinstance(node, ast.FunctionDef)}
    assert "printable(" in methods["write"]
    assert "encodable(" in methods["draw"]
    assert [name for name, text in methods.items() if "self.stream.write(" in text] == ["draw"]
    main = next(
        node
        for node in ast.parse(FILES["cli/__init__.py"].read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    )
    assert isinstance(main.body[1], ast.With)
    assert ast.unparse(main.body[1].items[0]) == "outlets() as out"
