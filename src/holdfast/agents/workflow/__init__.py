"""Workflows: scripted tasks, in a subset of GitHub Actions and as plain lists of steps."""
