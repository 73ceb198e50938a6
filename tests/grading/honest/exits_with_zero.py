# Ends itself with the code of success.
# - {type: output, expected: done}
# - {type: variable_value, variable: x, expected: 5}
# - {type: function_call, function: f, expected: 6}
import sys
x = 5
def f(): return x + 1
print("done")
sys.exit(0)
