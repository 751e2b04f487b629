# The two commands of the README are `make demo` and `make test`; both install what is missing and say so.

CARGO ?= cargo
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

.PHONY: demo test test-real fuzz bench lint build dependencies real-dependencies

demo: build
	$(or $(CARGO_TARGET_DIR),target)/release/quotascope demo

build: dependencies
	$(CARGO) build --release --locked

test: dependencies
	$(CARGO) test --locked

# What needs the right to capture and real programs: run it as root, or with sudo at hand.
test-real: dependencies real-dependencies build
	tests/real/run

# Each target for so long; what breaks one is kept as a file, and named.
FUZZ_SECONDS = 600
fuzz: dependencies
	$(CARGO) test --locked --test fuzz -- all --seconds $(FUZZ_SECONDS)

lint: dependencies
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --test real --test fuzz -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

bench: build
	$(CARGO) bench --locked

# A C compiler and libpcap's headers are all that the build needs beside Rust.
dependencies:
	@missing=""; \
	command -v cc >/dev/null || missing="$$missing build-essential"; \
	echo '#include <pcap/pcap.h>' | cc -E - >/dev/null 2>&1 || missing="$$missing libpcap-dev"; \
	if [ -n "$$missing" ]; then \
	  command -v apt-get >/dev/null || { echo "please install:$$missing (libpcap-dev is libpcap-devel elsewhere)" >&2; exit 1; }; \
	  echo "installing$$missing"; \
	  $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

# Programs that the real tests run against: package name and command.
REAL_PROGRAMS = curl:curl tshark:tshark tcpdump:tcpdump tmux:tmux prometheus:promtool iproute2:ip openssl:openssl \
                util-linux:setpriv mount:mount golang-go:go
real-dependencies:
	@missing=""; \
	for pair in $(REAL_PROGRAMS); do command -v $${pair#*:} >/dev/null || missing="$$missing $${pair%:*}"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	tests/real/collector/build.sh
