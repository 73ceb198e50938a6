# Truth and nothing, which are not numbers.
# - {type: variable_value, variable: ready, expected: true}
# - {type: variable_value, variable: done, expected: false}
# - {type: variable_value, variable: nothing, expected: null}
# - {type: variable_type, variable: ready, expectedType: bool}
# - {type: variable_type, variable: nothing, expectedType: NoneType}
# - {type: list_contains, variable: mixed, expected: null}
# - {type: list_contains, variable: mixed, expected: true}
ready = 3 > 2
done = not ready
nothing = None
mixed = [1, None, True]
