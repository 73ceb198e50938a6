"""Data: datasets, plans, the policy of SQL, and SQL and Python over data."""
