# Each call starts from where the program ended, not from where another call did.
# - {type: function_call, function: count, expected: 3}
# - {type: function_call, function: count, expected: 3}
# - {type: function_call, function: push, args: [9], expected: [1, 2, 9]}
# - {type: function_call, function: push, args: [8], expected: [1, 2, 8]}
# - {type: variable_value, variable: stack, expected: [1, 2]}
def counter():
    value = 0
    def count():
        nonlocal value
        value += 1
        return value
    return count
count = counter()
count(), count()
stack = [1, 2]
def push(item):
    stack.append(item)
    return stack
