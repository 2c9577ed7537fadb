"""Data sets that mirdata loads: an adapter, and a file of declarations for each of them."""
