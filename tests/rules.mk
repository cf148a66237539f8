# SPDX-License-Identifier: Apache-2.0
# Checks that are no tests of what the code does. scripts/test runs them; they are not part of `make check`.
.PHONY: house
house: ## the rules that a compiler does not know: floors, lengths, widths, licences, names in comments, budgets
	python3 tests/house.py
	scripts/check-house

REVIEWS += house
