"""Data sets: one a file or folder."""
