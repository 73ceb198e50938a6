"""Say hello: holdfast run examples/hello.py"""

import platform

print(f"Hello from Python {platform.python_version()} inside a sandbox")
