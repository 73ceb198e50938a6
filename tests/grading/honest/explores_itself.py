# Looks at its own file, arguments and module, as any main.py may.
# - {type: variable_value, variable: own_name, expected: __main__}
# - {type: variable_value, variable: file_name, expected: main.py}
# - {type: variable_value, variable: arguments, expected: [main.py]}
# - {type: variable_value, variable: mentions, expected: true}
# - {type: variable_value, variable: is_main, expected: true}
# - {type: variable_value, variable: beside, expected: [main.py]}
import os, sys, inspect
own_name, file_name, arguments = __name__, os.path.basename(__file__), sys.argv
mentions = "mentions =" in open(__file__).read()
def here(): return 1
mentions = mentions and "return 1" in inspect.getsource(here)
is_main = sys.modules["__main__"].__dict__ is globals()
beside = os.listdir()
