# SPDX-License-Identifier: Apache-2.0
# Checks that are no tests of what the code does. scripts/test runs them; they are not part of `make check`.
.PHONY: house
house: ## the rules that a compiler does not know: floors, lengths, widths, licences, budgets; claims, figures
	python3 tests/house.py
	python3 tests/ledger.py
	scripts/claims --check
	scripts/figures --check
	scripts/check-house

# With clang-tidy-14 and clang-format-14, which scripts/setup installs: another version has other opinions.
C_FILES = $(shell find arch efi guest-agent hv include leaves net tests tools -name '*.[ch]')
.PHONY: tidy tidy-quick tidy-all format format-check
tidy: $(CRYPTO_LIBS) $(LWIP_SRC)/.stamp ## clang-tidy over loader and core
	@scripts/tidy --base

tidy-quick: $(CRYPTO_LIBS) $(LWIP_SRC)/.stamp ## the same without clang's analyser
	@scripts/tidy --quick --base

tidy-all: $(CRYPTO_LIBS) $(LWIP_SRC)/.stamp ## clang-tidy over every C file (or TIDY="files"): some minutes
	@scripts/tidy $(TIDY)

format: ## clang-format over every C file (or TIDY="files")
	clang-format-14 -i $(or $(TIDY),$(C_FILES))

format-check: ## are they as clang-format leaves them?
	@clang-format-14 --dry-run -Werror $(C_FILES) && echo "$(words $(C_FILES)) files are formatted"

REVIEWS += house format-check tidy-quick
REVIEWS_FULL += tidy tidy-all
