"""What docs/guide/client.md shows is what happens."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parents[2] / "docs/guide/client.md"
EXAMPLE = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.S)


def test_every_example_of_the_guide_prints_what_it_shows(local: str) -> None:
    text = GUIDE.read_text()
    examples = EXAMPLE.findall(text)
    assert len(examples) == text.count("```python")
    names: dict[str, Any] = {}
    for code, shown in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code.replace("http://127.0.0.1:8000", local), str(GUIDE), "exec"), names)
        assert printed.getvalue() == shown, code
    names["client"].close()
