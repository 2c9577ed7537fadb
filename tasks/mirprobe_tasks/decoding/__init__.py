"""Decoders of frame-wise predictions into events and segments; without trained parameters."""
