"""Charts: turn numbers and the user's choice of view into rows of text. Only chart.py uses plotext."""
