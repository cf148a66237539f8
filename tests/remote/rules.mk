# SPDX-License-Identifier: Apache-2.0
# newleaf --host against machines that are none.
$(B)/tests/remote-leaf: tests/remote/leaf.c tests/unit/makeleaf.c
	@mkdir -p $(@D)
	gcc $(UNIT_CFLAGS) -Wno-unused-function -o $@ $(filter %.c,$^) -lcmocka -lcrypto

.PHONY: check-remote
check-remote: $(addprefix $(B)/,newleaf newleaf-author newleaf-remote tests/remote-leaf) ## newleaf --host
	B=$(B) tests/remote/client.py

CHECKS += check-remote
