# Lists and dictionaries within each other.
# - {type: variable_value, variable: people, expected: [{name: Ada, tags: [a, b]}, {name: Bob, tags: []}]}
# - {type: list_contains, variable: people, expected: {name: Bob, tags: []}}
# - {type: list_contains, variable: grid, expected: [0, 1]}
# - {type: list_length, variable: grid, expected: 2}
people = [{"name": "Ada", "tags": ["a", "b"]}]
people.append({"tags": [], "name": "Bob"})
grid = [[row, column + 1] for row, column in zip(range(2), range(2))]
