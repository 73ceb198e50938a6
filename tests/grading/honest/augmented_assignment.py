# Changes variables in place.
# - {type: variable_value, variable: total, expected: 55}
# - {type: variable_value, variable: text, expected: ababab}
# - {type: variable_value, variable: items, expected: [1, 2, 3]}
# - {type: variable_value, variable: flags, expected: 6}
total = 0
for number in range(11):
    total += number
text = "ab"
text *= 3
items = [1]
items += [2, 3]
flags = 7
flags &= ~1
