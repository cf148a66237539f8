# SPDX-License-Identifier: Apache-2.0
# Real guests. The tests themselves are run by scripts/test; the Makefile only tells it which host checks there are.
.PHONY: list-checks list-full-checks
list-checks:
	@echo $(CHECKS) $(REVIEWS)
list-full-checks:
	@echo $(REVIEWS_FULL)
