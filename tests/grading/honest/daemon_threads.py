# Has a thread that is still at work when the program ends.
# - {type: variable_value, variable: done, expected: true}
# - {type: variable_type, variable: seen, expectedType: dict}
# - {type: function_call, function: answer, expected: 42}
import threading, time
seen = {}
def work():
    while True:
        seen[len(seen) % 50] = time.monotonic()
        if len(seen) == 50: seen.clear()
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
done = True
def answer(): return 42
