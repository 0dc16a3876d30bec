# make          builds the dev preset: build/dev/bin/{fk,fk-opt,fk-run}
# make demo     a tiny Llama from its folder to checked logits, with a kernel swapped
# make test     every test that needs no GPU; the last line counts them
# make static   one portable binary for GPU machines: build/static/bin/fk
# make deps     installs what is missing (Debian packages, the CUDA compiler's wheels)
# FK_JOBS=N     how many compile jobs run at once
SHELL := /bin/bash
FK_JOBS ?= $(shell nproc)

.PHONY: all deps build demo test static clean
all: build

deps:
	@tools/setup/install-deps.sh

build: deps
	@cmake --preset dev $(FK_CMAKE_ARGS) > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@grep '^-- fk:' build/configure.log || true
	@cmake --build --preset dev -j $(FK_JOBS)

demo: build
	@tools/demo.sh build/dev/bin

test: build
	@tools/setup/install-deps.sh --cuda-wheels
	@cmake --build --preset dev -j $(FK_JOBS) --target fk-unit
	@python3 test/run.py build/dev

static: deps
	@cmake --preset static $(FK_CMAKE_ARGS) > build/configure-static.log 2>&1 || { cat build/configure-static.log; exit 1; }
	@cmake --build --preset static -j $(FK_JOBS) --target fk

clean:
	rm -rf build/dev build/static

$(shell mkdir -p build)
