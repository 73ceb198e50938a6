# Chooses by pattern.
# - {type: function_call, function: kind, args: [{shape: circle, r: 2}], expected: round 2}
# - {type: function_call, function: kind, args: [[1, 2]], expected: pair}
# - {type: function_call, function: kind, args: [null], expected: other}
def kind(thing):
    match thing:
        case {"shape": "circle", "r": r}:
            return f"round {r}"
        case [_, _]:
            return "pair"
        case _:
            return "other"
