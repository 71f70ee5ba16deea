# `make demo` animates a portrait, `make test` runs the tests; both set up .venv first, and only once.
# PYTHON=... names the interpreter of the set-up, VENV=... another folder than .venv.
VENV ?= .venv
export VENV
PYTHON_IN_VENV := $(VENV)/bin/python

.PHONY: demo test lint slow docs benchmark clean check-python
.DELETE_ON_ERROR:

demo: $(VENV)/ready
	@$(PYTHON_IN_VENV) examples/demo.py

test: lint
	@$(PYTHON_IN_VENV) -m pytest

slow: $(VENV)/ready
	@$(PYTHON_IN_VENV) -m pytest -m slow

lint: $(VENV)/ready
	@$(PYTHON_IN_VENV) -m ruff check .
	@$(PYTHON_IN_VENV) -m ruff format --check .
	@$(PYTHON_IN_VENV) -m mypy

# The site needs packages that nothing else does, so they are installed when it is first built.
docs: $(VENV)/docs
	@NO_MKDOCS_2_WARNING=1 $(PYTHON_IN_VENV) -m mkdocs build --strict
	@echo "the site is in site/index.html"

benchmark: $(VENV)/ready
	@$(PYTHON_IN_VENV) benchmarks/animate.py

# The file is written last, so an interrupted set-up is done again. A named interpreter is compared with the folder's.
$(VENV)/ready: pyproject.toml requirements.txt setup.sh $(if $(PYTHON),check-python)
	@sh setup.sh

$(VENV)/docs: $(VENV)/ready
	@$(PYTHON_IN_VENV) -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[docs]'
	@touch $@

clean:
	rm -rf .venv .venv-newest demo site
