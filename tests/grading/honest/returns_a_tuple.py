# Returns several values at once.
# - {type: function_call, function: ends, args: [[3, 1, 2]], expected: [1, 3], expectedType: tuple}
# - {type: function_call, function: table, expected: {a: 1}}
# - {type: function_call, function: members, args: [abca], expected: [c, b, a], expectedType: set}
def ends(numbers): return min(numbers), max(numbers)
def table(): return dict(a=1)
def members(text): return set(text)
