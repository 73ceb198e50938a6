# Names that came by import are variables too.
# - {type: variable_exists, variable: math}
# - {type: variable_exists, variable: root}
# - {type: variable_type, variable: math, expectedType: module}
# - {type: function_call, function: root, args: [16], expected: 4}
# - {type: function_call, function: math.hypot, args: [3, 4], expected: 5}
import math
from math import sqrt as root
