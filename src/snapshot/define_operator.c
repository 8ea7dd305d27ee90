/*
 * define_operator.c
 *		Definitions of operators, operator classes and families.
 *
 * Operators and functions of a family are listed by the class that they came
 * with, as pg_depend says, and those that were added to the family by the
 * family: so does pg_dump, and so a restored database is the same.
 */
#include "snapshot/define.h"

#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"

/* pg_depend says nothing about these two, so nobody notices when they go to
 * another schema. */
static void
describe_relative(DbvcCatalog *catalog, DbvcJson *json, const char *key,
				  Form_pg_operator form, Oid relative,
				  DbvcDefinition *definition)
{
	if (!OidIsValid(relative))
		return;
	dbvc_json_text(json, key, dbvc_name_operator(catalog, relative));
	if (relative != form->oid && !dbvc_is_system_object(relative))
		definition->unstable = true;
}

bool
dbvc_define_operator(DbvcCatalog *catalog, const DbvcRow *row,
					 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_operator form = dbvc_form(row, pg_operator);

	/* without a function it is only a promise made by another one */
	if (!OidIsValid(form->oprcode) ||
		!dbvc_schema_is_captured(catalog, form->oprnamespace) ||
		dbvc_is_extension_member(catalog, OperatorRelationId, form->oid))
		return false;
	definition->type = "operator";
	definition->identity = dbvc_name_operator(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->oprnamespace);
	dbvc_describe_comment(catalog, json, OperatorRelationId, form->oid, 0);
	describe_relative(catalog, json, "commutator", form, form->oprcom,
					  definition);
	dbvc_describe_function(catalog, json, "function", form->oprcode);
	dbvc_json_flag(json, "hashes", form->oprcanhash);
	dbvc_describe_function(catalog, json, "join", form->oprjoin);
	dbvc_json_flag(json, "merges", form->oprcanmerge);
	describe_relative(catalog, json, "negator", form, form->oprnegate,
					  definition);
	dbvc_describe_owner(catalog, json, form->oprowner);
	dbvc_describe_function(catalog, json, "restrict", form->oprrest);
	dbvc_json_text(json, "result",
				   dbvc_name_type(catalog, form->oprresult, -1));
	dbvc_describe_labels(catalog, json, OperatorRelationId, form->oid, 0);
	return true;
}

/* --------------------------------------------------------------- members */

/* An operator or a function of a family. */
typedef struct Member
{
	int number; /* strategy or support number */
	const char *name;
	const char *what;
	const char *sort_family; /* of an ordering operator, or NULL */
} Member;

typedef struct Members
{
	bool unstable; /* pg_depend does not record a function's declared types */
	Member *items;
	int count;
	int allocated;
} Members;

static int
compare_members(const void *a, const void *b)
{
	const Member *x = a;
	const Member *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->name, y->name);
}

static Member *
add_member(DbvcCatalog *catalog, Members *members, int number, Oid left,
		   Oid right)
{
	Member *member;

	if (members->count == members->allocated)
	{
		members->allocated = Max(8, members->allocated * 2);
		members->items = members->items == NULL
							 ? palloc(sizeof(Member) * members->allocated)
							 : repalloc(members->items,
										sizeof(Member) * members->allocated);
	}
	member = &members->items[members->count++];
	member->number = number;
	member->name = psprintf("%d (%s, %s)", number,
							dbvc_name_type_qualified(catalog, left),
							dbvc_name_type_qualified(catalog, right));
	member->sort_family = NULL;
	return member;
}

/* The family's members that came with the class; class InvalidOid: with none. */
static void
collect_operators(DbvcCatalog *catalog, Oid family, Oid class,
				  Members *members)
{
	for (DbvcRow *row =
			 dbvc_catalog_rows(catalog, DBVC_SHELF_AMOP, InvalidOid, family);
		 row != NULL; row = row->next)
	{
		Form_pg_amop form = dbvc_form(row, pg_amop);
		Member *member;

		if (dbvc_internal_owner(catalog, AccessMethodOperatorRelationId,
								form->oid, OperatorClassRelationId) != class)
			continue;
		member = add_member(catalog, members, form->amopstrategy,
							form->amoplefttype, form->amoprighttype);
		member->what = dbvc_name_operator(catalog, form->amopopr);
		if (OidIsValid(form->amopsortfamily))
			member->sort_family =
				dbvc_name_opfamily(catalog, form->amopsortfamily);
	}
}

static void
collect_functions(DbvcCatalog *catalog, Oid family, Oid class,
				  Members *members)
{
	for (DbvcRow *row =
			 dbvc_catalog_rows(catalog, DBVC_SHELF_AMPROC, InvalidOid, family);
		 row != NULL; row = row->next)
	{
		Form_pg_amproc form = dbvc_form(row, pg_amproc);
		Member *member;

		if (dbvc_internal_owner(catalog, AccessMethodProcedureRelationId,
								form->oid, OperatorClassRelationId) != class)
			continue;
		member = add_member(catalog, members, form->amprocnum,
							form->amproclefttype, form->amprocrighttype);
		member->what = dbvc_name_function(catalog, form->amproc);
		if (!dbvc_is_system_object(form->amproclefttype) ||
			!dbvc_is_system_object(form->amprocrighttype))
			members->unstable = true;
	}
}

static void
put_members(DbvcJson *json, const char *key, const char *what_key,
			Members *members)
{
	if (members->count == 0)
		return;
	qsort(members->items, members->count, sizeof(Member), compare_members);
	dbvc_json_array(json, key);
	for (int i = 0; i < members->count; i++)
	{
		Member *member = &members->items[i];

		/* "function" < "name" < "operator" < "sort_family" */
		dbvc_json_object(json, NULL);
		if (strcmp(what_key, "name") < 0)
			dbvc_json_text(json, what_key, member->what);
		dbvc_json_text(json, "name", member->name);
		if (strcmp(what_key, "name") > 0)
			dbvc_json_text(json, what_key, member->what);
		dbvc_json_text(json, "sort_family", member->sort_family);
		dbvc_json_end(json);
	}
	dbvc_json_end(json);
}

static void
describe_functions(DbvcCatalog *catalog, DbvcJson *json, Oid family, Oid class,
				   DbvcDefinition *definition)
{
	Members members = {0};

	collect_functions(catalog, family, class, &members);
	put_members(json, "functions", "function", &members);
	if (members.unstable)
		definition->unstable = true;
}

static void
describe_operators(DbvcCatalog *catalog, DbvcJson *json, Oid family, Oid class)
{
	Members members = {0};

	collect_operators(catalog, family, class, &members);
	put_members(json, "operators", "operator", &members);
}

bool
dbvc_define_opclass(DbvcCatalog *catalog, const DbvcRow *row,
					DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_opclass form = dbvc_form(row, pg_opclass);

	if (!dbvc_schema_is_captured(catalog, form->opcnamespace) ||
		dbvc_is_extension_member(catalog, OperatorClassRelationId, form->oid))
		return false;
	definition->type = "operator class";
	definition->identity = dbvc_name_opclass(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->opcnamespace);
	dbvc_describe_comment(catalog, json, OperatorClassRelationId, form->oid,
						  0);
	dbvc_json_flag(json, "default", form->opcdefault);
	dbvc_json_text(json, "family",
				   dbvc_name_opfamily(catalog, form->opcfamily));
	describe_functions(catalog, json, form->opcfamily, form->oid, definition);
	describe_operators(catalog, json, form->opcfamily, form->oid);
	dbvc_describe_owner(catalog, json, form->opcowner);
	dbvc_describe_labels(catalog, json, OperatorClassRelationId, form->oid, 0);
	if (OidIsValid(form->opckeytype))
		dbvc_json_text(json, "storage",
					   dbvc_name_type(catalog, form->opckeytype, -1));
	dbvc_json_text(json, "type", dbvc_name_type(catalog, form->opcintype, -1));
	return true;
}

bool
dbvc_define_opfamily(DbvcCatalog *catalog, const DbvcRow *row,
					 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_opfamily form = dbvc_form(row, pg_opfamily);

	if (!dbvc_schema_is_captured(catalog, form->opfnamespace) ||
		dbvc_is_extension_member(catalog, OperatorFamilyRelationId, form->oid))
		return false;
	definition->type = "operator family";
	definition->identity = dbvc_name_opfamily(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->opfnamespace);
	dbvc_describe_comment(catalog, json, OperatorFamilyRelationId, form->oid,
						  0);
	describe_functions(catalog, json, form->oid, InvalidOid, definition);
	describe_operators(catalog, json, form->oid, InvalidOid);
	dbvc_describe_owner(catalog, json, form->opfowner);
	dbvc_describe_labels(catalog, json, OperatorFamilyRelationId, form->oid,
						 0);
	return true;
}
