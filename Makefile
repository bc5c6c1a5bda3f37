# demo, test, check and bench do all of their own set-up and leave nothing running; but for the API of the demo, which ends by itself.

.PHONY: demo test check bench
.NOTPARALLEL:
SHELL := /bin/bash

demo: # A sample fleet on SQLite and the fake cloud, and the API over it for ten minutes: no account, no server.
	@echo "Building provisioner first: some minutes the first time, seconds after that."
	@scripts/prerequisites
	@cargo run --quiet -p provisioner -- demo --serve

test: # Everything: format, lints, documentation, the emulator's own tests, all Rust tests on SQLite and PostgreSQL.
	@scripts/prerequisites
	@echo "==> the emulator's Python environment"
	@scripts/venv
	@$(MAKE) --no-print-directory check
	@echo "==> the emulators' own tests"
	@.venv/bin/python -m pytest -q tests/clouds/aws
	@.venv/bin/python -m pytest -q tests/clouds/gcp
	@echo "==> Rust tests, with a PostgreSQL server of their own"
	@scripts/with-postgres --no-fsync cargo test --workspace
	@echo "==> all passed"

check: # What needs no server: format, lints, documentation.
	@scripts/prerequisites
	@echo "==> format"
	@cargo fmt --all --check
	@echo "==> lints"
	@cargo clippy --workspace --all-targets -- -D warnings
	@echo "==> documentation"
	@RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

bench: # The figures of the README, with a durable PostgreSQL.
	@scripts/prerequisites
	@cargo build --release -p provisioner -p tests --bin provisioner --bin bench
	@scripts/venv
	@scripts/with-postgres cargo run --quiet --release -p tests --bin bench
