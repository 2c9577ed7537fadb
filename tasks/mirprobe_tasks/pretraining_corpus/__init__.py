"""The data that ViT-1D is pretrained on: recordings by package name, and tunes played by bands.

`python -m mirprobe_tasks.pretraining_corpus all` makes a bank from nothing: it fetches Debian's
packages of game music and sound fonts (`debian`, `soundfonts`), extracts the tunes of music21's
corpus (`corpus`, `tunes`), has many bands play them (`leadsheet`, `harmonise`, `bands`, `arrange`,
`render`) and checks that nothing the benchmark tests on is in the bank (`exclusions`, `recipe`).
"""
