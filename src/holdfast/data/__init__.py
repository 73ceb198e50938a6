"""Data: datasets, plans, the policy of SQL, and SQL and Python over data. Data are parsed in sandboxes alone."""
