# Assigns several variables at once.
# - {type: variable_value, variable: x, expected: 1}
# - {type: variable_value, variable: y, expected: 2}
# - {type: variable_value, variable: rest, expected: [3, 4]}
# - {type: variable_type, variable: point, expectedType: tuple}
# - {type: variable_value, variable: point, expected: [2, 1], expectedType: tuple}
x, y, *rest = 1, 2, 3, 4
point = (y, x)
