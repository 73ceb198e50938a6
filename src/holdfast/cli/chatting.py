"""`holdfast ask` and `holdfast chat`: questions in words, answers as tables, charts as files.

All that came from data or a model is printed as text, without what terminals take for commands.
"""

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.client import Client
from holdfast.errors import HoldfastError, NotFoundError
from holdfast.types import ChatResponse, ChatStatus, ChatTable

FAILED = 1
_FORMATS = (".png", ".svg", ".json")
_WIDEST = 60


def ask(client: Client, dataset: str, question: str, *, thread: str | None, chart: Path | None, as_json: bool) -> int:
    """Ask once and print the answer; 0 when there is one. Raises typer.BadParameter, HoldfastError."""
    if chart is not None and chart.suffix.lower() not in _FORMATS:
        raise typer.BadParameter(f"'{chart}' ends with none of {', '.join(_FORMATS)}", param_hint="--chart")
    given = {} if thread is None else {"thread_id": thread}
    said = client.chat(dataset, question, **given)
    if as_json:
        print(said.model_dump_json(indent=2))
    else:
        tell(said, Console())
    if chart is not None:
        _draw(client, said, chart)
    return 0 if said.status is ChatStatus.SUCCEEDED else FAILED


def chat(client: Client, dataset: str, *, thread: str | None, charts: Path | None) -> None:
    """Ask what is typed, line by line, until a line is empty. Raises HoldfastError."""
    console = Console()
    about = client.chat_about()
    who = f"{about.model} of {about.provider}" if about.model else "rules for simple questions, no language model"
    console.print(Text(f"{dataset}: answered by {who}. An empty line ends it."))
    thread = thread or f"thread-{secrets.token_hex(16)}"
    while question := _typed(console):
        try:
            said = client.chat(dataset, question, thread_id=thread)
        except HoldfastError as error:
            console.print(Text(_plain(error.detail), style="red"))
            continue
        tell(said, console)
        if charts is not None and said.chart is not None:
            charts.mkdir(parents=True, exist_ok=True)
            _draw(client, said, charts / f"{said.run_id}.png")


def tell(said: ChatResponse, console: Console) -> None:
    """Print an answer."""
    failed = said.status not in (ChatStatus.SUCCEEDED, ChatStatus.CLARIFICATION)
    console.print(Text(_plain(said.assistant_message), style="red" if failed else "bold"))
    if said.details.explanation:
        console.print(Text(_plain(said.details.explanation), style="dim"))
    for option in said.clarification.options if said.clarification else ():
        console.print(Text(f"  {option.id}) {_plain(option.label)}"))
    if said.result.columns:
        console.print(_table(said.result))
    wrong = [check.text for check in said.numbers if not check.matched]
    if wrong:
        console.print(Text(f"Not in the result: {', '.join(map(_plain, wrong))}", style="yellow"))
    if said.run_id is not None:
        shown, total = said.result.row_count, said.result.total_rows
        rows = f"{total:,} row{'' if total == 1 else 's'}" + (f", {shown:,} shown" if shown < total else "")
        print(f"holdfast: {rows}; run {said.run_id}, thread {said.thread_id}", file=sys.stderr)


def _typed(console: Console) -> str:
    try:
        return console.input("> ").strip()
    except EOFError:
        return ""


def _table(result: ChatTable) -> Table:
    table = Table()
    numeric = [all(isinstance(row[place], int | float) for row in result.rows) for place in range(len(result.columns))]
    for name, is_number in zip(result.columns, numeric, strict=True):
        table.add_column(Text(_plain(name)), justify="right" if is_number else "left")
    for row in result.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    shown = _plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 1]}…"


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def _draw(client: Client, said: ChatResponse, path: Path) -> None:
    if said.run_id is None:
        print("holdfast: there is nothing to draw.", file=sys.stderr)
        return
    try:
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(client.chart(said.run_id).spec, indent=2, ensure_ascii=False), "utf-8")
        else:
            path.write_bytes(client.chart_picture(said.run_id, path.suffix.lower().removeprefix(".")))
    except NotFoundError as error:
        print(f"holdfast: {error.detail}", file=sys.stderr)
        return
    print(f"holdfast: drawn in {path}", file=sys.stderr)
