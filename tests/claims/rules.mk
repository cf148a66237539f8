# SPDX-License-Identifier: Apache-2.0
.PHONY: claims
claims: ## run what README and docs/ claim, offline (CLAIMS="--full", or names): a line and a JSON record for each
	scripts/claims $(CLAIMS)
