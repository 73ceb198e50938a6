# A function that calls itself.
# - {type: function_call, function: factorial, args: [20], expected: 2432902008176640000}
# - {type: function_call, function: fibonacci, args: [15], expected: 610}
# - {type: function_call, function: deep, args: [800], expected: 800}
def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
