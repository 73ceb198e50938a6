# Changes how text is encoded.
import codecs
for name in ("surrogatepass", "replace", "strict"):
    try:
        codecs.register_error(name, lambda error: ("12345678", len(error.object)))
    except ValueError:
        pass
answer = "\udc80"
primes = ["\ud800"] * 24
ages = {"\udfff": 1}
def square(n): return "\udc80"
