"""ViT-1D: the model and all that is its own; knows nothing of the harness."""
