"""The pretraining corpus of ViT-1D: recordings from Debian packages, and rendered tunes.

`python -m mirprobe_tasks.pretraining_corpus all` builds a bank: it downloads Debian packages of
game music and sound fonts (`debian`), extracts the tunes of music21's corpus (`extract_tunes`,
`tunes`), renders them with many bands (`leadsheet`, `harmonise`, `bands`, `arrange`, `render`) and
checks that no music of the benchmark's tests is in the bank (`exclusions`). `recipe` has the steps
in order.
"""
