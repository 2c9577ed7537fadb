"""Trained models whose weights are part of a pip package: they download nothing at run time."""
