# Everything starts from a bare machine with Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
PRODUCT := bot cogs untrusted tts_gateway rehearsal

# Tests start dozens of interpreters: where nothing compiled may be kept, each compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run check room tour voices test test-slow test-voices lint style bench lock clean

help: ## show this list
	@echo "make ..."
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/\1: \2/p' $(firstword $(MAKEFILE_LIST)) | while IFS=: read -r name what; do \
		printf '  %-10s%s\n' "$$name" "$$what"; done

run: $(VENV)/runtime-installed ## start the bot; without DISCORD_TOKEN in .env, try it on this machine
	@if $(PY) -m bot has-token; then exec $(PY) -m bot; else exec $(PY) -m rehearsal; fi

check: $(VENV)/runtime-installed ## say what works, what is missing, and how to mend it
	@$(PY) -m bot check

room: $(VENV)/runtime-installed ## try it in your browser, without an account
	@$(PY) -m rehearsal --room-only

tour: $(VENV)/runtime-installed ## watch a server's first hour in the terminal
	@$(PY) -m rehearsal --tour first-hour --no-prompt --no-room

voices: $(VENV)/voices-installed ## a real English voice on this machine: no account, 150 MB once
	@$(PY) -m tts_gateway models fetch piper-en-joe
	@echo "Now type: make run"

# mypy runs beside the tests, which wait more than they reckon; what it says comes last.
define checked_by
@said=$$(mktemp) && trap 'kill $$mypy 2>/dev/null; rm -f "$$said"' EXIT INT TERM; \
nice $(PY) -m mypy $(2) >"$$said" 2>&1 & mypy=$$!; \
$(PY) -m pytest -n auto -m "$(1)"; tests=$$?; \
wait $$mypy; types=$$?; \
echo "mypy: $$(cat "$$said")"; exit $$((tests || types))
endef

test: style ## run everything that is quick: four minutes on two cores
	$(call checked_by,not slow,$(PRODUCT))

test-slow: $(VENV)/dev-installed ## run all the rest: browsers, PostgreSQL, whole tours, every text
	$(call checked_by,slow)

test-voices: $(VENV)/test-voices-installed ## engines with real models, judged by a recogniser
	$(PY) -m pytest tests/voices -p no:randomly -rs

lint: style ## ruff and mypy alone
	$(PY) -m mypy

style: $(VENV)/dev-installed ## ruff alone
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

bench: $(VENV)/dev-installed ## measure, print the tables, save them under benchmarks/results
	$(PY) -m benchmarks

LOCKED = $(PY) -m uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header \
	--no-emit-find-links --no-emit-index-url --custom-compile-command "make lock"

LOCKED_ALONE = $(PY) -m uv pip compile - --quiet --universal --generate-hashes --no-header --no-deps \
	--no-emit-find-links --no-emit-index-url

lock: $(VENV)/dev-installed ## make the requirements files anew from pyproject.toml
	$(PIP) install --quiet uv
	$(LOCKED) -o requirements.txt
	$(LOCKED) --group dev -c requirements.txt -o requirements-dev.txt
	$(LOCKED) --extra sherpa -c requirements.txt -o requirements-sherpa.txt
	$(LOCKED) --extra sherpa --group dev --group voices -c requirements-dev.txt -c requirements-sherpa.txt \
		-o requirements-test-voices.txt
	$(LOCKED) --extra voxcpm -c requirements.txt -o requirements-voxcpm.txt
	echo voxcpm==2.0.3 | $(LOCKED_ALONE) -o requirements-voxcpm-alone.txt
	echo resemblyzer==0.1.4 | $(LOCKED_ALONE) -o requirements-encoder-alone.txt

clean: ## delete .venv and what was made
	rm -rf $(VENV) rehearsal-output .mypy_cache .pytest_cache .ruff_cache

$(VENV)/runtime-installed: requirements.txt
	@echo "Preparing $(VENV) (once; a minute or so) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Myna needs Python 3.11 or newer; \
	this is %d.%d. If you have a newer one, type for example: make run PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements.txt || { \
		echo "The packages could not be installed. Is this machine online? Then type the same again."; exit 1; }
	@touch $@

$(VENV)/voices-installed: requirements-sherpa.txt $(VENV)/runtime-installed
	@$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-sherpa.txt
	@touch $@

$(VENV)/test-voices-installed: requirements-test-voices.txt $(VENV)/dev-installed
	@$(PIP) install --quiet --require-hashes -r requirements-test-voices.txt
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements-encoder-alone.txt
	@touch $@

$(VENV)/dev-installed: requirements-dev.txt $(VENV)/runtime-installed
	@$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	@touch $@
