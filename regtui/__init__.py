"""Train a baseline and a regularized model as a matched pair, in the terminal, and see what the evidence supports."""

__version__ = "0.1.0"
PRESET_SCHEMA = 1
"""Version of the format of a preset's file."""
SCHEMA = 2
"""Version of the format in which runs are saved. A program reads runs of its own version and of earlier ones."""
