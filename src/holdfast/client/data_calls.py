"""The exchanges about data runs; see `calls`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from holdfast.client.calls import Call, read_as
from holdfast.client.requests import body_of, valid
from holdfast.types import Capsule, CapsuleState, DataRunRequest, Replay, RunRecords


def ask(dataset_id: str, sql: str | None = None, /, **fields: Any) -> Call[Capsule]:
    """Ask a dataset with SQL, a `plan` or `python`; `fields` are those of DataRunRequest.

    Whatever the query does is in the capsule, also what the policy denies. Raises HoldfastError.
    """
    request = valid(DataRunRequest, {"sql": sql, **fields, "dataset_id": dataset_id})
    return Call("POST", "/runs", read_as(Capsule), body_of(request))


def capsule(run_id: str) -> Call[Capsule]:
    """The record of a data run."""
    return Call("GET", _path(run_id), read_as(Capsule))


def run_status(run_id: str) -> Call[CapsuleState]:
    """How a run of any kind went, or where it is."""
    return Call("GET", _path(run_id, "status"), read_as(CapsuleState))


def runs(*, kind: str | None = None, limit: int = 100, before: str | None = None) -> Call[RunRecords]:
    """The runs of this key, the latest first; `kind` is one of `run`, `grade`, `session` and `data`."""
    query: Mapping[str, Any] = {"kind": kind, "limit": limit, "before": before}
    given = urlencode({name: value for name, value in query.items() if value is not None})
    return Call("GET", f"/runs?{given}", read_as(RunRecords))


def cancel(run_id: str) -> Call[Capsule]:
    """End a data run; one that has ended already stays as it is."""
    return Call("POST", _path(run_id, "cancel"), read_as(Capsule), b"{}")


def replay(run_id: str) -> Call[Replay]:
    """Run again what a capsule is the record of, and compare."""
    return Call("POST", _path(run_id, "replay"), read_as(Replay), b"{}")


def export(run_id: str, format: str = "csv") -> Call[bytes]:
    """A data run as a file: `csv`, `parquet` or `json` of its result, `ipynb`, `sql`."""
    return Call("GET", _path(run_id, "export", format), bytes)


def forget_run(run_id: str) -> Call[None]:
    """Forget a run of any kind; a data run that goes on is ended first."""
    return Call("DELETE", _path(run_id), lambda _: None)


def _path(run_id: str, *parts: str) -> str:
    return "/".join(["/runs", *(quote(part, safe="") for part in (run_id, *parts))])
