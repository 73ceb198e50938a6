"""`/prebuild` and `/prebuilds`: environments made once for many runs. One belongs to the key that made it."""

from typing import Annotated

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from holdfast.api import problems
from holdfast.api.exchange import app_of, json_of
from holdfast.api.runs import CLIENT_LEFT, EventStream, answer, caller_of, read
from holdfast.app import App
from holdfast.types import Prebuild, PrebuildRequest


class Age(BaseModel):
    """What is old enough to go."""

    max_age_days: Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)] = Field(
        7.0, description="Days since the last use; what was used later stays."
    )


async def build(request: Request) -> Response:
    """Make a prebuilt environment, in place of one that has the tag. A client that leaves ends the build."""
    caller = caller_of(request)

    async def work(app: App, wanted: PrebuildRequest) -> Prebuild:
        return await app.prebuilds.build(wanted, caller)

    return await answer(request, PrebuildRequest.model_validate_json, work)


async def build_stream(request: Request) -> Response:
    """Make one and send what happens as server-sent events: `started`, `output`, `built` (or `error`)."""
    app = app_of(request)
    wanted = await read(request, PrebuildRequest.model_validate_json)
    if wanted is None:
        return Response(status_code=CLIENT_LEFT)
    longest = app.settings.prebuild_timeout * 2
    return EventStream(app, app.prebuilds.stream(wanted, caller_of(request)), longest)


async def show_all(request: Request) -> Response:
    """The prebuilt environments the caller may use."""
    return json_of(app_of(request).prebuilds.list(caller_of(request)))


async def show(request: Request) -> Response:
    """One prebuilt environment."""
    return json_of(app_of(request).prebuilds.get(_tag(request), caller_of(request)))


async def delete(request: Request) -> Response:
    """Forget one; its files go when no run uses them."""
    return json_of(await app_of(request).prebuilds.delete(_tag(request), caller_of(request)))


async def clean_up(request: Request) -> Response:
    """Delete what has not been used for `max_age_days` (7)."""
    try:
        age = Age.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise problems.from_validation(error) from None
    return json_of(await app_of(request).prebuilds.clean_up(age.max_age_days, caller_of(request)))


def _tag(request: Request) -> str:
    return str(request.path_params["tag"])
