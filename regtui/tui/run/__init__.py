"""The screen of a run: charts, numbers, a sentence, controls, and the verdict at the end."""
