# SPDX-License-Identifier: Apache-2.0
# Do the tests notice what they are for? Not part of `make check`: scripts/test runs one half of it, by turns; whoever
# changes what an entry names runs it all.
.PHONY: mutants mutants-half
mutants: unit-tests ## break the product in one place after the other: each must turn a unit test red
	B=$(B) tests/mutants/run

mutants-half: unit-tests
	B=$(B) tests/mutants/run --half

REVIEWS += mutants-half
REVIEWS_FULL += mutants
