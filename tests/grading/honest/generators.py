# Generators, and lists made of them.
# - {type: function_call, function: take, args: [5], expected: [0, 1, 1, 2, 3]}
# - {type: variable_type, variable: numbers, expectedType: generator}
# - {type: variable_value, variable: first, expected: [0, 1, 1]}
import itertools
def fibonacci():
    a, b = 0, 1
    while True:
        yield a
        a, b = b, a + b
def take(n): return list(itertools.islice(fibonacci(), n))
numbers = fibonacci()
first = [next(numbers) for _ in range(3)]
