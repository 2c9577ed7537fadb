"""mirprobe scores music encoders: cached embeddings, small probes, the field's metrics."""
