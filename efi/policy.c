// SPDX-License-Identifier: Apache-2.0
/*
 * Decisions of policy.h.
 */
#include "policy.h"

static void restrict_policy(const struct nl_conf *conf, struct nl_policy *out, nl_policy_warn *warn)
{
	if (conf->guest_may != NL_CONF_UNSAID && (conf->guest_may & ~out->guest_may))
		warn("guest-may wants more than the image allows: only restricted");
	out->guest_may &= conf->guest_may ? conf->guest_may | NL_GUEST_MAY_CONFIRM | NL_GUEST_MAY_AGENTLESS : 0;
	if (conf->deadline_ms > out->deadline_ms)
		warn("deadline-ms is more than the image allows: the image's holds");
	else if (conf->deadline_ms)
		out->deadline_ms = conf->deadline_ms;
	nl_net_restrict(&conf->net, out, warn);
}

void nl_policy_make(const void *image, size_t size, bool secure_boot, struct nl_conf *conf, struct nl_policy *out,
                    nl_policy_warn *warn)
{
	enum nl_err e = nl_record_check(NL_POLICY_KIND, image, size);
	struct nl_policy p = {0};
	uint32_t known = e ? 0 : ((const struct nl_record *)image)->record_size;

	*out = (struct nl_policy){.deadline_ms = 1000, .proofs = NL_PROOF_PORT | NL_PROOF_TOKEN, .signatures = 1};
	if (known)
		__builtin_memcpy(&p, nl_record_at(image, 0), known < sizeof(p) ? known : sizeof(p));
	if (p.deadline_ms >= 1 && p.deadline_ms <= 10000 && p.signatures >= 1 && p.signatures <= NL_MAX_SIGNATURES &&
	    p.operators <= NL_MAX_SIGNATURES) {
		*out = p;
		out->guest_may &= NL_GUEST_MAY_ALL;
		out->order_may &= NL_ORDER_MAY_ALL;
		out->proofs &= NL_PROOF_PORT | NL_PROOF_TOKEN;
	} else {
		warn(e == NL_ENEWER ? "this image's policy is for a newer loader: the guest may do nothing"
		                    : "this image carries no valid policy: the guest may do nothing");
	}
	restrict_policy(conf, out, warn);
	if (!secure_boot)
		return;
	if (conf->options[0] && !(out->conf_may & NL_CONF_MAY_OPTIONS)) {
		conf->options[0] = '\0';
		warn("options is ignored: Secure Boot is on, and the image does not allow it");
	}
	if (conf->console && !(out->conf_may & NL_CONF_MAY_CONSOLE)) {
		conf->console = 0;
		warn("console is ignored: Secure Boot is on, and the image does not allow it");
	}
}
