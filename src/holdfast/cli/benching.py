"""`holdfast bench`: what Holdfast costs on this machine, as tables."""

import json
import signal
import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from holdfast.settings import Settings
from holdfast.testing.bench import QUICK, Pace, Report, Table, benchmark, tables

ENDED = 128 + signal.SIGTERM


def bench(settings: Settings, *, quick: bool, passes: int, as_json: bool) -> Report:
    """Measure and print; progress goes to stderr."""
    # The default action would leave the measured servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED))
    notes = Console(stderr=True)
    with notes.status("measuring") as status:
        report = benchmark(
            settings, QUICK if quick else Pace(), passes, lambda what: status.update(f"measuring: {what}")
        )
    if as_json:
        print(json.dumps(report.as_data(), indent=2))
    else:
        _show(Console(), report)
    return report


def _show(console: Console, report: Report) -> None:
    for table in tables(report):
        console.print(_rich(table))
        if table.remark:
            console.print(escape(table.remark), style="dim")
        console.print()


def _rich(table: Table) -> RichTable:
    made = RichTable(*map(escape, table.head), title=escape(table.title), show_header=any(table.head))
    for row in table.rows:
        made.add_row(*map(escape, row))
    return made
