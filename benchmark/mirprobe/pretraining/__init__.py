"""Training of ViT-1D: the bank of frames, pairs, objectives, the loop."""
