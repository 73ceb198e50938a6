# Uses the names of built-ins for its own variables, as beginners do.
# - {type: variable_value, variable: list, expected: [1, 2]}
# - {type: variable_value, variable: sum, expected: 3}
# - {type: variable_value, variable: type, expected: fruit}
# - {type: function_call, function: print_all, args: [[1]], expected: 1}
list = [1, 2]
sum = 0
for number in list:
    sum += number
type, str, len, dict, id, input = "fruit", "text", 2, {}, 7, None
def print_all(items):
    for item in items: print(item)
