"""Tracks to cached embeddings, on this machine or on a Ray cluster."""
