# A function that returns.
# - {type: function_call, function: square, args: [12], expected: 144}
# - {type: function_call, function: square, args: [-3], expected: 9}
# - {type: function_call, function: square, kwargs: {n: 1.5}, expected: 2.25}
# - {type: variable_type, variable: square, expectedType: function}
def square(n):
    return n * n
