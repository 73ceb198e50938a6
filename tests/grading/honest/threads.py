# Work done in threads that the program does not join itself.
# - {type: variable_value, variable: results, expected: [0, 1, 4, 9]}
# - {type: list_length, variable: results, expected: 4}
import threading, time
results = [None] * 4
def work(n):
    time.sleep(0.01)
    results[n] = n * n
for n in range(4):
    threading.Thread(target=work, args=(n,)).start()
