"""Questions that look simple: what a newcomer asked, and was told wrong once. Two files that nobody has described."""

from tests.chat.questions import Asked

_NAMES = ("Ann", "Bob", "Cy", "Di", "Ed", "Flo", "Gus", "Hal", "Ivy", "Jo", "Kim", "Lou")


def parcels() -> str:
    """Numbers below zero, zeros for nothing, hours, two columns of customers without a name, a key that is a noun."""
    lines = ["parcel,customer_city,product_category,weight_kg,temperature_c,delay_hours,fragile,sent_at,discount"]
    for n in range(40):
        year, month = (2025, 1 + n % 12) if n < 30 else (2026, 1 + n % 2)
        what = f"{n},{('Rom', 'Ulm', 'Bonn')[n % 3]},{('Toys', 'Books')[n % 2]},{(n * 7 % 23) / 2 + 0.25}"
        how = f"{n * 5 % 31 - 15},{n * 11 % 70},{str(n % 3 == 1).lower()}"
        lines.append(f"{what},{how},{year}-{month:02}-{1 + n % 28:02} 10:00:00,{(0, 0, 10, 20)[n % 4]}")
    return "\n".join(lines) + "\n"


def staff() -> str:
    """A department called as a word that anybody uses, ties, minutes, a text for nothing, and a year beside dates."""
    lines = ["name,department,country,salary_eur,age,hired_on,remote,bonus,overtime_minutes,allergy,share,year"]
    for n, name in enumerate(_NAMES):
        who = f"{name},{('Sales', 'IT', 'HR')[n % 3]},{'Austria' if n % 4 else 'Switzerland'},{3000 + 100 * (n // 2)}"
        when = f"{25 + n},202{3 + n % 3}-{1 + n:02}-15,{str(n % 4 == 0).lower()},{0 if n % 2 else 50 * n},{30 * n}"
        lines.append(f"{who},{when},{('none', 'nuts', 'milk')[n % 3]},{n / 20},{2020 + n % 4}")
    return "\n".join(lines) + "\n"


def _one(value: str) -> str:
    return f"[[{value}]]"


def _by(series: str) -> str:
    return f"[[k, v] for k, v in ({series}).items()]"


RIGHT = (
    Asked(
        "support",
        "How many tickets were opened from 1 January 2026 to 15 January 2026?",
        _one("tickets.created_at.astype(str).str[:10].between('2026-01-01', '2026-01-15').sum()"),
    ),
    Asked(
        "support",
        "How many tickets had a resolution time longer than 2 days?",
        _one("(tickets.resolution_time_hours > 48).sum()"),
    ),
    Asked(
        "support",
        "which channel has the highest median resolution time",
        _by("tickets.groupby('channel').resolution_time_hours.median().nlargest(1, keep='all')"),
    ),
    Asked(
        "support",
        "number of tickets resolved per month",
        _by(
            "tickets.groupby(pd.to_datetime(tickets.resolved_at).dt.to_period('M').dt.to_timestamp()"
            ".dt.strftime('%Y-%m-%d')).size()"
        ),
    ),
    Asked(
        "sensors", "how many readings had a temperature below -5 degrees?", _one("(sensors.temperature_c < -5).sum()")
    ),
    Asked("sensors", "how many sensors offline", _one("sensors[sensors.status == 'offline'].sensor_id.nunique()")),
    Asked("parcels", "how many parcels with weight above .5", _one("(parcels.weight_kg > .5).sum()")),
    Asked("parcels", "How many parcels with a delay over 1 day?", _one("(parcels.delay_hours > 24).sum()")),
    Asked(
        "parcels",
        "how many parcels with temperature between -5 and 5",
        _one("parcels.temperature_c.between(-5, 5).sum()"),
    ),
    Asked(
        "parcels",
        "which city has the fewest parcels",
        _by("parcels.groupby('customer_city').size().nsmallest(1, keep='all')"),
    ),
    Asked("staff", "How many staff have overtime over 2 hours?", _one("(staff.overtime_minutes > 120).sum()")),
    Asked("staff", "which department has the most staff?", _by("staff.groupby('department').size()")),
    Asked("staff", "top 1 departments by number of staff", _by("staff.groupby('department').size()")),
    Asked("staff", "how many staff in IT", _one("(staff.department == 'IT').sum()")),
    Asked(
        "staff",
        "total salary of Sales and IT",
        _one("staff[staff.department.isin(['Sales', 'IT'])].salary_eur.sum()"),
    ),
    Asked("staff", "how many staff with bonus of 0", _one("(staff.bonus == 0).sum()")),
    Asked("loans", "how many loans with days out over 3 weeks", _one("(loans.days_out > 21).sum()")),
    Asked(
        "loans",
        "how many borrowers returned crime",
        _one("loans[(loans.genre == 'crime') & loans.returned.astype(bool)].borrower.nunique()"),
    ),
)
NOW_RIGHT = (
    Asked(
        "loans",
        "How many loans that were returned are not crime?",
        _one("((loans.genre != 'crime') & loans.returned.astype(bool)).sum()"),
    ),
    Asked("trips", "average km per trip", _one("trips.km.mean()")),
    Asked("ecommerce", "How many items without discount are there?", _one("(order_items.discount == 0).sum()")),
    Asked("staff", "how many staff without a bonus", _one("(staff.bonus == 0).sum()")),
)
"""Once not answered: each row is a trip, no loan is without a genre, and where all are known nothing is 0."""

NOT_ANSWERED = (
    ("support", "How many tickets were opened in December 2025 and January 2026?"),
    ("support", "How many tickets were opened until 15 January 2026?"),
    ("support", "How many tickets were opened from 15 January 2026?"),
    ("support", "average resolution time of high and critical tickets"),
    ("support", "which agent has the fewest critical tickets?"),
    ("ecommerce", "How many items and orders are there?"),
    ("ecommerce", "average quantity per order"),
    ("ecommerce", "What percentage of orders were returned?"),
    ("ecommerce", "difference between average price of books and toys"),
    ("loans", "how many borrowers have not returned"),
    ("loans", "how many loans with a fine over $5"),
    ("parcels", "how many parcels with weight above 1,5"),
    ("parcels", "How many parcels had a temperature above 40 fahrenheit?"),
    ("parcels", "how many customers are there?"),
    ("parcels", "total weight per product"),
    ("parcels", "how many cities have more than 10 parcels"),
    ("parcels", "latest parcel"),
    ("staff", "how many staff in Australia?"),
    ("staff", "how many staff in it?"),
    ("staff", "how many staff without allergy?"),
    ("staff", "average salary of remote and not remote staff"),
    ("staff", "how many staff in 2022?"),
    ("staff", "how many staff with a share over 20 %?"),
    ("staff", "correlation between age and salary"),
)
"""Each word of them may be known, and what they ask may still be something else."""
