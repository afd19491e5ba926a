# make start                      install what is missing, then run a node
# make start ARGS="--task quick"  pass arguments on
# make test                       run the tests, two files at a time; ARGS=tests/swarm for some
# make lint                       style and types
# make bench                      measure speed       ARGS=NAME for one

.PHONY: start test lint bench

start:
	@sh cli/install.sh
	@.venv/bin/swarm start $(ARGS)

test:
	@sh cli/install.sh dev
	@.venv/bin/python -m pytest -n 2 --dist loadfile --reruns 1 -rfER $(ARGS)

lint:
	@sh cli/install.sh dev
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m pyright

bench:
	@sh cli/install.sh dev
	@.venv/bin/python -m benchmarks $(ARGS)
