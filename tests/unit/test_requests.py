"""Every rule about what a request may ask for, one by one; no engine is needed to know them."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.engines import Command, SandboxSpec
from holdfast.errors import (
    InvalidFieldError,
    InvalidFileNameError,
    MalformedRequestError,
    OverCeilingError,
    RequestError,
    TooLargeError,
    UnknownLanguageError,
    UnsupportedError,
)
from holdfast.execution.names import check_path
from holdfast.execution.requests import Bounds, plan
from holdfast.types import Capabilities, File, Limits, Network, RunRequest
from holdfast.types.invalid import from_validation

MIB = 1 << 20

BOUNDS = Bounds(
    defaults=Limits(
        wall_seconds=30,
        memory_bytes=256 * MIB,
        disk_bytes=512 * MIB,
        output_bytes=MIB,
        processes=64,
        open_files=1024,
        cpu_shares=512,
    ),
    ceilings=Limits(
        wall_seconds=300,
        memory_bytes=2048 * MIB,
        disk_bytes=5000 * MIB,
        output_bytes=16 * MIB,
        processes=512,
        open_files=4096,
        cpu_shares=262_144,
        cpu_seconds=1200,
        cpus=4,
    ),
)
EVERYTHING = Capabilities(
    engine="able", limits=frozenset(Limits.model_fields), networks=frozenset({Network.NONE}), layers=frozenset()
)
NOTHING = Capabilities(engine="weak", limits=frozenset(), networks=frozenset({Network.NONE}), layers=frozenset())
CONNECTED = EVERYTHING.model_copy(update={"networks": frozenset({Network.NONE, Network.FULL})})


def planned(capabilities: Capabilities = EVERYTHING, **fields: Any) -> tuple[SandboxSpec, Command]:
    return plan(RunRequest(**{"code": "print(1)", **fields}), BOUNDS, capabilities)


def limits_of(**fields: Any) -> Limits:
    return planned(**fields)[0].limits


def test_a_silent_request_gets_the_defaults() -> None:
    assert limits_of() == BOUNDS.defaults.model_copy(update={"disk_bytes": 192 * MIB})


def test_code_is_placed_in_the_main_file_and_run_by_its_language() -> None:
    spec, command = planned(args=["a", "b"])
    assert (spec.language, spec.network) == ("python", Network.NONE)
    assert command.argv == ("python", "main.py", "a", "b")
    assert command.files == {"main.py": b"print(1)"}
    assert command.wall_seconds == 30


def test_an_entrypoint_is_a_shell_command_with_args_as_its_parameters() -> None:
    _, command = planned(code="print(2)", entrypoint="python main.py", args=["x"])
    assert command.argv == ("sh", "-c", "python main.py", "sh", "x")
    assert command.files == {"main.py": b"print(2)"}


def test_an_entrypoint_alone_leaves_the_main_file_to_the_caller() -> None:
    _, command = planned(code="", entrypoint="python main.py", files={"main.py": "pass"})
    assert command.files == {"main.py": b"pass"}


@pytest.mark.parametrize("fields", [{"code": None}, {"code": ""}, {"code": "", "entrypoint": ""}])
def test_neither_code_nor_entrypoint_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequestError, match=r"Either code or entrypoint must be provided\."):
        planned(**fields)


@pytest.mark.parametrize("image", ["cobol", "", "python:3", "library/python", "code-runner-", "Python"])
def test_an_unknown_language_is_refused(image: str) -> None:
    with pytest.raises(UnknownLanguageError):
        planned(image=image)


@pytest.mark.parametrize(
    ("field", "least", "most", "limit", "amount"),
    [
        ("timeout", 0.01, 300, "wall_seconds", 300),
        ("cpu_seconds", 0.01, 1200, "cpu_seconds", 1200),
        ("mem_limit", "16m", "2g", "memory_bytes", 2048 * MIB),
        ("cpu_shares", 2, 262_144, "cpu_shares", 262_144),
        ("cpus", 0.01, 4, "cpus", 4),
        ("processes", 1, 512, "processes", 512),
        ("open_files", 16, 4096, "open_files", 4096),
        ("max_output_bytes", 1, 16 * MIB, "output_bytes", 16 * MIB),
    ],
)
def test_a_limit_is_taken_from_its_least_to_its_ceiling(
    field: str, least: Any, most: Any, limit: str, amount: float
) -> None:
    limits_of(**{field: least})
    assert getattr(limits_of(**{field: most}), limit) == amount


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", 300.001),
        ("cpu_seconds", 1200.5),
        ("mem_limit", "2049m"),
        ("mem_limit", "999999999999999t"),
        ("disk_limit", "5001m"),
        ("cpus", 4.01),
        ("processes", 513),
        ("processes", 10**400),
        ("open_files", 4097),
        ("max_output_bytes", 16 * MIB + 1),
    ],
)
def test_a_limit_above_its_ceiling_is_refused_and_not_clipped(field: str, value: Any) -> None:
    with pytest.raises(OverCeilingError, match="above this server's ceiling") as caught:
        planned(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"), [("timeout", 0.001), ("mem_limit", "15m"), ("disk_limit", "1023k"), ("cpus", 0.001)]
)
def test_a_limit_too_small_to_make_sense_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidFieldError, match="must be at least"):
        planned(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("cpus", 0),
        ("cpu_shares", 1),
        ("processes", 0),
        ("open_files", 15),
        ("max_output_bytes", 0),
        ("mem_limit", "0"),
        ("mem_limit", "-1m"),
        ("mem_limit", "1x"),
        ("mem_limit", "1.5g"),
        ("mem_limit", ""),
        ("mem_limit", "٣m\0"),
        ("disk_limit", "lots"),
    ],
)
def test_a_malformed_limit_is_no_request_at_all(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        RunRequest(**{"code": "1", field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("mem_limit", "64m"), ("disk_limit", "8m"), ("cpus", 1), ("processes", 4), ("open_files", 64), ("cpu_seconds", 1)],
)
def test_a_limit_the_host_cannot_enforce_is_refused_when_asked_for(field: str, value: Any) -> None:
    with pytest.raises(UnsupportedError, match=field) as caught:
        planned(NOTHING, **{field: value})
    assert caught.value.field == field


def test_the_limits_that_are_ours_hold_on_every_engine() -> None:
    limits = planned(NOTHING, timeout=5, max_output_bytes=10)[0].limits
    assert (limits.wall_seconds, limits.output_bytes) == (5, 10)


def test_a_disk_above_the_memory_is_refused_because_it_lives_there() -> None:
    with pytest.raises(InvalidFieldError, match="live in memory") as caught:
        planned(disk_limit="512m")
    assert caught.value.field == "disk_limit"
    assert limits_of(disk_limit="512m", mem_limit="512m").disk_bytes == 512 * MIB


def test_an_unasked_disk_is_the_smaller_of_the_default_and_three_quarters_of_the_memory() -> None:
    assert limits_of(mem_limit="64m").disk_bytes == 48 * MIB
    assert limits_of(mem_limit="2g").disk_bytes == 512 * MIB


def test_network_is_refused_unless_the_operator_enabled_it() -> None:
    with pytest.raises(UnsupportedError, match="allow_network"):
        planned(allow_network=True)
    assert planned(CONNECTED, allow_network=True)[0].network is Network.FULL
    assert planned(CONNECTED)[0].network is Network.NONE


def test_code_may_be_one_mebibyte_and_no_byte_more() -> None:
    planned(code="é" * (MIB // 2))
    with pytest.raises(TooLargeError, match="1,048,576"):
        planned(code="é" * (MIB // 2) + "x")


def test_files_may_be_a_thousand_and_eight_mebibytes_together() -> None:
    planned(files={f"f{number}": "" for number in range(1000)})
    with pytest.raises(TooLargeError, match="1,000 files"):
        planned(files={f"f{number}": "" for number in range(1001)})
    half = File(base64=base64.b64encode(bytes(4 * MIB)).decode())
    planned(files={"a": half, "b": half})
    with pytest.raises(TooLargeError, match="8,388,608"):
        planned(files={"a": half, "b": half, "c": "x"})


def test_files_must_fit_on_the_scratch_disk() -> None:
    with pytest.raises(InvalidFieldError, match="do not fit"):
        planned(disk_limit="1m", files={"a": "x" * MIB})


BAD_NAMES = [
    "", ".", "..", "/", "/etc/passwd", "../a", "a/../b", "a/..", "./a", "a/.", "a//b", "a/", "a\0b", "a\nb", "\x7f",
    "a\\b", "x" * 256, "/".join(["d" * 100] * 11), "/".join("d" * 33), "é" * 128,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_file_below_the_workspace_is_refused(name: str) -> None:
    with pytest.raises(InvalidFileNameError) as caught:
        planned(files={name: "x"})
    assert caught.value.field == "files"
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(
    "name",
    ["a", "a.py", "..a", "a..b.py", "dir/sub/a.txt", "ünï cödé", "-rf", "~", "$HOME", "x" * 255, "/".join("d" * 32)],
)
def test_an_unusual_but_harmless_name_is_taken(name: str) -> None:
    assert planned(files={name: "x"})[1].files[name] == b"x"


def test_a_name_that_is_also_a_directory_is_refused() -> None:
    for files in ({"a": "", "a/b": ""}, {"x/y/z": "", "x/y": ""}, {"main.py/x": ""}):
        with pytest.raises(InvalidFileNameError, match="directory"):
            planned(files=files)


def test_a_file_in_the_place_of_the_code_is_refused() -> None:
    with pytest.raises(InvalidFileNameError, match=r"main\.py"):
        planned(files={"main.py": ""})
    planned(files={"main.sh": ""})


@given(st.text(max_size=60))
@settings(database=None)
def test_a_name_that_passes_stays_below_the_workspace(name: str) -> None:
    try:
        check_path(name)
    except RequestError:
        return
    parts = name.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert not any(character < " " or character in "\\\x7f" for character in name)
    assert len(name.encode()) <= 1024


RESERVED = [
    "ENCODED_CODE", "ENCODED_FILES", "ENCODED_", "CUSTOM_ENTRYPOINT", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH",
    "PYTHONSTARTUP", "PYTHON", "NODE_OPTIONS", "BASH_ENV", "ENV", "PATH", "GCONV_PATH", "HOLDFAST_X",
]  # fmt: skip


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_environment_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidFieldError, match="reserved"):
        planned(environment={name: "x"})


@pytest.mark.parametrize("name", ["API_KEY", "_", "a1", "ENVIRONMENT", "PATHS", "MY_PATH", "OLD_CODE", "NODE_ENV"])
def test_an_ordinary_environment_name_reaches_the_program(name: str) -> None:
    assert planned(environment={name: "v=ü"})[1].environment[name] == "v=ü"


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "A\n", "Ä", "A\0", "A.B"])
def test_an_environment_name_that_no_shell_could_use_is_refused(name: str) -> None:
    with pytest.raises(InvalidFieldError, match="not a name"):
        planned(environment={name: "x"})


@given(
    st.text(alphabet=st.characters(codec=None), max_size=20), st.text(alphabet=st.characters(codec=None), max_size=20)
)
@settings(database=None)
def test_no_environment_is_our_failure(name: str, value: str) -> None:
    try:
        environment = planned(environment={name: value})[1].environment
    except RequestError:
        return
    assert name.isidentifier()
    assert name.isascii()
    assert "\0" not in environment[name]


def test_environment_and_arguments_are_bounded() -> None:
    planned(environment={"A": "x" * (131_072 - 3)})
    with pytest.raises(InvalidFieldError, match="131,072"):
        planned(environment={"A": "x" * (131_072 - 2)})
    planned(args=["x" * 131_071])
    for fields in ({"args": ["x" * 131_072]}, {"args": [""] * 131_073}, {"entrypoint": "x" * 131_072}):
        with pytest.raises(InvalidFieldError, match="131,072"):
            planned(**fields)


@pytest.mark.parametrize("fields", [{"args": ["\0"]}, {"environment": {"A": "\0"}}, {"entrypoint": "a\0b"}])
def test_nul_where_the_kernel_takes_c_strings_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidFieldError, match="NUL"):
        planned(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "\ud800"},
        {"stdin": "\udfff"},
        {"args": ["\ud800"]},
        {"entrypoint": "\ud800"},
        {"environment": {"A": "\ud800"}},
        {"environment": {"\ud800": "A"}},
        {"files": {"\ud800": ""}},
        {"files": {"a": "\ud800"}},
        {"artifacts": ["\ud800"]},
    ],
)
def test_half_of_a_surrogate_pair_is_refused_wherever_it_is(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidFieldError, match="surrogate"):
        planned(**fields)


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", "a/../b", "", "a\0"])
def test_an_artifact_pattern_stays_below_the_workspace(pattern: str) -> None:
    with pytest.raises(InvalidFileNameError) as caught:
        planned(artifacts=[pattern])
    assert caught.value.field == "artifacts"


def test_artifact_patterns_are_bounded() -> None:
    assert planned(artifacts=["*.png"] * 64)[1].artifacts == ("*.png",) * 64
    with pytest.raises(InvalidFieldError, match="64"):
        planned(artifacts=["*"] * 65)


@given(st.from_regex(r"[0-9]{1,15} ?[kKmMgGtT]?i?[bB]?", fullmatch=True))
@settings(database=None)
def test_a_size_is_taken_exactly_or_refused(size: str) -> None:
    try:
        memory = limits_of(mem_limit=size).memory_bytes
    except (RequestError, ValidationError):
        return
    digits = "".join(filter(str.isdigit, size))
    units = {"k": 10, "m": 20, "g": 30, "t": 40}
    unit = next((units[letter] for letter in size.lower() if letter in units), 0)
    assert memory == int(digits) << unit
    assert 16 * MIB <= memory <= 2048 * MIB


@pytest.mark.parametrize("name", ["a", "files", "content"])
def test_a_wrong_field_is_called_as_it_was_written_whatever_files_are_called(name: str) -> None:
    with pytest.raises(ValidationError) as found:
        RunRequest.model_validate({"files": {name: {"base64": 5}}})
    assert from_validation(found.value).field == f"files.{name}.base64"
