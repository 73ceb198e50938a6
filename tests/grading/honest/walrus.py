# Assigns inside an expression.
# - {type: variable_value, variable: size, expected: 5}
# - {type: variable_value, variable: message, expected: long}
if (size := len("hello")) > 3:
    message = "long"
