"""Data sets that mirdata loads: an adapter, and one file of declarations each."""
