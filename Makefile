# `make demo` animates a portrait, `make test` runs the tests; both set up .venv first, and only once.
PYTHON_IN_VENV := .venv/bin/python

.PHONY: demo test lint slow benchmark clean
.DELETE_ON_ERROR:

demo: .venv/ready
	@$(PYTHON_IN_VENV) examples/demo.py

test: lint
	@$(PYTHON_IN_VENV) -m pytest

slow: .venv/ready
	@$(PYTHON_IN_VENV) -m pytest -m slow

lint: .venv/ready
	@$(PYTHON_IN_VENV) -m ruff check .
	@$(PYTHON_IN_VENV) -m ruff format --check .
	@$(PYTHON_IN_VENV) -m mypy

benchmark: .venv/ready
	@$(PYTHON_IN_VENV) benchmarks/animate.py

# The file is written last, so an interrupted set-up is done again.
.venv/ready: pyproject.toml requirements.txt setup.sh
	@sh setup.sh

clean:
	rm -rf .venv demo
