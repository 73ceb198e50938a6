"""A shop: half a year of orders, their items, and the stock."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random

from holdfast.data.demo.clock import ANCHOR, between, dealt

Row = tuple[object, ...]

SEED = 42
ORDERS, ITEMS, CUSTOMERS = 4018, 9008, 800
FIRST_ORDER, FIRST_PRODUCT, DAYS = 1001, 201, 181
STATUSES = {"completed": 2470, "returned": 1416, "cancelled": 132}
CATEGORIES = {"Clothing": 175, "Electronics": 150, "Home": 100, "Books": 50, "Toys": 25}
LOW_STOCK, LOW = 189, 20
PRICES = {
    "Clothing": (12, 120),
    "Electronics": (25, 900),
    "Home": (8, 250),
    "Books": (5, 45),
    "Toys": (6, 80),
}
NAMES = {
    "Clothing": ("Jacket", "Jeans", "Scarf", "Shirt", "Sneakers"),
    "Electronics": ("Headphones", "Keyboard", "Monitor", "Phone", "Speaker"),
    "Home": ("Blanket", "Kettle", "Lamp", "Pan", "Rug"),
    "Books": ("Atlas", "Cookbook", "Novel", "Poems", "Travel Guide"),
    "Toys": ("Blocks", "Board Game", "Doll", "Kite", "Puzzle"),
}
ADJECTIVES = ("Blue", "Compact", "Classic", "Deluxe", "Light", "Modern", "Red", "Soft", "Sturdy", "Vintage")


def tables() -> Mapping[str, tuple[tuple[str, ...], list[Row]]]:
    """Orders, their items and the products, which agree with one another."""
    chance = Random(SEED)
    products = _products(chance)
    items = _items(chance, products)
    return {
        "orders": (("order_id", "customer_id", "order_date", "total", "status", "returned"), _orders(chance, items)),
        "order_items": (
            ("item_id", "order_id", "product_id", "category", "quantity", "price", "discount"),
            [row for order in items for row in order],
        ),
        "inventory": (("product_id", "name", "category", "stock"), [row[:4] for row in products]),
    }


def _products(chance: Random) -> list[Row]:
    """Each with the price it is sold at, in the end."""
    stocks = dealt(chance, {"low": LOW_STOCK, "usual": sum(CATEGORIES.values()) - LOW_STOCK})
    found: list[Row] = []
    for number, category in enumerate(dealt(chance, CATEGORIES)):
        name = f"{chance.choice(ADJECTIVES)} {chance.choice(NAMES[category])}"
        stock = chance.randrange(LOW) if stocks[number] == "low" else chance.randrange(LOW, 400)
        price = between(chance, *PRICES[category])
        found.append((FIRST_PRODUCT + number, name, category, stock, price))
    return found


def _items(chance: Random, products: list[Row]) -> list[list[Row]]:
    """The items of each order; every order has one."""
    owners = sorted([*range(ORDERS), *(chance.randrange(ORDERS) for _ in range(ITEMS - ORDERS))])
    orders: list[list[Row]] = [[] for _ in range(ORDERS)]
    for number, owner in enumerate(owners):
        # Some products sell much better than others.
        product, _, category, _, price = products[int(len(products) * chance.random() * chance.random())]
        discount = 0 if chance.random() < 0.6 else chance.randrange(5, 31, 5)
        quantity = chance.randrange(1, 5)
        orders[owner].append((number + 1, FIRST_ORDER + owner, product, category, quantity, price, discount))
    return orders


def _orders(chance: Random, items: list[list[Row]]) -> list[Row]:
    statuses = dealt(chance, STATUSES)
    days = sorted(chance.randrange(DAYS) for _ in range(ORDERS))
    days[0], days[-1] = 0, DAYS - 1
    first = ANCHOR.date() - timedelta(days=DAYS - 1)
    return [
        (
            FIRST_ORDER + number,
            1 + int(CUSTOMERS * chance.random() * chance.random()),
            first + timedelta(days=days[number]),
            f"{_total(order):.2f}",
            statuses[number],
            str(statuses[number] == "returned").lower(),
        )
        for number, order in enumerate(items)
    ]


def _total(order: list[Row]) -> float:
    """In whole cents, so that it is the same everywhere."""
    cents = 0
    for *_, quantity, price, discount in order:
        cents += int(str(quantity)) * round(float(str(price)) * 100) * (100 - int(str(discount)))
    return (cents + 50) // 100 / 100
