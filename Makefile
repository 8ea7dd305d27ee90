# dbvc: versions, history and proof for a PostgreSQL database, inside the database
#
#   make && make install            build against PG_CONFIG (default: pg_config in PATH)
#   make test                       everything, on a throw-away server; installs what is missing
#   make help                       the other targets

EXTENSION  = dbvc
MODULE_big = dbvc
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" dbvc.control)

# The install script: its parts in the order in which they run
SQL_PARTS = \
	src/core/core.sql \
	src/ledger/ledger.sql \
	src/snapshot/snapshot.sql \
	src/migration/state.sql \
	src/migration/view.sql \
	src/migration/migration.sql \
	src/document/document.sql \
	src/document/face.sql \
	src/document/adopt.sql \
	src/document/item.sql \
	src/document/backfill.sql \
	src/core/grants.sql

# The module: every capability's C files; the client is a program of its own
SRCS = $(filter-out src/client/%,$(sort $(wildcard src/*/*.c)))
OBJS = $(SRCS:.c=.o)

DATA_built  = dbvc--$(EXTVERSION).sql
DATA        = $(sort $(wildcard src/upgrade/dbvc--*--*.sql))
EXTRA_CLEAN = $(SRCS:.c=.d) $(SRCS:.c=.bc)

PG_CPPFLAGS = -Isrc -DDBVC_VERSION='"$(EXTVERSION)"'
SHLIB_LINK  = -lcrypto

# Warnings on our own code. They are errors in `make test` and in CI (WERROR=-Werror), not for
# whoever builds a release with a compiler that nobody here has seen.
WERROR   ?=
WARNINGS  = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
# pg_config's flags and PostgreSQL's attributes are those of the compiler that built the server
CLANG_ONLY = -Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes
PG_CFLAGS = -std=gnu11 $(WARNINGS) $(if $(findstring clang,$(CC)),$(CLANG_ONLY)) $(WERROR)

# Tests against a running server that has dbvc installed; `make test` needs neither
REGRESS        = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION      = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=dbvc
PROVE_TESTS    = $(sort $(wildcard test/t/*.pl))
ifneq ($(PROVE_TESTS),)
TAP_TESTS      = 1
endif

all:

# ---- what needs no PostgreSQL at all ----

.PHONY: help test demo bench docs check-docs check-layers check-version check-exports cppcheck format format-check

help:
	@echo 'make, make install, make uninstall, make clean'
	@echo 'make installcheck   regression, isolation and TAP tests on a running server with dbvc installed'
	@echo 'make test           everything on a throw-away server; test/run -h for parts of it'
	@echo 'make demo           a guided tour on a throw-away server'
	@echo 'make bench          what dbvc costs beside the alternatives'
	@echo 'make docs           regenerate the reference pages; check-docs: are they current?'
	@echo 'make format         clang-format over src/; format-check: is anything to do?'
	@echo 'make check-layers check-version check-exports cppcheck'

test:
	@test/run

demo:
	@test/demo/run

bench:
	@if [ -x test/bench/run.sh ]; then test/bench/run.sh; else echo 'there is no benchmark yet'; fi

docs:
	@test/docs

check-docs:
	@test/docs --check

check-layers:
	@test/layers.sh && test/layers.sh --self-test

check-version:
	@test/version.sh

# clang-format's answers change from version to version: these sources follow 14's
CLANG_FORMAT ?= $(firstword $(notdir $(wildcard /usr/bin/clang-format-14)) clang-format)
C_FILES = $(sort $(wildcard src/*/*.[ch]))

format:
	$(CLANG_FORMAT) -i $(C_FILES)

format-check:
	@$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)

cppcheck:
	@cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 --suppressions-list=test/cppcheck.suppress --include=test/cppcheck.h \
		-Isrc -DDBVC_VERSION='"$(EXTVERSION)"' $(filter-out src/client,$(wildcard src/*))
	@cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 --suppressions-list=test/cppcheck.suppress -DDBVC_VERSION='"$(EXTVERSION)"' src/client

# ---- what needs PostgreSQL's development files ----

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

ifeq ($(wildcard $(PGXS)),)

all install uninstall installcheck clean check-exports:
	@echo "dbvc: no PostgreSQL development files found through '$(PG_CONFIG)'." >&2
	@echo "Install them (Debian: postgresql-server-dev-NN and libssl-dev) or give PG_CONFIG=/path/to/pg_config." >&2
	@exit 1

else

include $(PGXS)

# PostgreSQL's own headers do not pass -Wextra
override CPPFLAGS := $(patsubst -I$(includedir_server),-isystem$(includedir_server),$(CPPFLAGS))
override CPPFLAGS := $(patsubst -I$(includedir_internal),-isystem$(includedir_internal),$(CPPFLAGS))

# Header dependencies: most packaged servers are built without them
ifneq ($(autodepend),yes)
override CFLAGS += -MMD -MP
-include $(SRCS:.c=.d)
endif
$(foreach src,$(SRCS),$(eval $(src:.c=.bc): $(src:.c=.o)))

$(OBJS): dbvc.control

dbvc--$(EXTVERSION).sql: $(SQL_PARTS) Makefile dbvc.control
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION dbvc" to load this file. \quit'; \
	   for part in $(SQL_PARTS); do printf '\n-- %s\n\n' "$$part"; cat "$$part" || exit 1; done; } >$@.new
	@mv $@.new $@

# The client is a program: PGXS builds one or the other, so it has a Makefile of its own
CLIENT = $(MAKE) --no-print-directory -C src/client PG_CONFIG='$(PG_CONFIG)' WERROR='$(WERROR)'
.PHONY: all-client install-client uninstall-client clean-client
all: all-client
install: install-client
uninstall: uninstall-client
clean: clean-client
all-client install-client uninstall-client clean-client:
	+@$(CLIENT) $(@:-client=)
# both would build it
install-client: all-client

# What the module shows to the rest of the server: our prefix and what PostgreSQL asks for
check-exports: all
	@! nm -D --defined-only dbvc.so | awk '{ print $$3 }' | \
		grep -vE '^(dbvc_.*|pg_finfo_dbvc_.*|Pg_magic_func|_PG_init|_init|_fini)$$'

endif
