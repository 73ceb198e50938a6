"""Questions that ask for more than one plan can say, and those beside them that it can: a file of expenses."""

from tests.chat.questions import Asked

_WHO = ("Ada Novak", "Ben Okafor", "Chloe Silva", "Dan Weber")


def expenses() -> str:
    """Names with spaces and units in brackets, two dates, and a tax beside the amount."""
    lines = ["Date,Employee,Category,Amount (EUR),VAT (EUR),Receipt,Approved,Reimbursed On"]
    for n in range(90):
        month, day = 1 + n * 7 % 9, 1 + n * 11 % 28
        tax = "" if n % 4 == 0 else f"{1 + n * 13 % 40 / 4:.2f}"
        back = f"2026-{month + 1:02}-{1 + n % 28:02}" if n % 5 else ""
        what = f"{_WHO[n * n % 7 % 4]},{('Travel', 'Meals', 'Books')[n % 3]},{20 + n * 37 % 400 + n / 100:.2f}"
        lines.append(
            f"2026-{month:02}-{day:02},{what},{tax},{str(n % 6 != 0).lower()},{str(n % 7 != 0).lower()},{back}"
        )
    return "\n".join(lines) + "\n"


def _one(value: str) -> str:
    return f"[[{value}]]"


def _by(series: str) -> str:
    return f"[[k, v] for k, v in ({series}).items()]"


_AMOUNT = "expenses['Amount (EUR)']"
_MADE = "expenses['Date'].astype(str)"
_BACK = "expenses['Reimbursed On'].astype(str)"
_MONTH = "pd.to_datetime(expenses['Date']).dt.to_period('M').dt.to_timestamp().dt.strftime('%Y-%m-%d')"

WITHIN = (
    Asked("expenses", "How much did we spend in total?", _one(f"{_AMOUNT}.sum()")),
    Asked("expenses", "total amount per month", _by(f"{_AMOUNT}.groupby({_MONTH}).sum()")),
    Asked("expenses", "spend by category", _by(f"{_AMOUNT}.groupby(expenses['Category']).sum()")),
    Asked("expenses", "how many expenses were 200 euros or more", _one(f"({_AMOUNT} >= 200).sum()")),
    Asked("expenses", "average expense", _one(f"{_AMOUNT}.mean()")),
    Asked(
        "expenses",
        "lowest and highest amount per category",
        "[list(row) for row in expenses.groupby('Category')['Amount (EUR)'].agg(['min', 'max']).itertuples()]",
    ),
    Asked(
        "expenses",
        "How many expenses made in March were reimbursed in April?",
        _one(f"({_MADE}.str.startswith('2026-03') & {_BACK}.str.startswith('2026-04')).sum()"),
    ),
    Asked(
        "expenses",
        "How much was reimbursed in July?",
        _one(f"expenses[{_BACK}.str.startswith('2026-07')]['Amount (EUR)'].sum()"),
    ),
    Asked("expenses", "What did we pay in total for travel?", _one(f"{_AMOUNT}[expenses.Category == 'Travel'].sum()")),
    Asked(
        "support",
        "How many tickets opened in December were resolved in January?",
        _one(
            "(tickets.created_at.astype(str).str.startswith('2025-12')"
            " & tickets.resolved_at.astype(str).str.startswith('2026-01')).sum()"
        ),
    ),
    Asked("support", "average csat score per agent", _by("tickets.groupby('agent_id').csat_score.mean()")),
    Asked("sensors", "How many readings had a vibration above 10 mm/s?", _one("(sensors.vibration_mm_s > 10).sum()")),
    Asked(
        "sensors",
        "average daily temperature",
        _by("sensors.groupby(sensors.timestamp.astype(str).str[:10]).temperature_c.mean()"),
    ),
    Asked(
        "ecommerce",
        "average order value per month",
        _by(
            "orders.groupby(pd.to_datetime(orders.order_date).dt.to_period('M').dt.to_timestamp().dt.strftime('%Y-%m-%d')).total.mean()"
        ),
    ),
    Asked("ecommerce", "How many orders over $500 were there?", _one("(orders.total > 500).sum()")),
)

BEYOND = (
    ("expenses", "average amount per employee"),
    ("expenses", "What does an employee spend on average?"),
    ("expenses", "average daily amount"),
    ("expenses", "total expenses by category"),
    ("expenses", "total amount without VAT"),
    ("expenses", "Which employee has the most expenses in each category?"),
    ("expenses", "top 3 employees by total amount in each category"),
    ("expenses", "Which employees have more than 20 expenses?"),
    ("expenses", "How many expenses in March were reimbursed?"),
    ("expenses", "expenses approved and reimbursed in June"),
    ("expenses", "highest total amount per month"),
    ("expenses", "What was the revenue?"),
    ("ecommerce", "What is the average spend per customer?"),
    ("ecommerce", "How much is ordered per day on average in dollars?"),
    ("ecommerce", "How many customers placed their first order in January 2026?"),
    ("ecommerce", "Which customer spent the most in each month?"),
    ("support", "Which agent has the most tickets in each category?"),
    ("support", "How many tickets in December were resolved in January?"),
    ("support", "How many agents have more than 60 open tickets?"),
    ("sensors", "How many sensors are offline now?"),
    ("sensors", "average temperature now"),
    ("loans", "How many loans are not returned and rated?"),
    ("loans", "most common genre of each branch"),
    ("staff", "How many departments have more than 2 staff?"),
)
"""Sums that are averaged, the first within each, the last row of each, counts of each, and how far a `not` reaches."""
