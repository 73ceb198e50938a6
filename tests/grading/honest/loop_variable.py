# Leaves the variables of a loop behind.
# - {type: variable_exists, variable: index}
# - {type: variable_value, variable: index, expected: 2}
# - {type: variable_value, variable: letter, expected: c}
for index, letter in enumerate("abc"):
    pass
