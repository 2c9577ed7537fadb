"""The ViT-1D model: architecture, front end and checkpoint format. Independent of the harness."""
