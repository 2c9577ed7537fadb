"""Decoders from frame-wise predictions to events and segments; NumPy only, no training."""
