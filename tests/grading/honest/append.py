# Builds a list by appending.
# - {type: list_length, variable: fruits, expected: 3}
# - {type: list_contains, variable: fruits, expected: cherry}
# - {type: variable_value, variable: fruits, expected: [apple, banana, cherry]}
fruits = ["apple", "banana"]
fruits.append("cherry")
print(fruits)
