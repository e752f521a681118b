"""Conducts a run, without torch: log, processes, commands, epochs, summary."""
