"""From the text of a task to its nouns: YAML or JSON, bounded before anything is made of it."""

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from holdfast.errors import InvalidFieldError, MalformedRequestError
from holdfast.types import Workflow

MAX_DOCUMENT_BYTES = 512 << 10
MAX_DEPTH = 40
MAX_NODES = 50_000
"""Counting what an alias stands for each time it is used."""

_INTEGER = r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}"
_FLOAT = r"[-+]?(\.[0-9]{1,300}|[0-9]{1,300}(\.[0-9]{0,300})?)([eE][-+]?[0-9]{1,3})?|[-+]?\.inf|\.nan"
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """The core schema of YAML 1.2: `on` and `yes` are words, `010` is ten, a date is text; no merge keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the class above has it


for _name, _pattern, _first in (
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", "true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", _INTEGER, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10)) if text[:2] in ("0o", "0x") else int(text)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    found: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _fault("a key must be a plain word", key_node)
        key = key_node.value
        if key in found:
            raise _fault(f"the key '{key[:60]}' stands here twice", key_node)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor(_TAG + "int", _integer)
_Loader.add_constructor(_TAG + "float", _float)
_Loader.add_constructor(_TAG + "map", _mapping)


def _fault(reason: str, node: yaml.Node) -> MalformedRequestError:
    return MalformedRequestError(f"The task, line {node.start_mark.line + 1}: {reason}.")


def load_document(text: str | bytes, *, most_bytes: int = MAX_DOCUMENT_BYTES) -> dict[str, Any]:
    """The mapping that YAML or JSON means. Raises MalformedRequestError that says where it is not one."""
    if len(text) > most_bytes:
        raise MalformedRequestError(f"The task is larger than {most_bytes:,} bytes.")
    try:
        _check_depth(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise MalformedRequestError("The task is empty.")
        _check_size(node)
        document = loader.construct_document(node)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MalformedRequestError(f"The task is neither YAML nor JSON: {_sentence(error)}.") from None
    except (ValueError, OverflowError):
        raise MalformedRequestError("The task has a number that is out of range.") from None
    if not isinstance(document, dict):
        raise MalformedRequestError(
            "The task must be a mapping, with 'messages' of an agent, or 'jobs' or 'steps' of a workflow."
        )
    return document


def _check_depth(text: str | bytes) -> None:
    """What makes nodes goes as deep as they are, so this looks at events, which do not."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedRequestError(f"The task is nested more than {MAX_DEPTH} deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_size(root: yaml.Node) -> None:
    weights: dict[int, int] = {}

    def weight(node: yaml.Node, above: frozenset[int]) -> int:
        known = weights.get(id(node))
        if known is not None:
            return known
        if id(node) in above:
            raise _fault("an alias stands inside of what it means", node)
        below: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            below = [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            below = node.value
        total = 1 + sum(weight(each, above | {id(node)}) for each in below)
        if total > MAX_NODES:
            raise MalformedRequestError(f"The task has more than {MAX_NODES:,} values, counting aliases.")
        weights[id(node)] = total
        return total

    weight(root, frozenset())


def _sentence(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).splitlines()[0][:200] if str(error) else "it cannot be read"


def read_workflow(document: Mapping[str, Any]) -> Workflow:
    """The workflow that a mapping means. Raises InvalidFieldError, whose field is the path in the document."""
    try:
        return Workflow.model_validate(document)
    except ValidationError as error:
        # What stands deeper is nearer to the cause.
        fault = max(error.errors(include_url=False, include_input=False), key=lambda each: len(each["loc"]))
        path = path_of((*fault["loc"], *fault.get("ctx", {}).get("keys", ())))
        reason = _REASONS.get(fault["type"].partition("_")[0]) or fault["msg"].removeprefix("Value error, ").rstrip(".")
        raise fault_at(path, reason) from None


_REASONS = {
    "string": "must be text; a name has letters, digits, '_' and, but for a variable, '-'",
    "float": "must be a number or an expression",
    "int": "must be a whole number or an expression",
    "bool": "must be true, false or an expression",
    "dict": "must be a mapping",
    "model": "must be a mapping",
    "list": "must be a list",
}
"""By the first word of the kind of fault."""


def fault_at(path: str, reason: str) -> InvalidFieldError:
    """The error for one place in the document."""
    return InvalidFieldError(f"{path or 'The workflow'}: {reason}.", field=path or None)


_NO_KEY = re.compile(r"str|float|bool|int|\[key\]|Matrix|.*[\[(].*")
"""What the library adds to a place where there is more than one kind of value."""


def path_of(location: Iterable[str | int]) -> str:
    """A place in the document, such as `jobs.build.steps[2].run`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not _NO_KEY.fullmatch(part):
            path += f".{part}" if path else str(part)
    return path
