# Coroutines, run to their end.
# - {type: variable_value, variable: answers, expected: [1, 2]}
# - {type: function_call, function: run, args: [3], expected: [3, 6]}
import asyncio
async def twice(n):
    await asyncio.sleep(0)
    return [n, 2 * n]
def run(n): return asyncio.run(twice(n))
answers = run(1)
