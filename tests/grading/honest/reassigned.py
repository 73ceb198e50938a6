# The last assignment counts.
# - {type: variable_value, variable: x, expected: done}
# - {type: variable_type, variable: x, expectedType: str}
# - {type: variable_type, variable: max_x, expectedType: int}
max_x = 10
x = 5
x = [x]
x = "done"
