"""What every route needs of a request, and makes of an answer."""

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from holdfast.app import App

JSON = "application/json"


def app_of(request: Request) -> App:
    """The application that serves it."""
    app: App = request.app.state.holdfast
    return app


def json_of(model: BaseModel, status: int = 200) -> Response:
    """A model as it goes over the wire."""
    return Response(model.model_dump_json(), status_code=status, media_type=JSON)
