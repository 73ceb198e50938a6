# Functions without names of their own.
# - {type: function_call, function: double, args: [21], expected: 42}
# - {type: function_call, function: ordered, args: [[3, 1, 2]], expected: [1, 2, 3]}
double = lambda number: number * 2
ordered = sorted
