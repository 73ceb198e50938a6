"""What runs SQL and Python over data inside a cell, and what their values look like in JSON.

`docs/guide/data-encoding.md` is the same for readers.
"""
