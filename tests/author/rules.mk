# SPDX-License-Identifier: Apache-2.0
# The authoring companion against a stock kernel, which scripts/get-kernel fetches.
.PHONY: check-author
check-author: $(B)/newleaf-author ## newleaf-author against a stock kernel: leaves, signatures, every refusal
	B=$(B) tests/author/run.sh

CHECKS += check-author

.PHONY: check-author-order
check-author-order: $(B)/newleaf-author ## newleaf order: orders made, signed, shown, refused; needs no kernel
	B=$(B) tests/author/order.sh

CHECKS += check-author-order

.PHONY: check-author-status
check-author-status: $(B)/newleaf-author ## newleaf verify-status: what is believed and what not; needs no machine
	B=$(B) tests/author/status.sh

CHECKS += check-author-status

.PHONY: check-author-policy
check-author-policy: $(B)/newleaf-author $(B)/efi/sections.S.o ## newleaf-author policy: as the build has it, and back
	B=$(B) tests/author/policy.sh

CHECKS += check-author-policy

.PHONY: check-author-conf
check-author-conf: $(B)/newleaf-author ## newleaf-author conf: what is wrong with a newleaf.conf, line by line
	B=$(B) tests/author/conf.sh

CHECKS += check-author-conf

.PHONY: check-patch
check-patch: $(B)/newleaf-author ## leaves straight from patches, against a stock kernel and its source (1.5 GiB)
	B=$(B) tests/author/patch.sh

.PHONY: check-modules
check-modules: $(B)/newleaf-author ## the same for what a stock kernel has as modules
	B=$(B) tests/author/modules.sh

.PHONY: check-prove
check-prove: $(B)/newleaf-author ## units of three stock kernels, drawn by lot, proven against their images
	B=$(B) tests/author/prove.sh

REVIEWS_FULL += check-patch check-modules check-prove
