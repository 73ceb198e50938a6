# Builds a list, a dictionary and a set by comprehension.
# - {type: list_length, variable: squares, expected: 10}
# - {type: list_contains, variable: squares, expected: 81}
# - {type: variable_value, variable: lengths, expected: {one: 3, three: 5}}
# - {type: variable_type, variable: letters, expectedType: set}
# - {type: variable_value, variable: letters, expected: [e, h, n, o, r, t], expectedType: set}
squares = [number**2 for number in range(10)]
lengths = {word: len(word) for word in ("one", "three")}
letters = {letter for word in lengths for letter in word}
