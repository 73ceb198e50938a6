"""The corpus: a text file per theme, and what cannot be written as text."""

from pathlib import Path

from tests.differential.corpus import odd
from tests.differential.program import read_theme

THEMES = sorted(Path(__file__).parent.glob("*.txt"))
PROGRAMS = (*(program for theme in THEMES for program in read_theme(theme)), *odd.PROGRAMS)
