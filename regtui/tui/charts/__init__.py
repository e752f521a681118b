"""Charts: numbers and the user's choice of view in, rows of text out. Only chart.py knows plotext."""
