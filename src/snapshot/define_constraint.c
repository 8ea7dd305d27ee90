/*
 * define_constraint.c
 *		Constraints of tables and domains.
 *
 * NOT NULL belongs to the column or to the domain, a constraint trigger's
 * constraint to the trigger, and what a foreign key makes for each partition
 * of the table that it references, to the foreign key.
 */
#include "snapshot/relation.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"

static const char *
type_name(char contype)
{
	switch (contype)
	{
		case CONSTRAINT_CHECK:
			return "check";
		case CONSTRAINT_FOREIGN:
			return "foreign key";
		case CONSTRAINT_PRIMARY:
			return "primary key";
		case CONSTRAINT_UNIQUE:
			return "unique";
		case CONSTRAINT_EXCLUSION:
			return "exclusion";
		default:
			return NULL; /* NOT NULL, or a trigger's */
	}
}

/* ------------------------------------------------------------- foreign keys */

static const char *
action_name(char action)
{
	switch (action)
	{
		case FKCONSTR_ACTION_RESTRICT:
			return "restrict";
		case FKCONSTR_ACTION_CASCADE:
			return "cascade";
		case FKCONSTR_ACTION_SETNULL:
			return "set null";
		case FKCONSTR_ACTION_SETDEFAULT:
			return "set default";
		default:
			return NULL;
	}
}

/* Made for a partition of the referenced table? */
static bool
is_part_of_foreign_key(DbvcCatalog *catalog, Form_pg_constraint constraint)
{
	DbvcRow *parent;

	if (constraint->contype != CONSTRAINT_FOREIGN ||
		!OidIsValid(constraint->conparentid))
		return false;
	parent = dbvc_catalog_row(catalog, DBVC_SHELF_CONSTRAINT,
							  constraint->conparentid);
	return parent != NULL && dbvc_form(parent, pg_constraint)->confrelid !=
								 constraint->confrelid;
}

static void
describe_references(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	Form_pg_constraint constraint = dbvc_form(row, pg_constraint);
	DbvcShelf shelf = DBVC_SHELF_CONSTRAINT;
	const int16 *numbers;
	int count;

	dbvc_json_object(json, "references");
	numbers = dbvc_row_numbers(catalog, shelf, row, Anum_pg_constraint_confkey,
							   &count);
	dbvc_describe_column_names(catalog, json, "columns", constraint->confrelid,
							   numbers, count);
	if (constraint->confmatchtype == FKCONSTR_MATCH_FULL)
		dbvc_json_text(json, "match", "full");
	dbvc_json_text(json, "on_delete", action_name(constraint->confdeltype));
	numbers = dbvc_row_numbers(catalog, shelf, row,
							   Anum_pg_constraint_confdelsetcols, &count);
	dbvc_describe_column_names(catalog, json, "on_delete_columns",
							   constraint->conrelid, numbers, count);
	dbvc_json_text(json, "on_update", action_name(constraint->confupdtype));
	dbvc_json_text(json, "table",
				   dbvc_name_relation(catalog, constraint->confrelid));
	dbvc_json_end(json);
}

/* -------------------------------------------------------------- constraints */

static bool
identify(DbvcCatalog *catalog, Form_pg_constraint constraint,
		 DbvcDefinition *definition)
{
	DbvcRow *type;
	const char *name = NameStr(constraint->conname);

	if (OidIsValid(constraint->conrelid))
	{
		if (!dbvc_relation_is_captured(catalog, constraint->conrelid))
			return false;
		dbvc_identify_on(catalog, definition, "table constraint", name,
						 constraint->conrelid);
		return true;
	}
	type = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, constraint->contypid);
	if (type == NULL ||
		!dbvc_schema_is_captured(catalog,
								 dbvc_form(type, pg_type)->typnamespace) ||
		dbvc_is_extension_member(catalog, TypeRelationId,
								 constraint->contypid))
		return false;
	definition->type = "domain constraint";
	definition->parent =
		dbvc_name_type_qualified(catalog, constraint->contypid);
	definition->identity =
		psprintf("%s on %s", quote_identifier(name), definition->parent);
	definition->schema =
		dbvc_schema_name(catalog, dbvc_form(type, pg_type)->typnamespace);
	return true;
}

static void
describe_columns(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	Form_pg_constraint constraint = dbvc_form(row, pg_constraint);
	const int16 *numbers;
	int count;

	/* those of a check stand in its expression, of an exclusion in its
	 * elements */
	if (constraint->contype == CONSTRAINT_CHECK ||
		constraint->contype == CONSTRAINT_EXCLUSION)
		return;
	numbers = dbvc_row_numbers(catalog, DBVC_SHELF_CONSTRAINT, row,
							   Anum_pg_constraint_conkey, &count);
	dbvc_describe_column_names(catalog, json, "columns", constraint->conrelid,
							   numbers, count);
}

static void
describe_exclusion(DbvcCatalog *catalog, const DbvcRow *row,
				   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_constraint constraint = dbvc_form(row, pg_constraint);
	int count;
	const Oid *operators = dbvc_row_oids(catalog, DBVC_SHELF_CONSTRAINT, row,
										 Anum_pg_constraint_conexclop, &count);

	dbvc_describe_elements(catalog, json, constraint->conindid, operators,
						   &definition->unstable);
}

static const char *
exclusion_method(DbvcCatalog *catalog, Oid index)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, index);

	return row ? dbvc_name_access_method(catalog,
										 dbvc_form(row, pg_class)->relam)
			   : NULL;
}

static int
compare_texts(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * Key "switched_off": tables on which ALTER TABLE ... DISABLE TRIGGER ALL or the
 * like keeps the constraint's own triggers from firing, so that nothing is
 * checked there.
 */
static List *
add_switched_off(DbvcCatalog *catalog, Oid constraint, List *names)
{
	for (DbvcRow *row =
			 dbvc_catalog_row(catalog, DBVC_SHELF_CONSTRAINT_TRIGGER,
							  constraint);
		 row != NULL; row = row->next)
	{
		Form_pg_trigger trigger = dbvc_form(row, pg_trigger);
		const char *table = dbvc_name_relation(catalog, trigger->tgrelid);

		if (trigger->tgisinternal &&
			trigger->tgenabled != TRIGGER_FIRES_ON_ORIGIN &&
			trigger->tgenabled != TRIGGER_FIRES_ALWAYS &&
			!dbvc_is_among(table, names))
			names = lappend(names, unconstify(char *, table));
	}
	return names;
}

/* Is it a part of the foreign key, or a part of a part? */
static bool
is_part_of(DbvcCatalog *catalog, Form_pg_constraint part, Oid constraint)
{
	while (part != NULL && is_part_of_foreign_key(catalog, part))
	{
		DbvcRow *parent;

		if (part->conparentid == constraint)
			return true;
		parent = dbvc_catalog_row(catalog, DBVC_SHELF_CONSTRAINT,
								  part->conparentid);
		part = parent ? dbvc_form(parent, pg_constraint) : NULL;
	}
	return false;
}

static void
describe_switched_off(DbvcCatalog *catalog, Form_pg_constraint constraint,
					  DbvcJson *json)
{
	List *names = add_switched_off(catalog, constraint->oid, NIL);
	DbvcRow *referenced = OidIsValid(constraint->confrelid)
							  ? dbvc_catalog_row(catalog, DBVC_SHELF_CLASS,
												 constraint->confrelid)
							  : NULL;

	if (referenced != NULL &&
		dbvc_form(referenced, pg_class)->relkind == RELKIND_PARTITIONED_TABLE)
		for (DbvcRow *row =
				 dbvc_catalog_row(catalog, DBVC_SHELF_TABLE_CONSTRAINT,
								  constraint->conrelid);
			 row != NULL; row = row->next)
			if (is_part_of(catalog, dbvc_form(row, pg_constraint),
						   constraint->oid))
				names = add_switched_off(catalog,
										 dbvc_form(row, pg_constraint)->oid,
										 names);
	list_sort(names, compare_texts);
	dbvc_json_texts(json, "switched_off", names);
}

/* Members from "elements" to "inherited". */
static void
describe_middle(DbvcCatalog *catalog, const DbvcRow *row,
				DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_constraint constraint = dbvc_form(row, pg_constraint);
	bool has_index = constraint->contype != CONSTRAINT_CHECK &&
					 constraint->contype != CONSTRAINT_FOREIGN;

	if (constraint->contype == CONSTRAINT_EXCLUSION)
		describe_exclusion(catalog, row, definition, json);
	if (dbvc_row_has(row, Anum_pg_constraint_conbin))
		dbvc_json_text(json, "expression",
					   dbvc_deparse_expression(
						   catalog,
						   dbvc_row_string(catalog, DBVC_SHELF_CONSTRAINT, row,
										   Anum_pg_constraint_conbin),
						   constraint->conrelid, &definition->unstable));
	if (has_index)
	{
		dbvc_describe_include(catalog, json, constraint->conindid);
		dbvc_describe_constraint_index(catalog, json, constraint->conindid);
	}
	dbvc_json_flag(json, "inherited", constraint->coninhcount > 0);
	dbvc_json_flag(json, "local",
				   constraint->coninhcount > 0 && constraint->conislocal);
}

bool
dbvc_define_constraint(DbvcCatalog *catalog, const DbvcRow *row,
					   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_constraint constraint = dbvc_form(row, pg_constraint);
	const char *type = type_name(constraint->contype);
	bool exclusion = constraint->contype == CONSTRAINT_EXCLUSION;
	bool foreign = constraint->contype == CONSTRAINT_FOREIGN;
	bool period = dbvc_constraint_period(constraint);

	if (type == NULL || is_part_of_foreign_key(catalog, constraint) ||
		!identify(catalog, constraint, definition))
		return false;
	if (exclusion)
		dbvc_json_text(json, "access_method",
					   exclusion_method(catalog, constraint->conindid));
	describe_columns(catalog, row, json);
	dbvc_describe_comment(catalog, json, ConstraintRelationId, constraint->oid,
						  0);
	dbvc_json_flag(json, "deferrable", constraint->condeferrable);
	dbvc_json_flag(json, "deferred", constraint->condeferred);
	describe_middle(catalog, row, definition, json);
	/* not said of others, of which it is always so or never */
	dbvc_json_flag(json, "no_inherit",
				   constraint->contype == CONSTRAINT_CHECK &&
					   OidIsValid(constraint->conrelid) &&
					   constraint->connoinherit);
	dbvc_json_flag(json, "not_enforced",
				   !dbvc_constraint_enforced(constraint));
	dbvc_json_flag(json, "not_validated",
				   dbvc_constraint_enforced(constraint) &&
					   !constraint->convalidated);
	dbvc_json_flag(json, "period", foreign && period);
	if (exclusion)
		dbvc_json_text(json, "predicate",
					   dbvc_index_predicate(catalog, constraint->conindid,
											&definition->unstable));
	if (foreign)
		describe_references(catalog, row, json);
	describe_switched_off(catalog, constraint, json);
	dbvc_json_text(json, "type", type);
	dbvc_json_flag(json, "without_overlaps", !foreign && period);
	return true;
}
