# Reads what it is given.
# - {type: stdin, stdin: "3 4\n", expected_stdout: "7\n"}
# - {type: stdin, stdin: "-1 1\n", expected_stdout: "0", comparator: tokens}
a, b = map(int, input().split())
print(a + b)
