# A decorated function.
# - {type: function_call, function: fibonacci, args: [80], expected: 23416728348467685}
from functools import lru_cache
@lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
