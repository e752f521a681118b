"""The commands and their options, which typer reads; what they do is in the modules beside this folder."""
