"""`holdfast plan compile`, as people start it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plans.test_compiling import SHOP

YAML = """
dataset_id: shop
table: orders
select: [status, {func: count, column: "*", alias: n}]
filters:
  - {column: day, op: between, value: [2025-01-01, 2025-12-31]}
  - {column: status, op: =, value: No}
group_by: [status]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.json"
    path.write_text(SHOP.model_dump_json())
    return path


def plan(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast.cli", "plan", "compile", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_a_plan_in_yaml_or_json_is_printed_as_sql(shop: Path, tmp_path: Path) -> None:
    result = plan("-", "--dataset", shop, stdin=YAML)
    assert (result.returncode, result.stderr) == (0, "")
    assert "WHERE \"day\" BETWEEN CAST('2025-01-01' AS DATE) AND CAST('2025-12-31' AS DATE)\n" in result.stdout
    assert "AND \"status\" = 'No'" in result.stdout
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"dataset_id": "shop", "table": "orders", "limit": 5}))
    answer = json.loads(plan(file, "--dataset", shop, "--json").stdout)
    assert answer == {"sql": 'SELECT *\nFROM "orders"\nLIMIT 5', "parameters": [], "readable_sql": answer["sql"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (YAML.replace("op: =", "op: ~="), "filters[1].op: "),
        (YAML.replace("orders", "order"), "table: 'order' is no table of 'shop'. Did you mean 'orders'?"),
        ("[", "neither JSON nor YAML"),
        ("just words", "A plan is a JSON object"),
        ("[" * 100_000, "neither JSON nor YAML"),
    ],
    ids=["operator", "table", "yaml", "words", "deep"],
)
def test_a_bad_plan_is_one_sentence(shop: Path, text: str, said: str) -> None:
    result = plan("-", "--dataset", shop, stdin=text)
    assert result.returncode == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr


def test_the_plan_of_the_guide_is_one() -> None:
    guide = Path(__file__).parents[2] / "docs" / "guide" / "plans.md"
    text = guide.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    result = plan("-", "--dataset", "nowhere.json", stdin=text)
    assert "'nowhere.json' cannot be read" in " ".join(result.stderr.replace("│", " ").split())
