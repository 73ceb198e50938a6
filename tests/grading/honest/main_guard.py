# Does its work in a function, below the usual guard.
# - {type: output, expected: "7"}
# - {type: variable_value, variable: result, expected: 7}
# - {type: function_call, function: main, expected: "7"}
result = None
def main():
    global result
    result = 3 + 4
    print(result)
if __name__ == "__main__":
    main()
