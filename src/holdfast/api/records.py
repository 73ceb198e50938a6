"""`/runs`: what is remembered of the runs of the caller; `admin` and a keyless local user see all."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from holdfast.api import problems
from holdfast.api.exchange import app_of, json_of
from holdfast.api.runs import caller_of
from holdfast.types import RunKind

MAX_LIMIT = 1000


class Page(BaseModel):
    """Which runs to list."""

    model_config = ConfigDict(extra="forbid")

    kind: RunKind | None = Field(default=None, description="Only runs of this kind.")
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="At most so many.")] = 100
    before: str | None = Field(default=None, description="Only runs older than this one: `next` of the page before.")


async def runs(request: Request) -> Response:
    """The runs of the caller, the latest first."""
    page = _page(request)
    app = app_of(request)
    return json_of(app.data.by_now(await app.store.runs(caller_of(request), page.kind, page.limit, page.before)))


def _page(request: Request) -> Page:
    """Raises InvalidFieldError."""
    try:
        return Page.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise problems.from_validation(error) from None
