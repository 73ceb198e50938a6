"""`holdfast grade` as a user types it, over the local engine of this host."""

import json
from pathlib import Path

import pytest

from holdfast.types import GradeResult
from tests.api.test_command import holdfast, local_engine

__all__ = ["local_engine"]

EXAMPLES = Path(__file__).parents[2] / "examples"


def write(folder: Path, code: str, tests: object, name: str = "tests.json") -> None:
    (folder / "x.py").write_text(code)
    (folder / name).write_text(tests if isinstance(tests, str) else json.dumps(tests))


def test_the_shipped_example_passes_and_its_table_says_so(tmp_path: Path) -> None:
    done = holdfast(
        "grade", str(EXAMPLES / "temperature.py"), "--tests", str(EXAMPLES / "temperature.yaml"), here=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 of 6 passed, 8 of 8 points." in done.stdout
    assert "-40" not in done.stdout, "a hidden test is not told"


def test_a_failed_test_is_exit_code_1_and_the_table_shows_why(tmp_path: Path) -> None:
    write(tmp_path, "x = 4", [{"type": "variable_value", "variable": "x", "expected": 5, "description": "x is five"}])
    done = holdfast("grade", "x.py", "--tests", "tests.json", here=tmp_path)
    assert done.returncode == 1
    row = next(line for line in done.stdout.splitlines() if "x is five" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["FAIL", "x is five", "5", "4", "0 of 1"]


def test_a_submission_that_crashes_is_exit_code_1_with_its_traceback(tmp_path: Path) -> None:
    write(tmp_path, "print('ok')\n1/0", [{"type": "output", "expected": "ok"}])
    done = holdfast("grade", "x.py", "--tests", "tests.json", here=tmp_path)
    assert done.returncode == 1
    assert "1 of 1 passed" in done.stdout
    assert "exit code 1" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout


def test_json_is_the_whole_result(tmp_path: Path) -> None:
    write(tmp_path, "print(input())", "- {type: stdin, stdin: a, expected_stdout: a}\n", "tests.yaml")
    done = holdfast("grade", "-", "--tests", "tests.yaml", "--json", here=tmp_path, stdin="print(input())")
    result = GradeResult.model_validate_json(done.stdout)
    assert (done.returncode, result.all_passed, result.test_results[0].actual) == (0, True, "a\n")


def test_a_file_of_tests_can_name_limits_and_the_command_line_wins(tmp_path: Path) -> None:
    body = {"timeout": 3, "mem_limit": "128m", "tests": [{"type": "output", "expected": "in"}]}
    write(tmp_path, "print(open('in.txt').read())", body)
    (tmp_path / "in.txt").write_text("in")
    done = holdfast(
        *("grade", "x.py", "--tests", "tests.json", "--timeout", "4", "--file", "in.txt", "--json"), here=tmp_path
    )
    limits = GradeResult.model_validate_json(done.stdout).limits
    assert (done.returncode, limits.wall_seconds, limits.memory_bytes) == (0, 4, 128 << 20)


@pytest.mark.parametrize(
    ("tests", "sentence"),
    [
        ("[", "is not JSON"),
        ("5", "neither a list of tests nor an object"),
        ("{}", "neither a list of tests nor an object"),
        ('[{"type": "fly"}]', "tests.0.type: Input should be"),
        ('[{"type": "output"}]', "needs 'expected'"),
        ('{"tests": [], "colour": "red"}', "colour"),
        ('[{"type": "output", "expected": "", "timeout": 100000}]', "ceiling"),
    ],
)
def test_tests_that_make_no_sense_are_wrong_usage(tests: str, sentence: str, tmp_path: Path) -> None:
    write(tmp_path, "x = 1", tests)
    done = holdfast("grade", "x.py", "--tests", "tests.json", here=tmp_path)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_tests_that_are_not_there_or_no_yaml_are_wrong_usage(tmp_path: Path) -> None:
    write(tmp_path, "x = 1", "a: [", "tests.yaml")
    for name, sentence in (("nowhere.json", "cannot be read"), ("tests.yaml", "is not YAML")):
        done = holdfast("grade", "x.py", "--tests", name, here=tmp_path)
        assert done.returncode == 2
        assert sentence in " ".join(done.stderr.replace("│", " ").split())
