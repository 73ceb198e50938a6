"""The table of languages: how one is called, which file it starts from, and the command that runs it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.errors import UnknownLanguageError

DEFAULT_LANGUAGE = "python"
DATA_PROFILE = "data"
SESSION_PROFILE = "session"
SESSION_MODULES = ("IPython.core.interactiveshell",)
"""What is loaded in advance for sessions."""

DATA_MODULES = ("numpy", "pandas", "duckdb", "pyarrow")
"""What is loaded in advance, under the profile `data`, unless the operator says otherwise."""

SEED_PREFIX = "code-runner-"


@dataclass(frozen=True, slots=True)
class Language:
    """One row. `run` is the command inside a sandbox; `program` the name to look for on a host that lacks it.

    `profile` is what a sandbox may have started in advance for it (`SandboxSpec.profile`).
    """

    name: str
    title: str
    description: str
    main_file: str
    run: tuple[str, ...]
    program: str
    install: str
    version: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""

    @property
    def id(self) -> str:
        """The image name of the seed's API."""
        return SEED_PREFIX + self.name

    @property
    def file_extension(self) -> str:
        return "." + self.main_file.rpartition(".")[2]


LANGUAGES = {
    language.name: language
    for language in (
        Language(
            name="python",
            title="Python",
            description="Python with pandas, numpy, duckdb, pyarrow and matplotlib",
            main_file="main.py",
            run=("python", "main.py"),
            program="python",
            install="holdfast setup",
            version=("python", "--version"),
        ),
        Language(
            name="bash",
            title="Bash",
            description="Bash with the host's command line tools",
            main_file="main.sh",
            run=("bash", "main.sh"),
            program="bash",
            install="apt install bash",
            version=("bash", "--version"),
        ),
        Language(
            name="node",
            title="Node.js",
            description="JavaScript on Node.js",
            main_file="main.js",
            run=("node", "main.js"),
            program="node",
            install="apt install nodejs",
            version=("node", "--version"),
            profile="node",
        ),
    )
}


_USES_OF_LOADED_MODULES = ("matplotlib", "seaborn")
"""Modules that are not loaded in advance but import those that are."""


def profile_for(language: Language, files: Mapping[str, bytes], loaded: Sequence[str]) -> str:
    """The profile that suits a program: a hint from its text, never more; every profile runs everything."""
    if language.name != "python" or not loaded:
        return language.profile
    names = "|".join(map(re.escape, (*loaded, *_USES_OF_LOADED_MODULES)))
    statement = re.compile(rf"^[ \t]*(?:import|from)\b[^\n#]*\b(?:{names})\b".encode(), re.MULTILINE)
    mentioned = any(statement.search(data) for name, data in files.items() if name.endswith(".py"))
    return DATA_PROFILE if mentioned else language.profile


def find_language(image: str) -> Language:
    """The language an `image` of a request names. Raises UnknownLanguageError."""
    language = LANGUAGES.get(image.removeprefix(SEED_PREFIX))
    if language is None:
        raise UnknownLanguageError(f"'{image[:80]}' is not one of: {', '.join(LANGUAGES)}.", field="image")
    return language
