"""Print the OpenAPI document, of which `docs/openapi.json` is a copy."""

from holdfast.api import described
from holdfast.api.documentation import text

print(text(described()), end="")
