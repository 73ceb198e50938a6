"""Who is meant by people, and by who: the rows of a table of persons, or a column that names them."""

from holdfast.agents.simple.words import words_of_name

PERSONS = frozenset({
    "person", "people", "member", "employee", "customer", "client", "guest", "borrower", "agent", "trainer", "mechanic",
    "lead", "leader", "driver", "patient", "doctor", "student", "teacher", "author", "owner", "seller", "buyer", "rep",
    "manager", "technician", "worker", "instructor", "coach", "waiter", "player", "volunteer", "donor", "tenant",
    "user", "passenger", "photographer", "cleaner", "nurse", "vet", "staff", "courier", "chef", "cook", "salesperson",
    "tutor", "engineer", "candidate", "applicant", "visitor", "reader", "subscriber", "participant", "runner",
    "supervisor", "operator", "rider", "cashier", "barber", "stylist", "therapist", "farmer", "gardener", "child",
    "pupil", "colleague", "picker", "contractor", "attendee", "host", "sitter", "walker", "assignee",
})  # fmt: skip
NOBODY_ELSE = frozenset({"person", "people", "individual", "folk"})
"""What anybody may be called."""


def is_of_persons(name: str) -> bool:
    """Whether a table of that name has a person in each row."""
    words = words_of_name(name)
    return bool(words) and words[-1] in PERSONS


def names_persons(column: str) -> bool:
    """Whether the values of a column are persons: `customer`, `agent_id`, `team_lead`, `driver_name`."""
    words = words_of_name(column)
    while len(words) > 1 and words[-1] in ("id", "name", "no", "number", "code"):
        words = words[:-1]
    return bool(words) and words[-1] in PERSONS
