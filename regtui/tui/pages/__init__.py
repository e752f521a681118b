"""Pages above a run's screen: help, explanations, its preset, its weights, and other patiences."""
