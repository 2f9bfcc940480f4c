# `make demo` and `make test` set up everything they need in .venv.

PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.PHONY: demo test check fix golden bench lock clean
.DELETE_ON_ERROR:

# Everything, at the versions that were tested together.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable ".[probe]"
	touch $@

demo: .venv/installed
	$(BIN)/synthtext render --words en --count 2000 --seed 0 --out $(DEMO)/words
	$(BIN)/synthtext preview $(DEMO)/words --sheet $(DEMO)/sheet.png
	$(BIN)/synthtext verify $(DEMO)/words
	$(BIN)/synthtext probe --model probes/tiny.json --pretrained random --n 40 \
		--k 2,10,100,1000 --out $(DEMO)/probe
	@echo "look at $(DEMO)/sheet.png and $(DEMO)/probe/report.html; the shards are in $(DEMO)/words"

test: check

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check README.md
	$(BIN)/pytest

fix: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/cog -r README.md

golden: .venv/installed
	$(BIN)/python tests/golden/rewrite.py

bench: .venv/installed
	$(BIN)/python benchmarks/drawing.py

# Write the tested versions anew.
lock: .venv/installed
	echo "# The versions that were tested together; \`make lock\` writes them anew." > $@.part
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools >> $@.part
	mv $@.part constraints.txt

clean:
	rm -rf .venv $(DEMO)
