"""Questions about datasets: plans, SQL and the policy that says which SQL is a pure read."""
