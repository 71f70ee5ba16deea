# `make demo` animates a portrait, `make test` runs the tests; both set up .venv first, and only once.
PYTHON_IN_VENV := .venv/bin/python

.PHONY: demo test lint slow docs benchmark clean
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

# The site needs packages that nothing else does, so they are installed when it is first built.
docs: .venv/docs
	@NO_MKDOCS_2_WARNING=1 $(PYTHON_IN_VENV) -m mkdocs build --strict
	@echo "the site is in site/index.html"

benchmark: .venv/ready
	@$(PYTHON_IN_VENV) benchmarks/animate.py

# The file is written last, so an interrupted set-up is done again.
.venv/ready: pyproject.toml requirements.txt setup.sh
	@sh setup.sh

.venv/docs: .venv/ready
	@$(PYTHON_IN_VENV) -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[docs]'
	@touch $@

clean:
	rm -rf .venv demo site
