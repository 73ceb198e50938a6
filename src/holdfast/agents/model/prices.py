"""What the tokens of a model cost: as the operator says, or as is known of public prices."""

from collections.abc import Mapping
from decimal import Decimal

from holdfast.types import ModelPrice

Prices = Mapping[str, ModelPrice]
"""By the names of models."""

_MILLION = 1_000_000


def cost_of(model: str, provider: str, input_tokens: int, output_tokens: int, prices: Prices) -> Decimal | None:
    """Dollars; `None` for a model whose price nobody knows."""
    if (own := own_cost(model, input_tokens, output_tokens, prices)) is not None:
        return own
    from genai_prices import Usage, calc_price

    try:
        used = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        return calc_price(used, model, provider_id=provider).total_price
    except LookupError:
        return None


def own_cost(model: str, input_tokens: int, output_tokens: int, prices: Prices) -> Decimal | None:
    """The same, as far as the operator says."""
    price = prices.get(model)
    if price is None:
        return None
    spent = input_tokens * Decimal(str(price.input_usd)) + output_tokens * Decimal(str(price.output_usd))
    return spent / _MILLION
