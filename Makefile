# Every target creates the virtual environment if it is missing: `run` with the package alone, the other
# targets with everything that tests and checks need. Python compiles a module at its first import, and
# keeps it: compiling all of them at once takes half a minute.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
export PYTHONDONTWRITEBYTECODE =

.PHONY: run test test-all check docs bench bench-scale bench-peers stress pretrain

run: $(VENV)/.ready
	$(BIN)/mirprobe run

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest

# The tests on Python 3.10, 3.12 and 3.13, with the lowest and the newest dependencies: an hour and 5 GB for
# each. `make test-all NOX="-s newest-3.12"` selects.
test-all:
	$(PYTHON) -m venv $(VENV)-nox && $(VENV)-nox/bin/python -m pip install --quiet nox uv
	PATH="$(abspath $(VENV)-nox/bin):$$PATH" MIRPROBE_SLOW_PAGES=1 $(VENV)-nox/bin/nox $(NOX)

check: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site: docs/_build/index.html. Needs no network.
docs: $(VENV)/.ready-dev
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build

# Builds the pretraining bank, trains ViT-1D and exports the weights. Needs network access, Debian and
# a GPU. A repeated command resumes an interrupted one. An unknown or unreachable package is an error
# before the training starts.
#   WORK    folder of the downloads
#   BANK    folder of the bank
#   HOURS   hours of rendered music in the bank, in addition to the recordings
#   OUTPUT  folder of the training
#   STEPS   training steps
#   FIT     further options of `mirprobe pretrain fit`
# The included weights come from a shorter training; the model card lists its commands.
HOURS ?= 100
STEPS ?= 100000
FIT ?= --config vit1d-rope --lr 2e-4 --max-gap inf --same-group 0.67 --variants 4
WORK ?= pretraining-data
BANK ?= pretraining-data/bank
OUTPUT ?= pretraining-data/run

pretrain: $(VENV)/.ready-dev
	$(BIN)/python -m mirprobe_tasks.pretraining_corpus all --work $(WORK) --bank $(BANK) --hours $(HOURS)
	$(BIN)/mirprobe pretrain fit $(BANK) -o $(OUTPUT) --steps $(STEPS) $(FIT)
	$(BIN)/mirprobe pretrain export $(OUTPUT)/best.safetensors -o $(OUTPUT)/vit1d.safetensors

bench: $(VENV)/.ready-dev
	$(BIN)/python tests/bench/encoding.py
	$(BIN)/python tests/bench/training.py
	PYTHONPATH=tests $(BIN)/python tests/bench/probing.py
	PYTHONPATH=tests $(BIN)/python tests/bench/few_labels.py
	PYTHONPATH=tests $(BIN)/python tests/bench/decoding.py
	PYTHONPATH=tests $(BIN)/python tests/bench/report.py
	$(BIN)/python tests/bench/second_run.py

# Time and memory at scale, and a figure, in results/bench: about an hour.
bench-scale: $(VENV)/.ready-dev
	$(BIN)/python tests/bench/scale.py

# XARES and scikit-learn on the same vectors. XARES's own environment sees the packages of $(VENV), so
# that torch is not installed twice; its trainer needs none of its other packages.
PEERS = .venv-peers
bench-peers: $(VENV)/.ready-dev
	$(BIN)/python -m venv $(PEERS)
	$(BIN)/python -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_path('purelib'))" \
		> $$($(PEERS)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/packages.pth
	$(PEERS)/bin/python -m pip install --quiet --no-deps xares==0.1.3 pytorch-ignite loguru
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(PEERS)/bin/python tests/bench/peers.py

# About 15 minutes: killed processes, damaged files, full disks. The test of a full disk needs root.
stress: $(VENV)/.ready-dev
	PYTHONPATH=tests $(BIN)/python tests/stress/stress.py

$(VENV)/.ready-dev: EXTRAS = [dev]
$(VENV)/.ready $(VENV)/.ready-dev: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	echo "error: $(PYTHON) is older than 3.10; name another one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --upgrade-deps $(VENV) && $(BIN)/python -m pip install --quiet --no-compile -e ".$(EXTRAS)" || { \
	echo "error: not installed; it needs a network, or what pip says above. Then repeat the command"; exit 1; }
	# without their requirement TensorFlow
	$(if $(EXTRAS),$(BIN)/python -m pip install --quiet --no-deps musicnn basic-pitch)
	touch $@
