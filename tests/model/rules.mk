# SPDX-License-Identifier: Apache-2.0
# Models of the freeze, of generations, of modules and of orders, checked with Spin: docs/reference/model.md.
.PHONY: check-model check-model-all
check-model: ## models and their mutants, in their short form: a minute
	B=$(B) tests/model/run
	B=$(B) tests/model/forge.py
	B=$(B) tests/model/forge_journal.py
	B=$(B) tests/model/test_run.py

check-model-all: ## the same for three CPUs: minutes
	B=$(B) tests/model/run --full

REVIEWS += check-model
REVIEWS_FULL += check-model-all
