.PHONY: check docs bench-guard

check:
	./check

docs:
	.venv/bin/python -m tools.reference

bench-guard:
	.venv/bin/python -m bench.guard
