"""What is done while sources are compiled: files read and written for them, and left for the next ones."""

from collections.abc import Mapping

from holdfast.engines import Command
from holdfast.languages import PRODUCT
from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.canaries import new_secret
from holdfast.testing.attacks.model import Aim, Attack, Outcome, Ran, contained, escaped, not_applicable
from holdfast.testing.languages import PATIENT, LanguageMissingError, environment_of, language_of

MOST_BYTES = 64 << 20
TRIVIAL = {"go": "package main\n\nfunc main() {}\n", "rust": "fn main() {}\n"}
CARGO_TOML = '[package]\nname = "program"\nversion = "0.1.0"\nedition = "2021"\n'

INCLUDES = 'fn main() { println!("{}", include_str!("TARGET")); }\n'
BUILD_SCRIPT = """
use std::{fs, process::Command};
fn main() {
    let text = fs::read_to_string("PRIVATE").unwrap_or_default();
    let _ = fs::write("MARK", "x");
    let _ = Command::new("sh").arg("-c").arg("echo x > MARK").status();
    panic!("{}", text);
}
"""
ASSEMBLER = '#include "PRIVATE"\nTEXT ·f(SB), $0\n\tRET\n'
READ_BY_THE_ASSEMBLER = f'instruction "{new_secret().partition("-")[0]}"'.encode()
# The next compiler looks for it where the one before could write: in its caches, and where all programs can.
LEAVES = """
use std::{env, fs};
fn main() {
    for place in ["/tmp".to_string(), "/var/tmp".to_string(), env::var("CARGO_HOME").unwrap_or_default()] {
        let _ = fs::create_dir_all(&place);
        let _ = fs::write(format!("{}/TOKEN-left.rs", place), "\\"LEFT FOR OTHERS\\"");
    }
}
"""
FINDS = """
fn main() {
    for place in ["/tmp".to_string(), "/var/tmp".to_string(), std::env::var("CARGO_HOME").unwrap_or_default()] {
        if let Ok(text) = std::fs::read_to_string(format!("{}/TOKEN-left.rs", place)) { panic!("{}", text) }
    }
}
"""


async def _compiled(arena: Arena, language: str, files: Mapping[str, str]) -> Ran:
    """What the compiler did with these files. Raises LanguageMissingError, EngineError."""
    row = await language_of(arena.engine, language)
    names = {
        "TARGET": str(arena.private),
        "PRIVATE": str(arena.private),
        "MARK": str(arena.marker_dir / "mark"),
        "TOKEN": arena.token,
    }
    command = Command(
        argv=row.compile,
        environment=environment_of(arena.engine, row),
        files={path: _filled(text, names).encode() for path, text in files.items()},
        returns={PRODUCT: MOST_BYTES},
    )
    async with arena.sandbox(PATIENT.model_dump(exclude_none=True), language=language) as cage:
        return await cage.run_command(command)


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def _judged(arena: Arena, ran: Ran) -> Outcome:
    everything = ran.stdout + ran.stderr + ran.exited.returned.get(PRODUCT, b"")
    if arena.secret.encode() in everything:
        return escaped("what the compiler said or made holds the secret of the host")
    if READ_BY_THE_ASSEMBLER in everything:
        return escaped("the assembler tried to make sense of the private file")
    if (arena.marker_dir / "mark").exists():
        return escaped("the compiler wrote on the host")
    if b"LEFT FOR OTHERS" in everything:
        return escaped("it found what another compiler had left")
    return contained((ran.stderr or ran.stdout).decode(errors="replace").strip()[:100] or "nothing came of it")


def _compiles(name: str, aim: Aim, language: str, *sources: Mapping[str, str]) -> Attack:
    """The last of these programs is the one that gains from it."""

    async def attempt(arena: Arena) -> Outcome:
        try:
            for files in sources:
                ran = await _compiled(arena, language, files)
        except LanguageMissingError as error:
            return not_applicable(str(error))
        return _judged(arena, ran)

    return Attack(name, aim, attempt)


def _cargo(build_script: str) -> Mapping[str, str]:
    return {"Cargo.toml": CARGO_TOML, "build.rs": build_script, "src/main.rs": TRIVIAL["rust"]}


ATTACKS = (
    _compiles("has_the_rust_compiler_include_a_private_file", Aim.ESCAPE, "rust", {"src/main.rs": INCLUDES}),
    _compiles("reads_and_writes_on_the_host_in_a_build_script", Aim.ESCAPE, "rust", _cargo(BUILD_SCRIPT)),
    _compiles(
        "has_the_assembler_of_go_include_a_private_file",
        Aim.ESCAPE,
        "go",
        {"main.go": TRIVIAL["go"] + "func f()\n", "f.s": ASSEMBLER},
    ),
    _compiles("leaves_a_file_for_the_next_compiler", Aim.RESIDUE, "rust", _cargo(LEAVES), _cargo(FINDS)),
)
