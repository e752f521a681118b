"""The first screen: choose a preset, edit its settings, start it."""
