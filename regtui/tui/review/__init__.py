"""Saved runs on screen: the list, one of them, several beside each other."""
