"""What a step says by writing into files: variables, outputs, directories for `PATH`, a summary."""

import re
from collections.abc import Iterator

FILES = {"env": "GITHUB_ENV", "output": "GITHUB_OUTPUT", "path": "GITHUB_PATH", "summary": "GITHUB_STEP_SUMMARY"}
"""The files of a step, and the variables that tell it where they are."""

MAX_FILE_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_OURS = re.compile(r"(GITHUB|RUNNER|HOLDFAST)_.*|CI")


class CommandFault(Exception):
    """A file of a step is malformed; the sentence says how."""


def read_pairs(text: str, file: str) -> dict[str, str]:
    """Names and values: `name=value`, or `name<<WORD`, lines, and the WORD alone. Raises CommandFault."""
    return dict(_pairs(text, file))


def read_variables(text: str) -> dict[str, str]:
    """The variables that a step sets for those after it. Raises CommandFault."""
    variables = read_pairs(text, FILES["env"])
    for name in variables:
        if _OURS.fullmatch(name.upper()) or "-" in name:
            raise CommandFault(f"{FILES['env']} sets '{name[:60]}', which no step may set")
    return variables


def read_directories(text: str) -> list[str]:
    """The directories that a step adds to `PATH`, the last one first."""
    return [line for line in reversed(text.splitlines()) if line.strip()]


def _pairs(text: str, file: str) -> Iterator[tuple[str, str]]:
    if "\0" in text:
        raise CommandFault(f"{file} holds the character NUL")
    lines = iter(re.split(r"\r?\n", text))
    for line in lines:
        if not line.strip():
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, end = line[:heredoc], line[heredoc + 2 :]
            yield _checked(name, file), _until(end, lines, name, file)
        elif equals >= 0:
            yield _checked(line[:equals], file), line[equals + 1 :]
        else:
            raise CommandFault(f"{file} has the line '{line[:80]}', which is neither name=value nor name<<WORD")


def _checked(name: str, file: str) -> str:
    if not _NAME.fullmatch(name):
        raise CommandFault(f"{file} has '{name[:60]}', which is no name")
    return name


def _until(end: str, lines: Iterator[str], name: str, file: str) -> str:
    if not end:
        raise CommandFault(f"{file} has '{name[:60]}<<' without a word that ends it")
    value: list[str] = []
    for line in lines:
        if line == end:
            return "\n".join(value)
        value.append(line)
    raise CommandFault(f"{file} has '{name[:60]}<<{end[:60]}' that is never ended")
