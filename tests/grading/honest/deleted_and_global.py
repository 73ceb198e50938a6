# Deletes variables, and makes some through globals().
# - {type: variable_value, variable: made, expected: 1}
# - {type: variable_value, variable: kept, expected: [2]}
# - {type: function_call, function: after, expected: fine}
globals()["made"] = 1
temporary, kept = 1, [1, 2]
del temporary, kept[0]
def after(): return "fine" if "temporary" not in globals() else "left"
