# Changes how deep calls may go, and calls deeply.
# - {type: function_call, function: deep, args: [5000], expected: 5000}
# - {type: variable_value, variable: nested, expected: [[[[[1]]]]]}
import sys
sys.setrecursionlimit(8000)
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
nested = [[[[[deep(1)]]]]]
