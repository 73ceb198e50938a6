"""Holdfast runs code that nobody trusts: fast, contained, accounted for."""

__version__ = "0.1.0"
