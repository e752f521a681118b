"""Runs on disk: written so that they never lie, listed, filtered, compared and followed."""
