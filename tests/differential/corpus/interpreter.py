"""x"""
PROGRAMS = ()
