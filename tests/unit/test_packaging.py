"""What is shipped is whole: the wheel, the locks, the Makefile."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import holdfast

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = (
    *("requirements.lock", "requirements-dev.lock", "src/holdfast/guest-requirements.lock"),
    *(f"src/holdfast/toolchains/{name}.lock" for name in ("deno", "go", "node")),
)
IMPORTED_AS = {
    "yaml": "pyyaml",
    "httpx_sse": "httpx-sse",
    "dotenv": "python-dotenv",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
    "genai_prices": "genai-prices",
    "pydantic_ai": "pydantic-ai-slim",
    "pydantic_core": "pydantic-core",
    "vl_convert": "vl-convert-python",
}
CHOSEN_BY_NAME = {"psycopg", "httptools", "aiosqlite"}
"""Dependencies that are not imported but named to uvicorn or SQLAlchemy."""

ENTRY = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==", re.M)


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[ ;]", requirement)[0].lower() for requirement in requirements}


def pinned(lock: str) -> set[str]:
    return {match["name"] for match in ENTRY.finditer((ROOT / lock).read_text())}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    keep = ("src", "pyproject.toml", "README.md", "LICENSE")
    source.mkdir()
    for name in keep:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_all_that_the_package_reads(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    paths = [path.relative_to(ROOT / "src") for path in (ROOT / "src/holdfast").rglob("*") if path.is_file()]
    assert {str(path) for path in paths if not re.search(r"/(__pycache__|\.)", str(path))} <= inside


def test_the_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"holdfast", f"holdfast-{holdfast.__version__}.dist-info"}


def test_an_unpacked_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import holdfast; from holdfast.guest_environment import"
        " lock_text; print(holdfast.__file__); print('--hash=sha256:' in lock_text())"
    )
    output = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert output == [str(tmp_path / "holdfast" / "__init__.py"), "True"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_package_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text())
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_path(lock: str) -> None:
    assert not re.search(r"https?:|file:|--(extra-)?index|--find-links|(^|\s)/", (ROOT / lock).read_text(), re.M)


def test_the_locks_pin_everything_that_is_declared() -> None:
    declared = names(PROJECT["project"]["dependencies"])
    wanted = (ROOT / "src/holdfast/guest-requirements.txt").read_text().split()
    assert declared <= pinned("requirements.lock")
    assert declared | names(PROJECT["dependency-groups"]["dev"]) <= pinned("requirements-dev.lock")
    assert set(wanted) <= pinned("src/holdfast/guest-requirements.lock")


def test_the_two_locks_of_the_server_agree() -> None:
    versions = [dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / lock).read_text(), re.M)) for lock in LOCKS[:2]]
    assert versions[0].items() <= versions[1].items()


def test_what_is_imported_is_what_is_declared() -> None:
    imported = set()
    for path in (ROOT / "src").rglob("*.py"):
        if "guest" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported.add((node.module or "").partition(".")[0])
    foreign = {IMPORTED_AS.get(name, name) for name in imported - sys.stdlib_module_names - {"holdfast"}}
    assert foreign == names(PROJECT["project"]["dependencies"]) - CHOSEN_BY_NAME


def test_the_changelog_tells_of_this_version() -> None:
    assert re.search(rf"^## {re.escape(holdfast.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)


def test_make_without_a_target_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert phony
    shown = make().stdout
    assert [name for name in phony[1].split() if name != "packages" and f"make {name} " not in shown] == []


def test_set_up_names_the_missing_packages_before_it_does_anything() -> None:
    result = make("packages", "PYTHON=python3.99")
    assert result.returncode
    assert "sudo apt install python3.99 python3.99-venv" in result.stdout
    assert "-m venv" not in result.stdout


def test_the_readme_installs_every_package_that_set_up_asks_for() -> None:
    line = re.search(r"^sudo apt install (.*)$", (ROOT / "README.md").read_text(), re.M)
    assert line
    makefile = (ROOT / "Makefile").read_text()
    asked = set(re.findall(r"^\t.*call lacks,.*?,([a-z0-9]+)\)", makefile, re.M))
    assert asked | {"python3-venv", "make"} <= set(line[1].split())
