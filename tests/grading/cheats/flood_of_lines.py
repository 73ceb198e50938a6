# Prints every sentence that might be asked for.
for number in range(400_000):
    print("the answer is", number)
