# Everything starts from a bare machine with Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
PRODUCT := bot cogs untrusted tts_gateway rehearsal

# Tests start dozens of interpreters: where nothing compiled may be kept, each compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test test-slow lint style bench lock clean

run: $(VENV)/runtime-installed ## start the bot; without DISCORD_TOKEN, the rehearsal
	@if $(PY) -m bot has-token; then exec $(PY) -m bot; else exec $(PY) -m rehearsal; fi

# mypy runs beside the tests, which wait more than they reckon; what it says comes last.
define checked_by
@said=$$(mktemp) && trap 'kill $$mypy 2>/dev/null; rm -f "$$said"' EXIT INT TERM; \
nice $(PY) -m mypy $(2) >"$$said" 2>&1 & mypy=$$!; \
$(PY) -m pytest -n auto -m "$(1)"; tests=$$?; \
wait $$mypy; types=$$?; \
echo "mypy: $$(cat "$$said")"; exit $$((tests || types))
endef

test: style ## everything that is quick: four minutes on two cores
	$(call checked_by,not slow,$(PRODUCT))

test-slow: $(VENV)/dev-installed ## all the rest, as long again: browsers, PostgreSQL, whole tours, every text
	$(call checked_by,slow)

lint: style
	$(PY) -m mypy

style: $(VENV)/dev-installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

bench: $(VENV)/dev-installed ## measure, print the tables, save them under benchmarks/results
	$(PY) -m benchmarks

lock: $(VENV)/dev-installed ## make both requirements files anew from pyproject.toml
	$(PIP) install --quiet uv
	$(PY) -m uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header \
		--no-emit-find-links --no-emit-index-url --custom-compile-command "make lock" -o requirements.txt
	$(PY) -m uv pip compile --group dev pyproject.toml --quiet --universal --generate-hashes --no-header \
		--no-emit-find-links --no-emit-index-url -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf $(VENV) rehearsal-output .mypy_cache .pytest_cache .ruff_cache

$(VENV)/runtime-installed: requirements.txt
	@echo "Preparing $(VENV) (once; a minute or so) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements.txt
	@touch $@

$(VENV)/dev-installed: requirements-dev.txt $(VENV)/runtime-installed
	@$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	@touch $@
