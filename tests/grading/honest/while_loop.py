# Counts down.
# - {type: output, expected: "3\n2\n1\nliftoff"}
# - {type: variable_value, variable: count, expected: 0}
# - {type: function_call, expected: liftoff}
count = 3
while count:
    print(count)
    count -= 1
print("liftoff")
