# Leaves a pool of threads to the end of the interpreter, and uses another in a function.
# - {type: variable_value, variable: squares, expected: [0, 1, 4, 9]}
# - {type: variable_value, variable: late, expected: [0, 1, 2]}
# - {type: function_call, function: total, args: [4], expected: 14}
import time
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
squares = list(pool.map(lambda n: n * n, range(4)))
late = []
slow = ThreadPoolExecutor(1)
for n in range(3):
    slow.submit(lambda n=n: (time.sleep(0.01), late.append(n)))
def total(n):
    with ThreadPoolExecutor(3) as workers:
        return sum(workers.map(lambda each: each * each, range(n)))
