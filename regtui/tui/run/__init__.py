"""A run on screen: its charts, numbers, sentence and controls, and the verdict at its end."""
