"""Pages over a run: help, explanations, its preset, its weights, what another patience would have brought."""
