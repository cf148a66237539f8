# SPDX-License-Identifier: Apache-2.0
# What the scripts must never do to somebody's files.
.PHONY: check-mkesp
check-mkesp: ## scripts/mkesp replaces what it made itself and nothing else
	tests/scripts/mkesp.sh

CHECKS += check-mkesp

.PHONY: check-get-kernel
check-get-kernel: ## scripts/get-kernel against a false apt: layouts, cache, what goes wrong
	tests/scripts/get-kernel.sh

CHECKS += check-get-kernel
