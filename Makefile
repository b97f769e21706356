# make run    the main job: applet, cards, scenarios, target/run/report.html
# make test   all checks: format, lints, documentation, tests, and a real PC/SC stack
#
# Both install what is missing with apt-get, when they may; else they say what to install.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help run test build check fmt lint doc unit needs-build needs-test

CARGO ?= cargo
OUT ?= target/run
ARGS ?=

help:
	@sed -n 's/^# //p' Makefile | head -4

run: needs-build
	$(CARGO) run --locked -p host-bridge --bin ipae -- run --out $(OUT) $(ARGS)

build: needs-build
	$(CARGO) build --locked --workspace

test: needs-build needs-test fmt lint doc unit
	@echo "all checks passed"

check: needs-build fmt lint doc unit

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

# Tests behind a real PC/SC stack start a pcscd of their own, which takes root and the vsmartcard
# driver; elsewhere they say that they are skipped. IPAE_REQUIRE_PCSC=1 makes that a failure.
unit:
	@if ! command -v pcscd >/dev/null || [ ! -e /etc/reader.conf.d/vpcd ] || [ "$$(id -u)" != 0 ]; then
	  echo "skipped: tests behind a PC/SC stack, which want root, pcscd and vsmartcard-vpcd"
	fi
	if ! command -v softhsm2-util >/dev/null; then echo "skipped: tests with an HSM, which want softhsm2"; fi
	$(CARGO) test --locked --workspace

# Installs packages named in $missing: as root, or through sudo where it asks for no password.
define install
if [ -n "$$missing" ]; then
  if [ "$$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo"; else as="none"; fi
  if [ "$$as" = none ] || ! command -v apt-get >/dev/null; then
    echo "error: missing:$$missing"
    echo " next: install them (Debian, Ubuntu: apt-get install$$missing), then run make again"
    $(1)
  else
    echo "installing:$$missing"
    $$as apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -qq --no-install-recommends $$missing >/dev/null
  fi
fi
endef

needs-build:
	@if ! command -v $(CARGO) >/dev/null; then
	  echo "error: no cargo: Rust 1.89 or later is needed"
	  echo " next: get it from https://rustup.rs, then run make again"; exit 1
	fi
	missing=""
	command -v cc >/dev/null || missing+=" gcc libc6-dev"
	command -v pkg-config >/dev/null || missing+=" pkg-config"
	pkg-config --exists libpcsclite 2>/dev/null || missing+=" libpcsclite-dev"
	command -v javac >/dev/null || [ -x "$${JAVA_HOME:-}/bin/javac" ] || missing+=" default-jdk-headless"
	$(call install,exit 1)

needs-test:
	@missing=""
	command -v pcscd >/dev/null || missing+=" pcscd"
	[ -e /etc/reader.conf.d/vpcd ] || missing+=" vsmartcard-vpcd"
	command -v pgrep >/dev/null || missing+=" procps"
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=" postgresql"
	command -v softhsm2-util >/dev/null || missing+=" softhsm2"
	$(call install,echo "going on without the tests that want them")
