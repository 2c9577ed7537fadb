"""What emerges in a ViT-1D that nothing trained it for: onsets, similarities, useful tokens."""
