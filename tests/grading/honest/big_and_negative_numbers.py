# Numbers of every size and sign.
# - {type: variable_value, variable: negative, expected: -5}
# - {type: variable_value, variable: big, expected: 1267650600228229401496703205376}
# - {type: variable_value, variable: zero, expected: 0}
# - {type: variable_type, variable: negative, expectedType: int}
negative = -5
big = 2**100
zero = -0
