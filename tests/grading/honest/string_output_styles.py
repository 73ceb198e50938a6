# Prints in many ways.
# - {type: output, expected: "a-b\nsum: 3\n  padded\nend."}
# - {type: function_call, expected: padded}
# - {type: output, expected: "a-b sum: 3 padded end.", comparator: tokens}
import sys
print("a", "b", sep="-")
print("sum:", 1 + 2)
sys.stdout.write("  padded\n")
print("end", end=".")
print()
