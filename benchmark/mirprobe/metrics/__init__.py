"""Metrics as pure functions, one file per task family; each file states its conventions."""
