# SPDX-License-Identifier: Apache-2.0
# Do the tests notice what they are for? Not part of `make check`: scripts/test runs it, and whoever changes what an
# entry names.
.PHONY: mutants
mutants: unit-tests ## break the product in one place after the other: each must turn a unit test red
	B=$(B) tests/mutants/run

REVIEWS += mutants
