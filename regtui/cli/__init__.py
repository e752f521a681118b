"""The command line, one file for each command. Only typer is imported at the top, so that --help is fast."""
