"""The table of languages: how one is called, which file it starts from, and the command that runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.errors import UnknownLanguageError

DEFAULT_LANGUAGE = "python"
SEED_PREFIX = "code-runner-"


@dataclass(frozen=True, slots=True)
class Language:
    """One row. `run` is the command inside a sandbox; `program` the name to look for on a host that lacks it."""

    name: str
    title: str
    description: str
    main_file: str
    run: tuple[str, ...]
    program: str
    install: str
    version: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

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
        ),
    )
}


def find_language(image: str) -> Language:
    """The language an `image` of a request names. Raises UnknownLanguageError."""
    language = LANGUAGES.get(image.removeprefix(SEED_PREFIX))
    if language is None:
        raise UnknownLanguageError(f"'{image[:80]}' is not one of: {', '.join(LANGUAGES)}.", field="image")
    return language
