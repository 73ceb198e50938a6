"""The conventions of CONTRIBUTING.md, as tests."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast

ROOT = Path(__file__).parents[2]
SOURCE = Path(holdfast.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50
REGISTRY_HOSTS = re.compile("|".join(("pypi" + r"\.org", "python" + "hosted", "npm" + "js", "mirrors?" + r"\.\w+\.")))
TEXT_FILES = {".py", ".md", ".toml", ".lock", ".txt", ".service", ".sh", ".js", ".yaml", ""}
NOT_OURS = {".hypothesis", ".git", ".venv", "dist", "build", "LICENSE", "uv.lock", "__pycache__"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def layers() -> list[str]:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = configuration["tool"]["importlinter"]["contracts"][0]
    return [name for layer in contract["layers"] for name in layer.split(" | ")]


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def our_files() -> Iterator[Path]:
    for path in ROOT.rglob("*"):
        hidden_cache = any(part.endswith("_cache") for part in path.parts)
        if path.is_file() and path.suffix in TEXT_FILES and not hidden_cache and not NOT_OURS & set(path.parts):
            yield path


def test_every_top_level_module_has_exactly_one_layer() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert sorted(layers()) == sorted(modules | packages)


def test_the_picture_of_the_house_shows_every_layer() -> None:
    picture = (ROOT / "CONTRIBUTING.md").read_text().partition("## The house")[2].partition("## Rules")[0]
    assert [name for name in layers() if name not in picture] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_stay_small(path: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES]
    assert long == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


ABOUT = {
    "guest/data/frames.py": {"numpy", "pandas"},
    "guest/data/python.py": {"numpy", "pandas"},
    "guest/data/results.py": {"numpy", "pandas"},
    "guest/data/sql.py": {"duckdb"},
    "guest/data/ingest.py": {"duckdb"},
    "guest/data/workbook.py": {"openpyxl", "pandas"},
    "guest/parquet.py": {"duckdb", "pyarrow"},
    "guest/parse_sql.py": {"duckdb"},
    "guest/sql.py": {"duckdb"},
    "guest/session.py": {
        "IPython.core.displayhook",
        "IPython.core.displaypub",
        "IPython.core.interactiveshell",
        "traitlets.config",
    },
}
"""Guest programs that are about a library of the programs' environment, which they run in."""


@pytest.mark.parametrize("path", sorted((SOURCE / "guest").rglob("*.py")), ids=name_of)
def test_what_runs_inside_a_cell_needs_only_the_standard_library(path: Path) -> None:
    foreign = {
        name
        for name in imports_of(ast.parse(path.read_text()))
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("holdfast.guest")
    }
    assert foreign == ABOUT.get(name_of(path), set())


def test_time_is_measured_with_clocks_that_do_not_jump() -> None:
    wall_clocks = re.compile(r"\btime\.time(_ns)?\(|CLOCK_REALTIME")
    measuring = [path for path in MODULES if SOURCE / "testing" not in path.parents]
    assert [name_of(path) for path in measuring if wall_clocks.search(path.read_text())] == []


def test_no_file_names_a_package_registry() -> None:
    offenders = [path.relative_to(ROOT) for path in our_files() if REGISTRY_HOSTS.search(path.read_text())]
    assert offenders == []


def test_every_link_between_the_documents_leads_somewhere() -> None:
    dead = []
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text()):
            if not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []
