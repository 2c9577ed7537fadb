"""Probes on cached embeddings: batches, training, selection, one cell."""
