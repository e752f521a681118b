"""Train a baseline and a regularized model as a matched pair, in the terminal, and see what the evidence supports."""

__version__ = "0.1.0"
