# Each target makes the virtual environment itself where it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: run test check bench stress pretrain

run: $(VENV)/.ready
	$(BIN)/mirprobe run

test: $(VENV)/.ready
	$(BIN)/python -m pytest

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Needs a network, Debian and a GPU for a run of full length; goes on where it was killed.
# HOURS of renderings beside the recordings, in the bank BANK; STEPS of training into OUTPUT by the
# options FIT; what is fetched lies in WORK. The commands of the weights that ship, a shorter training,
# stand in their model card. An unknown or unreachable package ends it before the training.
HOURS ?= 100
STEPS ?= 100000
FIT ?= --config vit1d-rope --lr 2e-4 --max-gap inf --same-group 0.67 --variants 4
WORK ?= pretraining-data
BANK ?= pretraining-data/bank
OUTPUT ?= pretraining-data/run

pretrain: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --editable ".[dev,pretrain]"
	$(BIN)/python -m mirprobe_tasks.pretraining_corpus all --work $(WORK) --bank $(BANK) --hours $(HOURS)
	$(BIN)/mirprobe pretrain fit $(BANK) -o $(OUTPUT) --steps $(STEPS) $(FIT)
	$(BIN)/mirprobe pretrain export $(OUTPUT)/best.safetensors -o $(OUTPUT)/vit1d.safetensors

bench: $(VENV)/.ready
	$(BIN)/python tests/bench/encoding.py
	$(BIN)/python tests/bench/training.py

# Some 15 minutes: kills, damaged files, full disks. Mounting a full disk needs root; it says so.
stress: $(VENV)/.ready
	PYTHONPATH=tests $(BIN)/python tests/stress/stress.py

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps musicnn basic-pitch  # they ask for TensorFlow
	touch $@
