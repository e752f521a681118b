"""The command line: a file a command. Only typer is imported at the top, so that help is there at once."""
