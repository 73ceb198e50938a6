"""x"""

PROGRAMS = ()
