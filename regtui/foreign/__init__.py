"""Logs of other programs, read as series of values by epoch or step."""
