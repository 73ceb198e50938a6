# A list over many lines, with comments in it.
# - {type: list_length, variable: planets, expected: 4}
# - {type: list_contains, variable: planets, expected: "Earth, home"}
planets = [
    "Mercury",  # hot
    "Venus",
    "Earth, home",
    # "Pluto",
    'Mars',
]
