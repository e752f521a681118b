"""Saved runs on screen: the list, a single run, and a comparison of several."""
