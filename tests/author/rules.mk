# SPDX-License-Identifier: Apache-2.0
# The authoring companion against a stock kernel, which scripts/get-kernel fetches.
.PHONY: check-author
check-author: $(B)/newleaf-author ## newleaf-author against a stock kernel: leaves, signatures, every refusal
	B=$(B) tests/author/run.sh

CHECKS += check-author
