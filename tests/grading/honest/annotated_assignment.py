# Declares its variables with types.
# - {type: variable_exists, variable: age}
# - {type: variable_type, variable: age, expectedType: int}
# - {type: variable_value, variable: names, expected: [Ada, Bob]}
# - {type: variable_value, variable: ratio, expected: 0.5}
age: int = 36
names: list[str] = ["Ada", "Bob"]
ratio: float = 1 / 2
later: str
