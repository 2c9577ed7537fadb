"""Generated music: notes, metre, patterns, MIDI, sound fonts, rendering, mixing.

Shared by the data sets `studio` and `scores` and by the pretraining corpus.
"""
