# SPDX-License-Identifier: Apache-2.0
# newleaf --host against machines that are none.
$(B)/tests/remote-leaf: tests/remote/leaf.c tests/unit/makeleaf.c
	@mkdir -p $(@D)
	gcc $(UNIT_CFLAGS) -Wno-unused-function -o $@ $(filter %.c,$^) -lcmocka -lcrypto

.PHONY: check-remote
REMOTE_TESTED := newleaf newleaf-author newleaf-remote tests/remote-leaf tests/http-host
check-remote: $(REMOTE_TESTED:%=$(B)/%) ## newleaf --host: what is believed, ordered, refused
	B=$(B) tests/remote/client.py

CHECKS += check-remote

.PHONY: check-fleet
check-fleet: $(REMOTE_TESTED:%=$(B)/%) ## the Ansible collection over machines that are none: rings, canary, STOP
	B=$(B) tests/remote/fleet.py

.PHONY: check-monitoring
check-monitoring: $(B)/tests/http-host ## rules, scrape example and dashboard of monitoring/
	B=$(B) tests/remote/monitoring.py

CHECKS += check-monitoring
REVIEWS_FULL += check-fleet
