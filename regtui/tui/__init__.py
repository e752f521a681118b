"""The screen. Only this package imports textual, and only its charts/chart.py imports plotext."""
