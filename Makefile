# `make demo` and `make test` set up everything they need in .venv.

PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

# The folder and the length of a training of the bundled reader: `make reader STEPS=100 COUNT=5000`.
READER := reader
STEPS := 9000
COUNT := 300000

PEERS := peers

.PHONY: demo test check lowest fix golden bench peers recogniser worlds docs coverage observatory memory faults interop reader lock clean
.DELETE_ON_ERROR:

# The program without test dependencies, at the versions that were tested together. Without a GPU,
# a CPU build of torch is far smaller; set PIP_EXTRA_INDEX_URL to PyTorch's index for it.
.venv/program: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[probe]"
	touch $@

# What tests, checks and documentation need in addition.
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
	$(BIN)/cog --check README.md docs/*.md
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --maxprocesses 4 --dist worksteal

fix: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/cog -r README.md docs/*.md
	$(BIN)/python -m synthtext.dataset.schemas docs/schemas

# The tests at the oldest versions that pyproject.toml allows, some GB with torch, except those
# that start a cluster or an S3 server, which only the group `dev` installs.
.venv-lowest/installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest --resolution lowest-direct \
		--group test --editable ".[probe,export,remote]"
	touch $@

# Old packages use features that newer ones deprecate, so warnings are not errors here.
lowest: .venv-lowest/installed
	OMP_NUM_THREADS=1 .venv-lowest/bin/python -m pytest -o filterwarnings=default \
		--ignore tests/faults --ignore tests/interop -k "not a_server_of_s3 and not a_cluster_that" tests

golden: .venv/installed
	$(BIN)/python tests/golden/rewrite.py

bench: .venv/program
	$(BIN)/python benchmarks/drawing.py

# The other renderers, each in its own environment.
$(PEERS)/installed: | .venv/installed
	$(PYTHON) -m venv $(PEERS)/trdg
	$(PEERS)/trdg/bin/pip install --quiet trdg==1.8.0 "pillow<10" "numpy<2"
	$(PYTHON) -m venv $(PEERS)/synthtiger
	$(PEERS)/synthtiger/bin/pip install --quiet synthtiger==1.2.1 "pillow<10" "numpy<2"
	$(PYTHON) -m venv $(PEERS)/neots
	$(PEERS)/neots/bin/pip install --quiet neots==0.3.4
	$(PYTHON) -m venv $(PEERS)/doctr
	$(PEERS)/doctr/bin/pip install --quiet docTR-Synth-Generator==0.4.1
	git clone --quiet --depth 1 https://github.com/felixdittrich92/docTR-Synth-Generator \
		$(PEERS)/doctr-source
	git clone --quiet --depth 1 --branch 1.2.1 https://github.com/clovaai/synthtiger $(PEERS)/synthtiger-source
	touch $@

peers: $(PEERS)/installed
	$(BIN)/python benchmarks/peers.py $(PEERS)

# Recognisers trained on the images of each generator, hours on two cores; REAL="NAME=DIR ..." adds
# real images.
recogniser: $(PEERS)/installed
	$(BIN)/python benchmarks/recogniser.py $(PEERS) $(PEERS)/words $(if $(REAL),--real $(REAL))

# Recipes fitted to the crops of each generator, and recognisers trained with them.
worlds: $(PEERS)/installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/worlds.py $(PEERS) $(PEERS)/worlds

# Three readers compared on one scale: FONTS=DIR adds typefaces, KLI=FILE another index.
observatory: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/observatory.py observatory \
		$(if $(FONTS),--fonts $(FONTS)) $(if $(KLI),--kli $(KLI))

# How often intervals contain the truth: for simulated readers, and for real ones measured densely,
# which takes half an hour the first time.
coverage: $(addprefix coverage/,$(addsuffix /outcomes.parquet,bundled tesseract ppocr))
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/coverage.py --real $^

coverage/bundled/outcomes.parquet: DENSE = --n 300
coverage/tesseract/outcomes.parquet: DENSE = --n 300 --model ocr:tesseract
coverage/ppocr/outcomes.parquet: DENSE = --n 40 --model ocr:rapidocr --between 1 --design size,blur

coverage/%/outcomes.parquet: | .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/dense.py $(@D) $(DENSE)

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

memory: .venv/installed
	$(BIN)/python benchmarks/memory.py

# Fault injection and fuzzing at full size: one to two hours. `make test` runs a small part of it.
faults: .venv/installed
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/atheris \
		--group fuzz
	FAULTS=full FAULTS_REPORT=faults.md $(BIN)/pytest -p no:randomly --timeout 0 tests/faults

# Other tools on synthtext's output, one line for each. All but PaddleOCR share our torch.
interop: .venv/installed
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/numpy-2.2 "numpy<2.3"
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/clip-benchmark \
		clip-benchmark pycocoevalcap sentencepiece
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/doctr \
		python-doctr anyascii h5py shapely pyclipper rapidfuzz langdetect defusedxml validators pypdfium2
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/ocrd ocrd lxml
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target .venv/interop/lmms-eval \
		lmms-eval evaluate loguru lxml nltk pytablewriter pytz sacrebleu sqlitedict tenacity \
		DataProperty mbstrdecoder pathvalidate portalocker tabledata tabulate tcolorpy typepy
	$(PYTHON) -m venv .venv/interop/paddleocr
	.venv/interop/paddleocr/bin/pip install --quiet paddlepaddle "paddleocr==2.10.0"
	$(BIN)/pytest -p no:randomly -vv tests/interop tests/synthtext/export tests/synthtext/test_interface.py

# Train the bundled reader from random weights, in READER/run/model. Two processes with one thread
# each are faster than one with two; words hardly ever repeat in a batch, so there is no mask.
reader: .venv/installed
	$(BIN)/synthtext render --words en --recipe probes/models/bundled/recipe.toml --count $(COUNT) \
		--seed 1 --out $(READER)/data --workers 2
	OMP_NUM_THREADS=1 $(BIN)/torchrun --nproc-per-node 2 -m synthtext_cli finetune --model bundled \
		--arm scratch --data $(READER)/data --steps $(STEPS) --batch-size 128 --lr 1.5e-3 \
		--letters 1 --no-mask --precision bf16 --save-every 250 \
		--exclude font_category=blackletter \
		--exclude "font_family=Nunito,Gelasio,Rokkitt,Share Tech Mono,Indie Flower,Fjalla One,Righteous,Parisienne" \
		--out $(READER)/run

# Write the tested versions to constraints.txt.
lock: .venv/installed
	echo "# The versions that were tested together; \`make lock\` writes them anew." > $@.part
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools >> $@.part
	mv $@.part constraints.txt

clean:
	rm -rf .venv .venv-lowest site $(DEMO) $(READER) $(PEERS) observatory faults.md
