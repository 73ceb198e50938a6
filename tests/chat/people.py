"""Questions as people ask them: in adjectives, units and verbs, about people, for rows and for the days of the most."""

from tests.chat.questions import Asked


def _one(value: str) -> str:
    return f"[[{value}]]"


def _by(series: str) -> str:
    return f"[[k, v] for k, v in ({series}).items()]"


_PLACED = "pd.to_datetime(orders.order_date)"
_BEGAN = "pd.to_datetime(trips.started_at)"

SAID = (
    Asked(
        "ecommerce",
        "top 5 customers by total order value",
        _by("orders.groupby('customer_id').total.sum().nlargest(5)"),
    ),
    Asked("ecommerce", "What is an order worth on average?", _one("orders.total.mean()")),
    Asked("ecommerce", "How much was the smallest order ever?", _one("orders.total.min()")),
    Asked("ecommerce", "how many orders were worth more than $500", _one("(orders.total > 500).sum()")),
    Asked(
        "ecommerce",
        "In which month was the total value of orders highest?",
        _by(
            f"orders.groupby({_PLACED}.dt.to_period('M').dt.to_timestamp().dt.strftime('%Y-%m-%d')).total.sum().nlargest(1)"
        ),
    ),
    Asked("ecommerce", "How many orders came in on Christmas Day?", _one(f"({_PLACED} == '2025-12-25').sum()")),
    Asked(
        "ecommerce",
        "which products are out of stock",
        "inventory[inventory.stock == 0][['product_id']].values.tolist()",
    ),
    Asked(
        "ecommerce",
        "What discount do we give on books on average?",
        _one("order_items[order_items.category == 'Books'].discount.mean()"),
    ),
    Asked("support", "Who has handled the most tickets?", _by("tickets.groupby('agent_id').size().nlargest(1)")),
    Asked(
        "support",
        "How long does it take on average to resolve a critical ticket?",
        _one("tickets[tickets.priority == 'Critical'].resolution_time_hours.mean()"),
    ),
    Asked(
        "support",
        "how happy are people with billing tickets on average?",
        _one("tickets[tickets.category == 'Billing'].csat_score.mean()"),
    ),
    Asked("support", "how many tickets are not yet resolved?", _one("tickets.resolved_at.isna().sum()")),
    Asked("support", "how many tickets took less than an hour", _one("(tickets.resolution_time_hours < 1).sum()")),
    Asked(
        "support",
        "which category takes the longest to resolve on average?",
        _by("tickets.groupby('category').resolution_time_hours.mean().nlargest(1)"),
    ),
    Asked(
        "support",
        "the number of tickets, the average resolution time and the average satisfaction for each category",
        "[list(row) for row in tickets.groupby('category').agg(n=('ticket_id', 'size'), "
        "t=('resolution_time_hours', 'mean'), s=('csat_score', 'mean')).itertuples()]",
    ),
    Asked(
        "sensors",
        "Which place is the warmest on average?",
        _by("sensors.groupby('location').temperature_c.mean().nlargest(1)"),
    ),
    Asked("sensors", "How many readings were hotter than 40 degrees?", _one("(sensors.temperature_c > 40).sum()")),
    Asked("sensors", "average temperature per sensor", _by("sensors.groupby('sensor_id').temperature_c.mean()")),
    Asked("sensors", "How many readings have no temperature?", _one("sensors.temperature_c.isna().sum()")),
    Asked(
        "sensors",
        "Which sensors have ever reported a battery charge under 10 percent?",
        "[[each] for each in sensors[sensors.battery_pct < 10].sensor_id.unique()]",
    ),
    Asked("loans", "who has borrowed most often?", _by("loans.groupby('borrower').size().nlargest(1, keep='all')")),
    Asked("loans", "most common genre", _by("loans.groupby('genre').size().nlargest(1, keep='all')")),
    Asked(
        "loans",
        "how many unreturned loans are there per branch",
        _by("loans[~loans.returned].groupby('branch').size()"),
    ),
    Asked("loans", "how many loans have a rating", _one("loans.rating.notna().sum()")),
    Asked(
        "loans", "When was the first crime loan?", _one("loans[loans.genre == 'crime'].borrowed_on.astype(str).min()")
    ),
    Asked("loans", "loans with a rating of 5, how many?", _one("(loans.rating == 5).sum()")),
    Asked("loans", "how many loans were there, except crime?", _one("(loans.genre != 'crime').sum()")),
    Asked("trips", "average km per trip", _one("trips.km.mean()")),
    Asked(
        "trips", "How many kilometers did we travel by bus in total?", _one("trips[trips['mode'] == 'bus'].km.sum()")
    ),
    Asked("trips", "which trip was the longest?", "trips.nlargest(1, 'km')[['trip_id', 'km']].values.tolist()"),
    Asked("trips", "how many unpaid trips between 5 and 10 km", _one("(~trips.paid & trips.km.between(5, 10)).sum()")),
    Asked(
        "trips",
        "On which day did we have the most trips?",
        _by("trips.groupby(trips.started_at.astype(str).str[:10]).size().nlargest(1, keep='all')"),
    ),
    Asked("parcels", "how many parcels are heavier than 5 kg", _one("(parcels.weight_kg > 5).sum()")),
    Asked(
        "parcels",
        "which parcel is the heaviest",
        "parcels.nlargest(1, 'weight_kg', keep='all')[['parcel', 'weight_kg']].values.tolist()",
    ),
    Asked("parcels", "total kilos per city", _by("parcels.groupby('customer_city').weight_kg.sum()")),
    Asked("staff", "Who is the oldest, and how old?", "staff.nlargest(1, 'age')[['name', 'age']].values.tolist()"),
    Asked("staff", "how many people are older than 30", _one("(staff.age > 30).sum()")),
    Asked("staff", "who earns the most", "staff[staff.salary_eur == staff.salary_eur.max()][['name']].values.tolist()"),
    Asked("staff", "how old are the staff in HR on average", _one("staff[staff.department == 'HR'].age.mean()")),
    Asked("staff", "staff aged 30 to 34, how many", _one("staff.age.between(30, 34).sum()")),
)

NOT_SAID = (
    ("ecommerce", "total value of the stock"),
    ("ecommerce", "revenue by category"),
    ("ecommerce", "which customers spent more than 5000"),
    ("ecommerce", "how many new customers per month"),
    ("ecommerce", "total price by category"),
    ("ecommerce", "what was the largest order?"),
    ("ecommerce", "how much does an order cost?"),
    ("ecommerce", "how many orders were not completed"),
    ("support", "How many tickets were resolved?"),
    ("support", "best rated agent"),
    ("support", "average number of tickets per day"),
    ("support", "On which day of the week do most tickets come in?"),
    ("sensors", "How many degrees warmer is the Boiler Room than Cold Storage on average?"),
    ("sensors", "which zone has the highest temperature"),
    ("loans", "How many loans got an A?"),
    ("loans", "who is the best borrower"),
    ("loans", "how many loans do we still have"),
    ("trips", "kilometers per hour"),
    ("trips", "all but the longest trip"),
    ("trips", "May I know what the trips cost?"),
    ("parcels", "which parcel is the oldest person"),
    ("parcels", "delay per kilo"),
    ("staff", "total age"),
    ("staff", "which department pays the most"),
    ("staff", "cheapest staff"),
)
"""A ratio, a difference, a state or a sum that is not said, or a word that may be more than it seems."""
