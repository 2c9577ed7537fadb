"""Metrics as pure functions, one file for each family of tasks; each states its conventions."""
