"""Random statements of nested CTEs called a, b and c, most of whose tables are CTEs in scope."""

import random

Scope = tuple[str, ...]
NAMES = "abc"
PLACES = (
    "SELECT 1 AS x",
    "SELECT 1 AS x FROM {from_}",
    "SELECT (SELECT count(*) FROM {from_}) AS x",
    "SELECT 1 AS x FROM {from_}, LATERAL (SELECT 1 AS y FROM {name}) l",
    "SELECT 1 AS x WHERE EXISTS (FROM {from_}) ORDER BY (SELECT count(*) FROM {name})",
    "SELECT 1 AS x LIMIT (SELECT count(*) FROM {name})",
    "SELECT x FROM {name} QUALIFY row_number() OVER (ORDER BY (SELECT count(*) FROM {name})) = 1",
    "SELECT CASE WHEN 1 IN (SELECT x FROM {name}) THEN 1 END AS x",
)
SOURCES = (
    "{name}",
    "{name}",
    "({query}) s",
    "unnest((SELECT list(x) FROM {name})) u(x)",
    "(DESCRIBE (SELECT * FROM {name})) d",
    "(SUMMARIZE (SELECT * FROM {name})) d",
    "(PIVOT {name} ON x IN (1, 2) USING count(*)) p",
    "range((SELECT count(*) FROM {name})) r(x)",
    "(VALUES ((SELECT max(x) FROM {name}))) v(x)",
    "({name} JOIN (FROM {name}) j USING (x))",
)


def nested(chance: random.Random, depth: int, scope: Scope) -> str:
    """A query whose only column is x."""
    ctes = []
    recursive = chance.random() < 0.4
    if depth and (not scope or chance.random() < 0.5):
        for name in chance.sample(NAMES, chance.randint(1, 3)):
            ctes.append(_cte(chance, depth, scope, name, recursive=recursive))
            scope = (*scope, name)
    body = _select(chance, depth, scope)
    if chance.random() < 0.3:
        body = f"({body}) UNION {chance.choice(['ALL', ''])} ({_select(chance, depth, scope)})"
    return f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(ctes)} {body}" if ctes else body


def _cte(chance: random.Random, depth: int, scope: Scope, name: str, *, recursive: bool) -> str:
    if recursive and chance.random() < 0.5:
        return f"{name}(x) AS ({_select(chance, 0, scope)} UNION {_select(chance, 0, (*scope, name))})"
    return f"{name} AS ({nested(chance, depth - 1, scope)})"


def _select(chance: random.Random, depth: int, scope: Scope) -> str:
    def name() -> str:
        return chance.choice(scope) if scope and chance.random() < 0.95 else chance.choice(NAMES)

    pattern = chance.choice(PLACES) if scope or chance.random() < 0.1 else PLACES[0]
    source = chance.choice(SOURCES)
    query = nested(chance, depth - 1, scope) if depth and "{query}" in source else "SELECT 1 AS x"
    return pattern.format(from_=source.format(name=name(), query=query), name=name())
