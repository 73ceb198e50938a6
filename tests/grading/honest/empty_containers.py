# Nothing in them.
# - {type: list_length, variable: nothing, expected: 0}
# - {type: variable_value, variable: nothing, expected: []}
# - {type: variable_value, variable: mapping, expected: {}}
# - {type: variable_value, variable: text, expected: ""}
nothing, mapping, text = [], {}, ""
