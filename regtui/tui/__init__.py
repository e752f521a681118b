"""The screen. The only room that imports textual; its chart.py is the only file that imports plotext."""
