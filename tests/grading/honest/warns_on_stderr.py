# Writes to stderr, which is no failure.
# - {type: variable_value, variable: x, expected: 1}
# - {type: output, expected: ""}
import sys, warnings
x = 1
warnings.warn("careful")
print("debugging", file=sys.stderr)
