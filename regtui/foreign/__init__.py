"""Logs of other programs, read as series of values, and what they say of a baseline and of what is compared with it."""
