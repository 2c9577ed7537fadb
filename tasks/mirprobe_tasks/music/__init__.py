"""Notes, metre, patterns, MIDI and mixing, for generated data sets and pretraining."""
