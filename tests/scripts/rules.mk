# SPDX-License-Identifier: Apache-2.0
# What the scripts must never do to somebody's files, and what they must see.
.PHONY: check-mkesp
check-mkesp: ## scripts/mkesp replaces what it made itself and nothing else
	tests/scripts/mkesp.sh

CHECKS += check-mkesp

.PHONY: check-get-kernel
check-get-kernel: ## scripts/get-kernel against a false apt: layouts, cache, what goes wrong
	tests/scripts/get-kernel.sh

CHECKS += check-get-kernel

.PHONY: check-claims
check-claims: ## scripts/claims sees what has fallen
	tests/scripts/claims.py

CHECKS += check-claims

.PHONY: check-campaign
check-campaign: ## campaigns: shards that are one run, files that merge in any order
	tests/scripts/campaign.py

CHECKS += check-campaign

.PHONY: check-harness
check-harness: ## the guests' harness: what is the emulator's fault, and what is not
	tests/scripts/harness.py

CHECKS += check-harness

.PHONY: check-figures
check-figures: ## scripts/figures sees a figure that was edited by hand, and a record of nothing that is known
	tests/scripts/figures.py
	tests/scripts/litmus.py

CHECKS += check-figures

.PHONY: check-mutants-run
check-mutants-run: ## tests/mutants/run tells what is noticed, what hangs and what survives
	tests/scripts/mutants.py

CHECKS += check-mutants-run

.PHONY: check-vmtest
check-vmtest: ## what tests/vm/vmtest.py counts of a test that fails; who is not asked for a timeline is named
	tests/scripts/vmtest.py

CHECKS += check-vmtest

.PHONY: check-restart
check-restart: $(B)/core.elf ## an NMI that sends an entry back finds the stack as it was
	B=$(B) tests/scripts/restart.sh

CHECKS += check-restart
