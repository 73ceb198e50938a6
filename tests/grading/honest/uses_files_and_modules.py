# Writes and reads a file, and imports modules of many sizes.
# - {type: variable_value, variable: words, expected: [be, not, or, to]}
# - {type: variable_value, variable: most, expected: [[be, 2]], expectedType: list}
import json
from collections import Counter
from pathlib import Path
Path("words.txt").write_text("to be or not to be")
words = sorted(set(Path("words.txt").read_text().split()))
most = json.loads(json.dumps(Counter(["be", "be", "or"]).most_common(1)))
