# A function that prints every number there is.
def square(n):
    for number in range(20_000): print(number)
def shout(text):
    print(text, text.upper() + "?", "HELLO! ", "144", sep="\n")
