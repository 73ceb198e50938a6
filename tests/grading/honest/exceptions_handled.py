# Handles what goes wrong.
# - {type: output, expected: cannot divide}
# - {type: variable_value, variable: result, expected: null}
# - {type: function_call, function: divide, args: [1, 0], expected: cannot divide}
# - {type: function_call, function: divide, args: [8, 2], expected: 4}
def divide(a, b):
    try:
        return a / b
    except ZeroDivisionError:
        print("cannot divide")
    finally:
        pass
result = divide(1, 0)
