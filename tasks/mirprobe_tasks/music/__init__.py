"""Generation of music: notes, metre, patterns, MIDI, sound fonts, rendering, mixing.

The data sets `studio` and `scores` and the pretraining corpus share these modules.
"""
