/*
 * define_trigger.c
 *		Triggers, rules and policies: what happens to rows.
 *
 * Clones of a partitioned table's triggers are objects too: each may be
 * disabled by itself.
 */
#include "snapshot/relation.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* ------------------------------------------------------------------ triggers */

/* The arguments stand one behind the other, each ended by a zero byte. */
static void
describe_arguments(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	int count = dbvc_form(row, pg_trigger)->tgnargs;
	struct varlena *arguments;
	const char *next;
	const char *end;

	if (count == 0)
		return;
	arguments = dbvc_row_varlena(catalog, DBVC_SHELF_TRIGGER, row,
								 Anum_pg_trigger_tgargs);
	if (arguments == NULL)
		return;
	next = VARDATA_ANY(arguments);
	end = next + VARSIZE_ANY_EXHDR(arguments);
	dbvc_json_array(json, "arguments");
	for (int i = 0; i < count && next < end; i++)
	{
		dbvc_json_text(json, NULL, next);
		next += strlen(next) + 1;
	}
	dbvc_json_end(json);
}

static void
describe_events(int16 type, DbvcJson *json)
{
	dbvc_json_array(json, "events");
	if (TRIGGER_FOR_INSERT(type))
		dbvc_json_text(json, NULL, "insert");
	if (TRIGGER_FOR_UPDATE(type))
		dbvc_json_text(json, NULL, "update");
	if (TRIGGER_FOR_DELETE(type))
		dbvc_json_text(json, NULL, "delete");
	if (TRIGGER_FOR_TRUNCATE(type))
		dbvc_json_text(json, NULL, "truncate");
	dbvc_json_end(json);
}

/* When triggers and rules fire; NULL: unless the session replicates. */
static const char *
enabled_name(char enabled)
{
	switch (enabled)
	{
		case TRIGGER_FIRES_ALWAYS:
			return "always";
		case TRIGGER_FIRES_ON_REPLICA:
			return "replica";
		case TRIGGER_DISABLED:
			return "disabled";
		default:
			return NULL;
	}
}

static const char *
timing_name(int16 type)
{
	if (TRIGGER_FOR_BEFORE(type))
		return "before";
	return TRIGGER_FOR_INSTEAD(type) ? "instead of" : "after";
}

static const char *
transition_table(DbvcCatalog *catalog, const DbvcRow *row,
				 AttrNumber attribute)
{
	bool isnull;
	Datum name;

	if (!dbvc_row_has(row, attribute))
		return NULL;
	name = dbvc_row_attribute(catalog, DBVC_SHELF_TRIGGER, row, attribute,
							  &isnull);
	return pstrdup(NameStr(*DatumGetName(name)));
}

/* Members from "constraint" to "inherited". */
static void
describe_how(DbvcCatalog *catalog, const DbvcRow *row,
			 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_trigger trigger = dbvc_form(row, pg_trigger);

	if (dbvc_row_has(row, Anum_pg_trigger_tgqual))
		dbvc_json_text(
			json, "condition",
			dbvc_deparse_old_new(catalog,
								 dbvc_row_string(catalog, DBVC_SHELF_TRIGGER,
												 row, Anum_pg_trigger_tgqual),
								 trigger->tgrelid, &definition->unstable));
	dbvc_json_flag(json, "constraint", OidIsValid(trigger->tgconstraint));
	if (OidIsValid(trigger->tgconstraint))
		dbvc_describe_comment_as(catalog, json, "constraint_comment",
								 ConstraintRelationId, trigger->tgconstraint,
								 0);
	dbvc_json_flag(json, "deferrable", trigger->tgdeferrable);
	dbvc_json_flag(json, "deferred", trigger->tginitdeferred);
	dbvc_json_text(json, "enabled", enabled_name(trigger->tgenabled));
	describe_events(trigger->tgtype, json);
	if (OidIsValid(trigger->tgconstrrelid))
		dbvc_json_text(json, "from_table",
					   dbvc_name_relation(catalog, trigger->tgconstrrelid));
	dbvc_json_text(json, "function",
				   dbvc_name_function(catalog, trigger->tgfoid));
	dbvc_json_flag(json, "inherited", OidIsValid(trigger->tgparentid));
}

bool
dbvc_define_trigger(DbvcCatalog *catalog, const DbvcRow *row,
					DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_trigger trigger = dbvc_form(row, pg_trigger);
	const int16 *columns;
	int count;

	if (trigger->tgisinternal ||
		!dbvc_relation_is_captured(catalog, trigger->tgrelid))
		return false;
	dbvc_identify_on(catalog, definition, "trigger", NameStr(trigger->tgname),
					 trigger->tgrelid);
	describe_arguments(catalog, row, json);
	columns = dbvc_row_numbers(catalog, DBVC_SHELF_TRIGGER, row,
							   Anum_pg_trigger_tgattr, &count);
	dbvc_describe_column_names(catalog, json, "columns", trigger->tgrelid,
							   columns, count);
	dbvc_describe_comment(catalog, json, TriggerRelationId, trigger->oid, 0);
	describe_how(catalog, row, definition, json);
	dbvc_json_text(json, "level",
				   TRIGGER_FOR_ROW(trigger->tgtype) ? "row" : "statement");
	dbvc_json_text(json, "new_table",
				   transition_table(catalog, row, Anum_pg_trigger_tgnewtable));
	dbvc_json_text(json, "old_table",
				   transition_table(catalog, row, Anum_pg_trigger_tgoldtable));
	dbvc_json_text(json, "timing", timing_name(trigger->tgtype));
	return true;
}

/* --------------------------------------------------------------------- rules */

static const char *
rule_event(char type)
{
	switch (type)
	{
		case '1':
			return "select";
		case '2':
			return "update";
		case '3':
			return "insert";
		default:
			return "delete";
	}
}

bool
dbvc_define_rule(DbvcCatalog *catalog, const DbvcRow *row,
				 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_rewrite rule = dbvc_form(row, pg_rewrite);
	DbvcShelf shelf = DBVC_SHELF_REWRITE;

	/* a view's query belongs to the view */
	if (rule->ev_type == '1' ||
		!dbvc_relation_is_captured(catalog, rule->ev_class))
		return false;
	dbvc_identify_on(catalog, definition, "rule", NameStr(rule->rulename),
					 rule->ev_class);
	dbvc_json_texts(
		json, "actions",
		dbvc_deparse_queries(catalog,
							 dbvc_row_string(catalog, shelf, row,
											 Anum_pg_rewrite_ev_action),
							 NULL, 0, &definition->unstable));
	dbvc_describe_comment(catalog, json, RewriteRelationId, rule->oid, 0);
	dbvc_json_text(
		json, "condition",
		dbvc_deparse_old_new(catalog,
							 dbvc_row_string(catalog, shelf, row,
											 Anum_pg_rewrite_ev_qual),
							 rule->ev_class, &definition->unstable));
	dbvc_json_text(json, "enabled", enabled_name(rule->ev_enabled));
	dbvc_json_text(json, "event", rule_event(rule->ev_type));
	dbvc_json_flag(json, "instead", rule->is_instead);
	return true;
}

/* ------------------------------------------------------------------ policies */

static const char *
policy_command(char command)
{
	switch (command)
	{
		case ACL_SELECT_CHR:
			return "select";
		case ACL_INSERT_CHR:
			return "insert";
		case ACL_UPDATE_CHR:
			return "update";
		case ACL_DELETE_CHR:
			return "delete";
		default:
			return NULL; /* all */
	}
}

static int
compare_texts(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Sorted; left out when it is for everybody. */
static void
describe_roles(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	int count;
	const Oid *roles = dbvc_row_oids(catalog, DBVC_SHELF_POLICY, row,
									 Anum_pg_policy_polroles, &count);
	List *names = NIL;

	if (count == 1 && roles[0] == ACL_ID_PUBLIC)
		return;
	for (int i = 0; i < count; i++)
		names = lappend(names,
						unconstify(char *, dbvc_name_role(catalog, roles[i])));
	list_sort(names, compare_texts);
	dbvc_json_texts(json, "roles", names);
}

static char *
policy_expression(DbvcCatalog *catalog, const DbvcRow *row,
				  AttrNumber attribute, DbvcDefinition *definition)
{
	return dbvc_deparse_expression(
		catalog, dbvc_row_string(catalog, DBVC_SHELF_POLICY, row, attribute),
		dbvc_form(row, pg_policy)->polrelid, &definition->unstable);
}

bool
dbvc_define_policy(DbvcCatalog *catalog, const DbvcRow *row,
				   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_policy policy = dbvc_form(row, pg_policy);

	if (!dbvc_relation_is_captured(catalog, policy->polrelid))
		return false;
	dbvc_identify_on(catalog, definition, "policy", NameStr(policy->polname),
					 policy->polrelid);
	dbvc_json_text(json, "check",
				   policy_expression(catalog, row, Anum_pg_policy_polwithcheck,
									 definition));
	dbvc_json_text(json, "command", policy_command(policy->polcmd));
	dbvc_describe_comment(catalog, json, PolicyRelationId, policy->oid, 0);
	dbvc_json_flag(json, "restrictive", !policy->polpermissive);
	describe_roles(catalog, row, json);
	dbvc_json_text(json, "using",
				   policy_expression(catalog, row, Anum_pg_policy_polqual,
									 definition));
	return true;
}
