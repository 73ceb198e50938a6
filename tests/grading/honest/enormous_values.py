# Holds values that leave no room for a copy of them.
# - {type: list_length, variable: many, expected: 12000000}
# - {type: variable_type, variable: table, expectedType: dict}
# - {type: variable_value, variable: total, expected: 1000000}
# - {type: function_call, function: size, expected: 12000000}
many = [None] * 12_000_000
table = dict.fromkeys(range(1_000_000))
total = len(table)
def size(): return len(many)
