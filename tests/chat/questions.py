"""Questions in people's words, and what pandas says is right. They were written before the rules that answer them.

Each is a dataset, a question, and a pandas expression over its tables, which gives rows: the values an answer has to
have, whatever else it has beside them.
"""

from typing import NamedTuple


class Asked(NamedTuple):
    """A question and its answer, as pandas finds it."""

    dataset: str
    question: str
    gold: str


_BRANCHES = ("Riverside", "Hilltop", "Old Town", "Station")
_GENRES = ("crime", "poetry", "history", "comics", "cooking")
_PEOPLE = ("Ada Novak", "Ben Okafor", "Chloe Silva", "Dan Weber", "Eve Rossi", "Finn Larsen", "Gita Rao")


def loans() -> str:
    """A file that nobody has described: loans of a library."""
    lines = ["loan_id,borrower,branch,genre,title,borrowed_on,days_out,fine_eur,returned,rating"]
    for n in range(240):
        month, day = 1 + n * 7 % 6, 1 + n * 11 % 28
        fine = "" if n % 9 == 0 else f"{(n * 37 % 60) / 4 + n / 1000:.3f}"
        rating = "" if n % 7 == 3 else str(1 + n * n % 5)
        person = _PEOPLE[(n * n + n // 5) % 7]
        branch = _BRANCHES[n * 5 // 3 % 4]
        genre = _GENRES[(n * 3 + n // 11) % 5]
        days, back = 2 + n * 13 % 40, str(n % 6 != 0).lower()
        start = f"{5000 + n},{person},{branch},{genre},Volume {n % 31}"
        lines.append(f"{start},2026-{month:02}-{day:02},{days},{fine},{back},{rating}")
    return "\n".join(lines) + "\n"


def _one(value: str) -> str:
    return f"[[{value}]]"


def _by(series: str) -> str:
    return f"[[k, v] for k, v in ({series}).items()]"


_MONTH = ".dt.to_period('M').dt.to_timestamp().dt.strftime('%Y-%m-%d')"
_ITEMS_WITH_ORDERS = "order_items.merge(orders, on='order_id')"

QUESTIONS = (
    Asked("ecommerce", "How many orders do we have in total?", _one("len(orders)")),
    Asked("ecommerce", "Count of orders that were cancelled", _one("(orders.status == 'cancelled').sum()")),
    Asked("ecommerce", "What did the average order come to?", _one("orders.total.mean()")),
    Asked("ecommerce", "Total quantity sold per category", _by("order_items.groupby('category').quantity.sum()")),
    Asked("ecommerce", "What's the biggest order total?", _one("orders.total.max()")),
    Asked("ecommerce", "number of distinct customers", _one("orders.customer_id.nunique()")),
    Asked("ecommerce", "how many products are there in each category?", _by("inventory.groupby('category').size()")),
    Asked(
        "ecommerce",
        "Sum of order totals by month",
        _by(f"orders.groupby(pd.to_datetime(orders.order_date){_MONTH}).total.sum()"),
    ),
    Asked(
        "ecommerce",
        "median price of electronics items",
        _one("order_items[order_items.category == 'Electronics'].price.median()"),
    ),
    Asked(
        "ecommerce",
        "Which 5 customers placed the most orders?",
        _by("orders.groupby('customer_id').size().sort_values(ascending=False).head(5)"),
    ),
    Asked(
        "ecommerce",
        "What is the mean stock level of Toys?",
        _one("inventory[inventory.category == 'Toys'].stock.mean()"),
    ),
    Asked("ecommerce", "How many items have a discount greater than 20?", _one("(order_items.discount > 20).sum()")),
    Asked(
        "ecommerce",
        "show me the total amount of returned orders",
        _one("orders[orders.status == 'returned'].total.sum()"),
    ),
    Asked("ecommerce", "cheapest price in books", _one("order_items[order_items.category == 'Books'].price.min()")),
    Asked(
        "ecommerce",
        "average quantity for completed orders",
        _one(f"{_ITEMS_WITH_ORDERS}.query('status == \"completed\"').quantity.mean()"),
    ),
    Asked("support", "How many tickets came in by phone?", _one("(tickets.channel == 'phone').sum()")),
    Asked("support", "tickets per channel", _by("tickets.groupby('channel').size()")),
    Asked(
        "support",
        "What is the average resolution time for critical tickets?",
        _one("tickets[tickets.priority == 'Critical'].resolution_time_hours.mean()"),
    ),
    Asked(
        "support",
        "Which agent handled the most tickets?",
        _by("tickets.groupby('agent_id').size().sort_values(ascending=False).head(1)"),
    ),
    Asked(
        "support",
        "How many tickets were opened in December 2025?",
        _one("tickets.created_at.astype(str).str.startswith('2025-12').sum()"),
    ),
    Asked("support", "Average csat for each channel", _by("tickets.groupby('channel').csat_score.mean()")),
    Asked(
        "support",
        "How many open tickets with high priority are there?",
        _one("((tickets.status == 'Open') & (tickets.priority == 'High')).sum()"),
    ),
    Asked("support", "longest resolution time", _one("tickets.resolution_time_hours.max()")),
    Asked(
        "support",
        "number of tickets created each week",
        _by(
            "tickets.groupby(pd.to_datetime(tickets.created_at).dt.to_period('W').dt.start_time.dt.strftime('%Y-%m-%d')).size()"
        ),
    ),
    Asked(
        "support",
        "how many bug reports missed the SLA?",
        _one("((tickets.category == 'Bug Report') & ~tickets.sla_met.astype(bool)).sum()"),
    ),
    Asked("support", "What percentage of tickets met their SLA?", _one("100 * tickets.sla_met.astype(bool).mean()")),
    Asked("support", "lowest satisfaction score per category", _by("tickets.groupby('category').csat_score.min()")),
    Asked("support", "How many tickets have no resolution date?", _one("tickets.resolved_at.isna().sum()")),
    Asked(
        "support",
        "top 3 categories by number of tickets",
        _by("tickets.groupby('category').size().sort_values(ascending=False).head(3)"),
    ),
    Asked("support", "how many agents are there?", _one("tickets.agent_id.nunique()")),
    Asked("sensors", "How many readings were taken?", _one("len(sensors)")),
    Asked("sensors", "avg temperature by location", _by("sensors.groupby('location').temperature_c.mean()")),
    Asked(
        "sensors",
        "What's the maximum vibration recorded in the North zone?",
        _one("sensors[sensors.zone == 'North'].vibration_mm_s.max()"),
    ),
    Asked("sensors", "How many distinct sensors report?", _one("sensors.sensor_id.nunique()")),
    Asked("sensors", "Number of anomalies per anomaly type", _by("sensors.groupby('anomaly_type').size()")),
    Asked("sensors", "How many sensors are offline?", _one("sensors[sensors.status == 'offline'].sensor_id.nunique()")),
    Asked("sensors", "minimum battery level by zone", _by("sensors.groupby('zone').battery_pct.min()")),
    Asked(
        "sensors",
        "average humidity in the assembly hall",
        _one("sensors[sensors.location == 'Assembly Hall'].humidity_pct.mean()"),
    ),
    Asked(
        "sensors",
        "how many readings are there per day?",
        _by("sensors.groupby(sensors.timestamp.astype(str).str[:10]).size()"),
    ),
    Asked(
        "sensors",
        "how many anomalies were there on 1 February 2026?",
        _one("(sensors.anomaly_flag.astype(bool) & sensors.timestamp.astype(str).str.startswith('2026-02-01')).sum()"),
    ),
    Asked(
        "sensors",
        "top 5 sensors by highest temperature",
        _by("sensors.groupby('sensor_id').temperature_c.max().sort_values(ascending=False).head(5)"),
    ),
    Asked(
        "sensors", "Total anomalies by zone", _by("sensors[sensors.anomaly_flag.astype(bool)].groupby('zone').size()")
    ),
    Asked(
        "sensors",
        "how many readings had a temperature above 50 degrees?",
        _one("(sensors.temperature_c > 50).sum()"),
    ),
    Asked(
        "sensors",
        "median humidity for sensors in maintenance",
        _one("sensors[sensors.status == 'maintenance'].humidity_pct.median()"),
    ),
    Asked("sensors", "standard deviation of pressure", _one("sensors.pressure_hpa.std()")),
    Asked("loans", "How many loans are in the file?", _one("len(loans)")),
    Asked("loans", "loans per branch", _by("loans.groupby('branch').size()")),
    Asked("loans", "total fines collected by genre", _by("loans.groupby('genre').fine_eur.sum()")),
    Asked("loans", "average rating of poetry titles", _one("loans[loans.genre == 'poetry'].rating.mean()")),
    Asked("loans", "What is the longest anyone kept something out?", _one("loans.days_out.max()")),
    Asked("loans", "how many loans were not returned?", _one("(~loans.returned.astype(bool)).sum()")),
    Asked(
        "loans",
        "top 3 borrowers by total fines",
        _by("loans.groupby('borrower').fine_eur.sum().sort_values(ascending=False).head(3)"),
    ),
    Asked("loans", "mean days out for each genre", _by("loans.groupby('genre').days_out.mean()")),
    Asked("loans", "how many different borrowers are there", _one("loans.borrower.nunique()")),
    Asked("loans", "loans by month", _by(f"loans.groupby(pd.to_datetime(loans.borrowed_on){_MONTH}).size()")),
    Asked("loans", "highest fine at the Riverside branch", _one("loans[loans.branch == 'Riverside'].fine_eur.max()")),
    Asked("loans", "number of loans with a rating below 3", _one("(loans.rating < 3).sum()")),
    Asked(
        "loans",
        "which branch has the lowest average rating?",
        _by("loans.groupby('branch').rating.mean().sort_values().head(1)"),
    ),
    Asked(
        "loans",
        "sum of fines in March 2026",
        _one("loans[loans.borrowed_on.astype(str).str.startswith('2026-03')].fine_eur.sum()"),
    ),
    Asked(
        "loans",
        "how many crime loans came from the Hilltop branch?",
        _one("((loans.genre == 'crime') & (loans.branch == 'Hilltop')).sum()"),
    ),
)
