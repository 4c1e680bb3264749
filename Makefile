.PHONY: check docs bench bench-guard

check:
	./check

docs:
	.venv/bin/python -m tools.reference

bench:
	.venv/bin/python -m bench.deploys --write docs/benchmarks.md
	.venv/bin/python -m bench.streams --write docs/benchmarks.md
	.venv/bin/python -m bench.rollback --write docs/benchmarks.md
	.venv/bin/python -m bench.overhead --write docs/benchmarks.md
	.venv/bin/python -m bench.telemetry --write docs/benchmarks.md
	.venv/bin/python -m bench.split --write docs/benchmarks.md

bench-guard:
	.venv/bin/python -m bench.guard --jobs 2 --write
	.venv/bin/python -m bench.guard_validity --jobs 2 --write
	.venv/bin/python -m bench.guard_cost
