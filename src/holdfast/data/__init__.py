"""Data runs: datasets, and what asks them. Nothing here parses data; that is done in sandboxes."""
