"""Watching and steering a run from other processes of this machine: what they say to each other, where, and how."""
