"""A support desk: the tickets of three months."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random

from holdfast.data.demo.clock import ANCHOR, between, dealt

Row = tuple[object, ...]

SEED = 43
DAYS = 90
PRIORITIES = {"Low": 3099, "Medium": 2000, "High": 991, "Critical": 327}
STATUSES = {"Resolved": 4805, "Open": 1267, "Closed": 345}
SCORES = 2929
IN_TIME, OPEN_IN_TIME = 4651, 300
"""Tickets within their promise, and those among them that are still open."""

PROMISED_HOURS = {"Low": 72, "Medium": 24, "High": 8, "Critical": 4}
CATEGORIES = ("Account", "Billing", "Bug Report", "Feature Request", "Technical Issue")
CHANNELS = ("chat", "email", "phone", "web")
AGENTS = 25
COLUMNS = (
    *("ticket_id", "created_at", "resolved_at", "category", "priority", "csat_score", "sla_met"),
    *("resolution_time_hours", "status", "agent_id", "channel"),
)


def tables() -> Mapping[str, tuple[tuple[str, ...], list[Row]]]:
    """The tickets, in the order in which they came."""
    chance = Random(SEED)
    count = sum(STATUSES.values())
    priorities, statuses = dealt(chance, PRIORITIES), dealt(chance, STATUSES)
    ended = count - STATUSES["Open"]
    scored = iter(dealt(chance, {"yes": SCORES, "": ended - SCORES}))
    ended_in_time = iter(dealt(chance, {"yes": IN_TIME - OPEN_IN_TIME, "": ended - IN_TIME + OPEN_IN_TIME}))
    open_in_time = iter(dealt(chance, {"yes": OPEN_IN_TIME, "": STATUSES["Open"] - OPEN_IN_TIME}))
    tickets = []
    for priority, status in zip(priorities, statuses, strict=True):
        if status == "Open":
            tickets.append(_open(chance, priority, in_time=bool(next(open_in_time))))
        else:
            tickets.append(_ended(chance, (priority, status), in_time=bool(next(ended_in_time)), scored=next(scored)))
    tickets.sort(key=lambda ticket: str(ticket[0]))
    return {"tickets": (COLUMNS, [(number, *ticket) for number, ticket in enumerate(tickets, 1)])}


def _ended(chance: Random, kind: tuple[str, str], *, in_time: bool, scored: str) -> Row:
    priority, status = kind
    promised = PROMISED_HOURS[priority]
    hours = between(chance, 0.1, 1.0) * promised if in_time else between(chance, 1.05, 3.0) * promised
    latest = DAYS * 24 - hours
    created = ANCHOR - timedelta(hours=DAYS * 24 - latest * chance.random())
    resolved = created + timedelta(hours=hours)
    score = _score(chance, in_time=in_time) if scored else None
    known = (_second(created), _second(resolved), chance.choice(CATEGORIES), priority, score, str(in_time).lower())
    return (*known, f"{hours:.2f}", status, *_handled(chance))


def _open(chance: Random, priority: str, *, in_time: bool) -> Row:
    promised = PROMISED_HOURS[priority]
    age = between(chance, 0.05, 0.95) * promised if in_time else promised * between(chance, 1.1, 8.0)
    created = _second(ANCHOR - timedelta(hours=age))
    known = (created, None, chance.choice(CATEGORIES), priority, None, str(in_time).lower(), None)
    return (*known, "Open", *_handled(chance))


def _handled(chance: Random) -> Row:
    return (f"AGENT-{chance.randrange(1, AGENTS + 1):02}", chance.choice(CHANNELS))


def _score(chance: Random, *, in_time: bool) -> int:
    return chance.choice((3, 4, 4, 5, 5) if in_time else (1, 1, 2, 2, 3, 4))


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
