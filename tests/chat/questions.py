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


def trips() -> str:
    """Another file that nobody has described: trips in towns, with the moments they began."""
    lines = ["trip_id,city,mode,km,started_at,paid"]
    cities, modes = ("Berlin", "Paris", "Lisbon", "Oslo"), ("bus", "tram", "bike")
    for n in range(300):
        began = f"2025-{9 + n % 4:02}-{1 + n * 13 % 28:02} {n * 7 % 24:02}:{n * 11 % 60:02}:00"
        lines.append(
            f"{n},{cities[n * n % 7 % 4]},{modes[n // 2 % 3]},{(n * 31 % 97) / 2 + n / 1000:.3f},{began},{n % 5 != 0}"
        )
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

_ORDERED = "pd.to_datetime(orders.order_date)"
_OPENED = "pd.to_datetime(tickets.created_at)"
_READ = "pd.to_datetime(sensors.timestamp)"
_LENT = "pd.to_datetime(loans.borrowed_on)"
_BEGAN = "pd.to_datetime(trips.started_at)"

MORE = (
    Asked(
        "ecommerce",
        "How many orders were placed last month?",
        _one(f"{_ORDERED}.astype(str).str.startswith('2026-01').sum()"),
    ),
    Asked("ecommerce", "How many orders were placed this year?", _one(f"({_ORDERED}.dt.year == 2026).sum()")),
    Asked(
        "ecommerce",
        "average order total in the previous month",
        _one(f"orders[{_ORDERED}.astype(str).str.startswith('2026-01')].total.mean()"),
    ),
    Asked(
        "ecommerce",
        "how many orders are returned or cancelled?",
        _one("orders.status.isin(['returned', 'cancelled']).sum()"),
    ),
    Asked(
        "ecommerce",
        "Total quantity of Books or Toys sold",
        _one("order_items[order_items.category.isin(['Books', 'Toys'])].quantity.sum()"),
    ),
    Asked(
        "ecommerce",
        "list the top ten customers by number of orders",
        _by("orders.groupby('customer_id').size().sort_values(ascending=False).head(10)"),
    ),
    Asked(
        "support",
        "How many tickets were opened in the last 7 days?",
        _one(f"({_OPENED} >= {_OPENED}.max() - pd.Timedelta(days=7)).sum()"),
    ),
    Asked(
        "support",
        "tickets opened last month per priority",
        _by(f"tickets[{_OPENED}.astype(str).str.startswith('2026-01')].groupby('priority').size()"),
    ),
    Asked(
        "support", "how many tickets came in by phone or email?", _one("tickets.channel.isin(['phone', 'email']).sum()")
    ),
    Asked(
        "support",
        "average resolution time of high or critical tickets",
        _one("tickets[tickets.priority.isin(['High', 'Critical'])].resolution_time_hours.mean()"),
    ),
    Asked(
        "support",
        "how many tickets were opened yesterday?",
        _one("tickets.created_at.astype(str).str.startswith('2026-02-01').sum()"),
    ),
    Asked(
        "sensors",
        "average temperature in the last 24 hours",
        _one(f"sensors[{_READ} >= {_READ}.max() - pd.Timedelta(hours=24)].temperature_c.mean()"),
    ),
    Asked("sensors", "how many readings were taken today?", _one(f"({_READ}.dt.date == {_READ}.max().date()).sum()")),
    Asked("loans", "how many crime or poetry loans are there?", _one("loans.genre.isin(['crime', 'poetry']).sum()")),
    Asked(
        "loans",
        "loans at Riverside or Station by genre",
        _by("loans[loans.branch.isin(['Riverside', 'Station'])].groupby('genre').size()"),
    ),
    Asked(
        "loans", "how many loans in the last 30 days", _one(f"({_LENT} > {_LENT}.max() - pd.Timedelta(days=30)).sum()")
    ),
    Asked(
        "loans", "sum of fines last month", _one(f"loans[{_LENT}.dt.month == {_LENT}.max().month - 1].fine_eur.sum()")
    ),
    Asked(
        "loans",
        "the 2 branches with the most loans",
        _by("loans.groupby('branch').size().nlargest(2, keep='all')"),
    ),
    Asked(
        "loans",
        "largest 3 borrowers by total fines",
        _by("loans.groupby('borrower').fine_eur.sum().sort_values(ascending=False).head(3)"),
    ),
    Asked(
        "loans",
        "top three borrowers by average days out",
        _by("loans.groupby('borrower').days_out.mean().sort_values(ascending=False).head(3)"),
    ),
    Asked("loans", "how many different titles are there?", _one("loans.title.nunique()")),
    Asked("trips", "How many trips were there in Berlin or Paris?", _one("trips.city.isin(['Berlin', 'Paris']).sum()")),
    Asked("trips", "total km by bus, tram or bike in Lisbon", _one("trips[trips.city == 'Lisbon'].km.sum()")),
    Asked(
        "trips",
        "how many trips in the last 2 months",
        _one(f"({_BEGAN} >= {_BEGAN}.max() - pd.DateOffset(months=2)).sum()"),
    ),
    Asked("trips", "how many trips last year?", _one("0")),
    Asked("trips", "how many trips this quarter?", _one(f"({_BEGAN}.dt.quarter == 4).sum()")),
    Asked(
        "trips",
        "average km per city in the last 48 hours",
        _by(f"trips[{_BEGAN} >= {_BEGAN}.max() - pd.Timedelta(hours=48)].groupby('city').km.mean()"),
    ),
    Asked("trips", "how many different cities are there?", _one("trips.city.nunique()")),
)
"""Dates told from the newest one, values joined by `or`, ranks in other words; two files of them nobody described."""

UNSURE = (
    ("support", "how many tickets were opened last week?"),
    ("support", "how many tickets were opened in the last month?"),
    ("support", "how many tickets were opened this week?"),
    ("support", "how many tickets are urgent or late?"),
    ("loans", "how many loans from Riverside or with crime?"),
    ("loans", "average fine or rating"),
    ("loans", "loans by branch or genre"),
    ("loans", "how many loans are not crime or poetry?"),
    ("loans", "how many loans in the last 5 hours?"),
    ("loans", "the best 5 borrowers"),
    ("loans", "what share of loans is what?"),
    ("trips", "how many trips since last month?"),
    ("trips", "how many trips in Berlin or longer than 10 km?"),
)
"""What can be read in two ways, or not at all: better asked back than wrong."""
