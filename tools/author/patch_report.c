// SPDX-License-Identifier: Apache-2.0
/* docs/reference/schemas/newleaf.plan-1.json is the form of the JSON. */
#include "patch_report.h"
#include "module.h"
#include "patch_modules.h"

/* Names are the patch's, and whoever wrote that may have told the assembler any. */
static const char *shown(const char *s) { return escape(s, FOR_TERMINAL); }

static void text(const struct recipe *r, const struct kernel *k, const struct patch_files *f,
                 const struct patch_unit *units, size_t n, const char *compiler_note)
{
	printf("%s version %u for %s\n", r->id, r->version, k->release);
	if (r->consistency != NL_CONSISTENCY_SWITCH)
		printf("%s\n", r->consistency == NL_CONSISTENCY_STRICT
		                       ? "strict: applied only while no task is inside the old code"
		                       : "mixable: old and new code may run side by side");
	for (size_t i = 0; i < n; i++) {
		const struct patch_unit *u = &units[i];

		printf("%s: %zu of %zu functions proven equal to %s\n", u->path, u->proof->n_proven,
		       u->proof->n_functions - u->proof->n_discarded, unit_kernel_text(u->k));
		for (size_t j = 0; j < u->n_functions; j++)
			printf("  replaces %s at %#llx: %s%s\n", shown(u->function[j].shipped->name),
			       (unsigned long long)u->function[j].va, shown(u->function[j].why),
			       u->function[j].unproven ? "; UNPROVEN, allowed" : "; proven");
		for (size_t j = 0; j < u->n_data; j++)
			printf("  changes  %s at %#llx, read-only data; proven\n", shown(u->datum[j].shipped->name),
			       (unsigned long long)u->datum[j].va);
		for (uint32_t j = 1; j < u->body->n_symbols; j++) {
			const struct unit_symbol *s = &u->body->symbol[j];

			if (s->section && u->take[s->section] && s->type == STT_FUNC)
				printf("  carries  %s, %llu bytes\n", shown(s->name), (unsigned long long)s->size);
		}
		if (u->layout)
			printf("  layout   %s; ALLOWED\n", shown(u->layout));
		if (u->state)
			printf("  state    %s; ALLOWED\n", shown(u->state));
		for (size_t j = 0; j < u->n_notes; j++)
			printf("  note     %s\n", shown(u->notes[j]));
	}
	for (size_t i = 0; i < f->n_notes; i++)
		printf("note %s\n", shown(f->note[i]));
	if (compiler_note)
		printf("note %s\n", shown(compiler_note));
}

static void json_list(const char *name, char *const *list, size_t n)
{
	printf("\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		printf("%s", i ? "," : "");
		json_string(stdout, list[i]);
	}
	printf("]");
}

static void json(const struct recipe *r, const struct kernel *k, const struct patch_files *f,
                 const struct patch_unit *units, size_t n, const char *compiler_note)
{
	static const char *const words[] = {"switch", "strict", "mixable"};

	printf("{\"schema\":\"newleaf.plan/1\",\"result\":\"ok\",\"id\":\"%s\",\"version\":%u,\"kernel\":", r->id,
	       r->version);
	json_string(stdout, k->release);
	printf(",\"consistency\":\"%s\",\"units\":[", words[r->consistency]);
	for (size_t i = 0; i < n; i++) {
		const struct patch_unit *u = &units[i];

		printf("%s{\"unit\":\"%s\",\"module\":\"%s\",\"functions\":%zu,\"proven\":%zu,\"replaces\":[",
		       i ? "," : "", u->path, u->k->module ? u->k->module->name : "",
		       u->proof->n_functions - u->proof->n_discarded, u->proof->n_proven);
		for (size_t j = 0; j < u->n_functions; j++) {
			printf("%s{\"function\":", j ? "," : "");
			json_string(stdout, u->function[j].shipped->name);
			printf(",\"address\":\"%#llx\",\"proven\":%s,\"why\":", (unsigned long long)u->function[j].va,
			       u->function[j].unproven ? "false" : "true");
			json_string(stdout, u->function[j].why);
			printf("}");
		}
		printf("],\"data\":[");
		for (size_t j = 0; j < u->n_data; j++)
			printf("%s{\"symbol\":\"%s\",\"address\":\"%#llx\"}", j ? "," : "", u->datum[j].shipped->name,
			       (unsigned long long)u->datum[j].va);
		printf("],\"carries\":[");
		for (uint32_t j = 1, shown = 0; j < u->body->n_symbols; j++) {
			const struct unit_symbol *s = &u->body->symbol[j];

			if (!s->section || !u->take[s->section] || s->type != STT_FUNC)
				continue;
			printf("%s", shown++ ? "," : "");
			json_string(stdout, s->name);
		}
		printf("],");
		printf("\"layout\":");
		json_string(stdout, u->layout ? u->layout : "");
		printf(",\"state\":");
		json_string(stdout, u->state ? u->state : "");
		printf(",");
		json_list("notes", u->notes, u->n_notes);
		printf("}");
	}
	printf("],");
	json_list("notes", f->note, f->n_notes);
	printf(",\"compiler\":");
	json_string(stdout, compiler_note ? compiler_note : "the kernel's own");
	printf("}\n");
}

void patch_report(const struct recipe *r, const struct kernel *k, const struct patch_files *f,
                  const struct patch_unit *units, size_t n, const struct build_with *o, const char *compiler_note)
{
	if (o->json)
		json(r, k, f, units, n, compiler_note);
	else if (o->dry_run)
		text(r, k, f, units, n, compiler_note);
}
