"""Presets, which define runs: the strict model, reading files, and saving with comments."""
