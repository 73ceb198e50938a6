# Fractions that binary cannot hold.
# - {type: variable_value, variable: total, expected: 0.3}
# - {type: variable_value, variable: average, expected: 2}
# - {type: variable_type, variable: average, expectedType: float}
# - {type: variable_value, variable: roots, expected: [1.4142, 1.7321], tolerance: 0.0001}
# - {type: function_call, function: celsius, args: [100], expected: 37.77777777777778}
total = 0.1 + 0.2
average = (1 + 2 + 3) / 3
roots = [2**0.5, 3**0.5]
def celsius(fahrenheit): return (fahrenheit - 32) * 5 / 9
