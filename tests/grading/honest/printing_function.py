# A function that prints its answer.
# - {type: function_call, function: greet, args: [Ada], expected: "Hello, Ada!"}
# - {type: function_call, function: greet, kwargs: {name: Bob}, expected: "Hello, Bob!"}
# - {type: function_call, function: greet, args: [Eve]}
def greet(name="you"):
    print(f"Hello, {name}!")
