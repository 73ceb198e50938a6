# Text of many kinds.
# - {type: variable_value, variable: greeting, expected: "Hello, Ada! 👋"}
# - {type: variable_value, variable: lines, expected: "one\ntwo\n"}
# - {type: variable_value, variable: shout, expected: "STRASSE"}
# - {type: variable_type, variable: formatted, expectedType: str}
# - {type: variable_value, variable: formatted, expected: "3.14|007"}
name = 'Ada'
greeting = f"Hello, {name}! \N{WAVING HAND SIGN}"
lines = """one
two
"""
shout = "straße".upper()
formatted = "%.2f|%03d" % (3.14159, 7)
