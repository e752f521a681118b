"""Many runs: the plan, who makes the runs, and what they came to."""
