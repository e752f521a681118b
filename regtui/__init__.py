"""Train a baseline and a regularized model as a matched pair, in the terminal, and see what the evidence supports."""

__version__ = "0.1.0"
SCHEMA = 1
"""Of what a run leaves on disk; a run of a higher one is left to a newer version."""
