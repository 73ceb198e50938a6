# A table, whose plain values are compared.
# - {type: variable_value, variable: total, expected: 60}
# - {type: variable_value, variable: cities, expected: [Bern, Rome]}
# - {type: variable_exists, variable: frame}
# - {type: function_call, function: mean_of, args: [[1, 2, 3]], expected: 2}
import pandas as pd
frame = pd.DataFrame({"city": ["Bern", "Rome", "Bern"], "n": [10, 20, 30]})
total = int(frame.n.sum())
cities = sorted(frame.city.unique().tolist())
def mean_of(numbers): return float(pd.Series(numbers).mean())
