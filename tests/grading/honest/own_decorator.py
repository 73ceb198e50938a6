# A function behind a decorator of its own.
# - {type: function_call, function: add, args: [2, 3], expected: 10}
# - {type: variable_value, variable: calls, expected: 1}
import functools
calls = 0
def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        global calls
        calls += 1
        return 2 * function(*args, **kwargs)
    return wrapper
@doubled
def add(a, b): return a + b
add(1, 1)
