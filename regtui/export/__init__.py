"""Saved runs in formats that other programs read; each file here writes one format."""
