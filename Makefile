# SPDX-License-Identifier: GPL-2.0
#
# What a person types. Everything is kept in ${XDG_CACHE_HOME:-~/.cache}/guestcaps.

ARCH   ?= x86
VENDOR ?= amd
lane   := $(if $(filter arm64,$(ARCH)),arm64,$(VENDOR))
config := $(if $(filter arm64,$(ARCH)),arm64,x86)
export KDIR ACCEL CPU APPEND JOBS RUSTC BINDGEN LLVM
# Two makes in one build folder would spoil it.
ALONE  := scripts/alone.sh $(or $(firstword $(MAKECMDGOALS)),help)

ifeq ($(and $(filter x86 arm64,$(ARCH)),$(filter amd intel,$(VENDOR))),)
$(error ARCH is x86 or arm64, VENDOR is amd or intel; got ARCH=$(ARCH) VENDOR=$(VENDOR))
endif

.PHONY: help run test shell kernel kunit selftests compare report bench audit map facts examples fuzz replay \
	migrate kut races soak baseline series post bisect matrix deb refresh clean distclean
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## make run         build the kernel, boot it in an emulator, show guest capabilities at work
## make test        what must hold, on all lanes: host checks, KUnit, KVM selftests; ALL=1: on hosts
##                  that differ from others in little, all selftests as well
## make shell       a busybox shell in the booted kernel
## make kernel      only build the kernel
## make kunit       only run the KUnit suites of the lane
## make selftests   only run the KVM selftests of the lane; TESTS="cpuid_test ..." picks some
## make compare     what KVM says of CPUID and ID registers, unmodified and ours, on all hosts, and
##                  what both make of random tables and values, TIMES= as many; what both cost; and
##                  a page of all that, out/report.html (make report: only the page)
## make bench       count instructions on the unmodified kernel and on ours; SERIES=1-fixes: with no more
##                  than these series
## make audit       write the table of all places in KVM that ask what a guest may use
## make map         draw what arm64 VMs see in ID registers; HOST=dump lays a host's values over it
## make facts       write what tools/guestcaps knows of the kernel tree's names and rules
## make examples    apply the documentation's worked examples, and run the KUnit suites as programs here;
##                  NAMES="x86 arm64": only the suites
## make fuzz        hold the Rust cores against the C that they replace, on made-up hosts and vCPUs;
##                  TARGET= one of them, SECONDS= or RUNS= for each
## make replay      the same on real CPUs: FILES="a b", what guestcaps dump or cpuid -r printed there,
##                  InstLatX64's text, or lines REGISTER HEX; without, those that are kept here
## make migrate     move VMs between the unmodified kernel and ours, with QEMU
## make kut DIR=checkout   kvm-unit-tests on the unmodified kernel and on ours; TESTS="msr ..." picks some
## make races       races of debugfs with ioctls, on kernels with KASAN, lockdep and KCSAN; faults and
##                  leaks
## make soak        everything at once, on kernels with KASAN and lockdep; MINUTES=n on each
## make baseline    record the verdicts of the unmodified kernel, on all lanes
## make series      write each series with its cover letter to out/, as drafts, and try whether all is
##                  fit to be sent; BASE=tag: and whether they apply there, in KDIR
## make post        the same in your name, on BASE of KDIR, for b4 send; SERIES="1-fixes ..." picks some
## make bisect      build KVM at each commit of the series, on both architectures; boot it, and run
##                  KUnit and the selftests about features; BOOT=no: build only
## make matrix      build KVM in each configuration of scripts/configs; CONFIGS="x86-gcc ..." picks some
## make deb         Debian packages of the kernel in out/, from your configuration: CONFIG=file; default:
##                  the running system's
## make refresh     bring commits in the lab's kernel tree back to series/
## make clean       remove what was built, keep what was fetched (distclean: remove that too)
##
## ARCH=x86|arm64   the architecture; default x86
## VENDOR=amd|intel kvm_amd under QEMU, or kvm_intel under Bochs; default amd
## CPU=model        the emulated host, e.g. max,-movbe,-rdpid or EPYC-Rome
## APPEND=words     more kernel parameters; guestcaps.host= makes up an arm64 host
## ACCEL=kvm        for amd on an AMD machine that nests virtualization; default tcg
## KDIR=tree        a Linux 7.3.4 tree of yours, read and never changed; for series and post any
## JOBS=n           how many compilers at a time; default: one for each core

run:
	@$(ALONE) scripts/run.sh $(lane)

test:
	@$(ALONE) scripts/setup.sh kernel x86 intel arm64 test fuzz
	@$(ALONE) scripts/test.py $(if $(ALL),--all)

shell: kernel
	@$(ALONE) scripts/setup.sh kernel $(if $(filter amd,$(lane)),x86,$(lane))
	@$(ALONE) scripts/selftests.sh $(config)
	@scripts/shell.sh $(lane)

kernel:
	@$(ALONE) scripts/setup.sh kernel
	@$(ALONE) scripts/source.sh
	@$(ALONE) scripts/kernel.sh $(config)

kunit selftests:
	@$(ALONE) scripts/setup.sh kernel $(if $(filter amd,$(lane)),x86,$(lane))
	@$(ALONE) scripts/test.py --lane $(lane) --only $@ $(if $(TESTS),--tests "$(TESTS)")

compare:
	@$(ALONE) scripts/setup.sh kernel x86 intel arm64 fuzz report
	@status=0; \
	$(ALONE) scripts/test.py --compare $(if $(TIMES),--times $(TIMES)) || status=$$?; \
	$(ALONE) scripts/bench.sh x86 && $(ALONE) scripts/bench.sh arm64 && \
	$(ALONE) scripts/fuzz.py --coverage && \
	$(MAKE) --no-print-directory report && exit $$status

report:
	@$(ALONE) scripts/setup.sh kernel report
	@$(ALONE) scripts/report.py

bench:
	@$(ALONE) scripts/bench.sh $(ARCH) $(SERIES)

audit:
	@$(ALONE) scripts/setup.sh kernel
	@$(ALONE) scripts/source.sh
	@$(ALONE) scripts/audit.py

# HOST is only what was said to make: some shells have a variable of that name.
map:
	@$(ALONE) scripts/setup.sh kernel
	@$(ALONE) scripts/source.sh
	@$(ALONE) scripts/map.py $(if $(filter command,$(firstword $(origin HOST))),--host "$(HOST)")

facts:
	@$(ALONE) scripts/setup.sh kernel
	@$(ALONE) scripts/source.sh
	@$(ALONE) scripts/facts.py

examples:
	@$(ALONE) scripts/setup.sh kernel
	@$(ALONE) scripts/source.sh
	@$(ALONE) scripts/kernel.sh x86
	@$(ALONE) scripts/examples.py $(NAMES)

fuzz:
	@$(ALONE) scripts/setup.sh kernel fuzz
	@$(ALONE) scripts/source.sh
	@$(ALONE) scripts/kernel.sh x86
	@$(ALONE) scripts/fuzz.py $(TARGET) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(RUNS),--runs $(RUNS) --seconds $(or $(SECONDS),0))

replay:
	@$(ALONE) scripts/setup.sh kernel fuzz
	@$(ALONE) scripts/source.sh
	@$(ALONE) scripts/kernel.sh x86
	@$(ALONE) scripts/replay.py $(FILES)

migrate:
	@$(ALONE) scripts/migrate.sh $(ARCH)

# DIR is only what was said to make.
kut:
	@$(ALONE) scripts/kut.sh $(ARCH) "$(if $(filter command,$(firstword $(origin DIR))),$(DIR))" $(TESTS)

races:
	@$(ALONE) scripts/setup.sh kernel x86 arm64
	@$(ALONE) scripts/test.py --races

soak:
	@$(ALONE) scripts/setup.sh kernel x86 arm64
	@$(ALONE) scripts/test.py --soak $(or $(MINUTES),10)

baseline:
	@$(ALONE) scripts/setup.sh kernel x86 intel arm64 test
	@$(ALONE) scripts/test.py --baseline

# The series are those of the lab's own tree: KDIR is what they are tried on.
series post:
	@KDIR= $(ALONE) scripts/setup.sh series
	@KDIR= $(ALONE) scripts/post.sh $(if $(filter series,$@),draft,post) "$(KDIR)" $(or $(BASE),HEAD) $(SERIES)

bisect:
	@$(ALONE) scripts/bisect.sh $(if $(filter no,$(BOOT)),--build) $(CONFIGS)

matrix:
	@$(ALONE) scripts/bisect.sh --tip $(CONFIGS)

deb:
	@$(ALONE) scripts/setup.sh kernel $(config) deb
	@$(ALONE) scripts/source.sh
	@$(ALONE) env CONFIG="$(CONFIG)" scripts/deb.sh $(config)

refresh:
	@$(ALONE) scripts/refresh.sh

clean:
	@$(ALONE) scripts/clean.sh

distclean:
	@$(ALONE) scripts/clean.sh all
