# `make demo` and `make test` set up everything they need in .venv.

PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

# Where and for how long the bundled reader is trained anew: `make reader STEPS=100 COUNT=5000`.
READER := reader
STEPS := 9000
COUNT := 300000

PEERS := peers

.PHONY: demo test check lowest fix golden bench peers recogniser docs observatory memory faults interop reader lock clean
.DELETE_ON_ERROR:

# The program alone, at the versions that were tested together. Where there is no GPU, a build of
# torch for the CPU is far smaller; PIP_EXTRA_INDEX_URL takes the index that PyTorch has for it.
.venv/program: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[probe]"
	touch $@

# What tests, checks and documentation need besides.
.venv/installed: .venv/program
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable ".[probe,ocr]"
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt rapidocr-onnxruntime
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/webdataset-0.2 "webdataset==0.2.86"
	touch $@

demo: .venv/program
	$(BIN)/synthtext render --words en --count 2000 --seed 0 --out $(DEMO)/words
	$(BIN)/synthtext preview $(DEMO)/words --sheet $(DEMO)/sheet.png
	$(BIN)/synthtext verify $(DEMO)/words
	$(BIN)/synthtext probe --model bundled --n 25 --budget 2650 --k 2,10,100,1000 --out $(DEMO)/probe
	@echo "look at $(DEMO)/sheet.png and $(DEMO)/probe/report.html; the shards are in $(DEMO)/words"

test: check

check: .venv/installed docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check README.md docs/commands.md docs/factors.md
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --maxprocesses 4 --dist worksteal

fix: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/cog -r README.md docs/commands.md docs/factors.md

# The tests at the oldest versions that pyproject.toml allows of what it names, some GB with torch;
# all but those that start a cluster or a server of S3, which only the group `dev` installs.
.venv-lowest/installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest --resolution lowest-direct \
		--group test --editable ".[probe,export,remote]"
	touch $@

# Old packages use what newer ones beside them advise against, so a warning is not an error here.
lowest: .venv-lowest/installed
	OMP_NUM_THREADS=1 .venv-lowest/bin/python -m pytest -o filterwarnings=default \
		--ignore tests/faults --ignore tests/interop -k "not a_server_of_s3 and not a_cluster_that" tests

golden: .venv/installed
	$(BIN)/python tests/golden/rewrite.py

bench: .venv/program
	$(BIN)/python benchmarks/drawing.py

# The peers, each in an environment of its own.
$(PEERS)/installed: | .venv/installed
	$(PYTHON) -m venv $(PEERS)/trdg
	$(PEERS)/trdg/bin/pip install --quiet trdg==1.8.0 "pillow<10" "numpy<2"
	$(PYTHON) -m venv $(PEERS)/synthtiger
	$(PEERS)/synthtiger/bin/pip install --quiet synthtiger==1.2.1 "pillow<10" "numpy<2"
	git clone --quiet --depth 1 --branch 1.2.1 https://github.com/clovaai/synthtiger $(PEERS)/synthtiger-source
	touch $@

peers: $(PEERS)/installed
	$(BIN)/python benchmarks/peers.py $(PEERS)

# Whose words train a recogniser best, hours on two cores; REAL="name=DIR ..." adds real images.
recogniser: $(PEERS)/installed
	$(BIN)/python benchmarks/recogniser.py $(PEERS) $(PEERS)/words $(if $(REAL),--real $(REAL))

# Who reads what, of the readers that are here: FONTS=DIR adds typefaces, KLI=FILE another index.
observatory: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/observatory.py observatory \
		$(if $(FONTS),--fonts $(FONTS)) $(if $(KLI),--kli $(KLI))

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

memory: .venv/installed
	$(BIN)/python benchmarks/memory.py

# Everything that can go wrong, at full size: an hour. `make test` tries a little of each.
faults: .venv/installed
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/atheris \
		--group fuzz
	FAULTS=full FAULTS_REPORT=faults.md $(BIN)/pytest -p no:randomly --timeout 0 tests/faults

# Other tools on what is written here, a line for each. All but PaddleOCR share our torch.
interop: .venv/installed
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/numpy-2.2 "numpy<2.3"
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/clip-benchmark \
		clip-benchmark pycocoevalcap sentencepiece
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/doctr \
		python-doctr anyascii h5py shapely pyclipper rapidfuzz langdetect defusedxml validators pypdfium2
	$(PYTHON) -m venv .venv/interop/paddleocr
	.venv/interop/paddleocr/bin/pip install --quiet paddlepaddle "paddleocr==2.10.0"
	$(BIN)/pytest -p no:randomly -vv tests/interop tests/synthtext/export tests/synthtext/test_interface.py

# Train the bundled reader anew, in READER/run/model, from random weights. Two processes of one
# thread each are faster than one of two; words hardly ever repeat in a batch, so no mask.
reader: .venv/installed
	$(BIN)/synthtext render --words en --recipe probes/models/bundled/recipe.toml --count $(COUNT) \
		--seed 1 --out $(READER)/data --workers 2
	OMP_NUM_THREADS=1 $(BIN)/torchrun --nproc-per-node 2 -m synthtext_cli finetune --model bundled \
		--arm scratch --data $(READER)/data --steps $(STEPS) --batch-size 128 --lr 1.5e-3 \
		--letters 1 --no-mask --precision bf16 --save-every 250 \
		--exclude font_category=blackletter \
		--exclude "font_family=Nunito,Gelasio,Rokkitt,Share Tech Mono,Indie Flower,Fjalla One,Righteous,Parisienne" \
		--out $(READER)/run

# Write the tested versions anew.
lock: .venv/installed
	echo "# The versions that were tested together; \`make lock\` writes them anew." > $@.part
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools >> $@.part
	mv $@.part constraints.txt

clean:
	rm -rf .venv .venv-lowest site $(DEMO) $(READER) $(PEERS) observatory faults.md
