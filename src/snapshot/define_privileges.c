/*
 * define_privileges.c
 *		Privileges on what is no object of a snapshot otherwise: the system's
 *		objects and members of extensions.
 *
 * Such an object stands there only when its privileges are not those that initdb or
 * the extension's script has left (pg_init_privs), as "privileges" of
 * "function pg_catalog.pg_ls_dir(text)", and holds nothing but them.
 */
#include "snapshot/define.h"

#include "catalog/pg_class.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_init_privs.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "snapshot/relation.h"
#include "utils/builtins.h"

/* What is needed of an object that can have privileges. */
typedef struct Subject
{
	Oid classid;
	Oid oid;
	Oid owner;
	Oid schema; /* InvalidOid: in none */
	AttrNumber acl;
	ObjectType object_type; /* as acldefault() knows it */
	const char *type;
	const char *identity;
} Subject;

static bool
is_relation(DbvcCatalog *catalog, const DbvcRow *row, Subject *subject)
{
	Form_pg_class form = dbvc_form(row, pg_class);

	subject->oid = form->oid;
	subject->owner = form->relowner;
	subject->schema = form->relnamespace;
	subject->acl = Anum_pg_class_relacl;
	subject->object_type = OBJECT_TABLE;
	subject->identity = dbvc_name_relation(catalog, form->oid);
	switch (form->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			subject->type = "table";
			return true;
		case RELKIND_VIEW:
			subject->type = "view";
			return true;
		case RELKIND_MATVIEW:
			subject->type = "materialized view";
			return true;
		case RELKIND_FOREIGN_TABLE:
			subject->type = "foreign table";
			return true;
		case RELKIND_SEQUENCE:
			subject->type = "sequence";
			subject->object_type = OBJECT_SEQUENCE;
			return true;
		default:
			return false;
	}
}

static void
is_function(DbvcCatalog *catalog, const DbvcRow *row, Subject *subject)
{
	Form_pg_proc form = dbvc_form(row, pg_proc);

	subject->oid = form->oid;
	subject->owner = form->proowner;
	subject->schema = form->pronamespace;
	subject->acl = Anum_pg_proc_proacl;
	subject->object_type = OBJECT_FUNCTION;
	subject->type = form->prokind == PROKIND_AGGREGATE	 ? "aggregate"
					: form->prokind == PROKIND_PROCEDURE ? "procedure"
														 : "function";
	subject->identity = dbvc_name_function(catalog, form->oid);
}

/* Fill in the subject; false: it cannot have privileges. */
static bool
find_subject(DbvcCatalog *catalog, Oid classid, const DbvcRow *row,
			 Subject *subject)
{
#define SUBJECT(catalog_name, prefix, kind, kind_name, name_function) \
	do \
	{ \
		subject->oid = dbvc_form(row, pg_##catalog_name)->oid; \
		subject->owner = dbvc_form(row, pg_##catalog_name)->prefix##owner; \
		subject->acl = Anum_pg_##catalog_name##_##prefix##acl; \
		subject->object_type = (kind); \
		subject->type = (kind_name); \
		subject->identity = name_function(catalog, subject->oid); \
	} while (0)

	memset(subject, 0, sizeof(*subject));
	subject->classid = classid;
	switch (classid)
	{
		case RelationRelationId:
			return is_relation(catalog, row, subject);
		case ProcedureRelationId:
			is_function(catalog, row, subject);
			return true;
		case TypeRelationId:
			SUBJECT(type, typ, OBJECT_TYPE, "type", dbvc_name_type_qualified);
			subject->schema = dbvc_form(row, pg_type)->typnamespace;
			return true;
		case NamespaceRelationId:
			SUBJECT(namespace, nsp, OBJECT_SCHEMA, "schema",
					dbvc_schema_identity);
			subject->schema = subject->oid;
			return true;
		case LanguageRelationId:
			SUBJECT(language, lan, OBJECT_LANGUAGE, "language",
					dbvc_name_language);
			return true;
		case ForeignDataWrapperRelationId:
			SUBJECT(foreign_data_wrapper, fdw, OBJECT_FDW,
					"foreign-data wrapper", dbvc_name_fdw);
			return true;
		case ForeignServerRelationId:
			SUBJECT(foreign_server, srv, OBJECT_FOREIGN_SERVER, "server",
					dbvc_name_server);
			return true;
		default:
			return false;
	}
}

/* What the object, or a column of it, had at first; NULL: the default. */
static struct varlena *
initial_acl(DbvcCatalog *catalog, const Subject *subject, int32 column)
{
	for (DbvcRow *row = dbvc_catalog_rows(catalog, DBVC_SHELF_INIT_PRIVS,
										  subject->classid, subject->oid);
		 row != NULL; row = row->next)
		if (dbvc_form(row, pg_init_privs)->objsubid == column)
			return dbvc_row_varlena(catalog, DBVC_SHELF_INIT_PRIVS, row,
									Anum_pg_init_privs_initprivs);
	return NULL;
}

/* "acl", if it is not what it was at first. */
static void
describe_change(DbvcCatalog *catalog, DbvcJson *json, const Subject *subject,
				int32 column, struct varlena *acl)
{
	struct varlena *initial = initial_acl(catalog, subject, column);
	Acl *usual;

	if (acl == NULL && initial == NULL)
		return;
	usual = acldefault(column == 0 ? subject->object_type : OBJECT_COLUMN,
					   subject->owner);
	dbvc_describe_grants(catalog, json, "acl",
						 acl != NULL ? acl : (struct varlena *) usual,
						 initial != NULL ? (Acl *) initial : usual);
}

static int
compare_columns(const void *a, const void *b)
{
	int x = dbvc_form(*(DbvcRow *const *) a, pg_attribute)->attnum;
	int y = dbvc_form(*(DbvcRow *const *) b, pg_attribute)->attnum;

	return x - y;
}

/* Columns whose privileges have changed. */
static void
describe_columns(DbvcCatalog *catalog, DbvcJson *json, const Subject *subject)
{
	DbvcRow **columns = NULL;
	int count = 0;
	bool any = false;

	for (DbvcRow *row = dbvc_catalog_rows(catalog, DBVC_SHELF_ATTRIBUTE,
										  InvalidOid, subject->oid);
		 row != NULL && count < MaxHeapAttributeNumber; row = row->next)
	{
		Form_pg_attribute column = dbvc_form(row, pg_attribute);

		if (column->attnum <= 0 || column->attisdropped ||
			(!dbvc_row_has(row, Anum_pg_attribute_attacl) &&
			 initial_acl(catalog, subject, column->attnum) == NULL))
			continue;
		if (columns == NULL)
			columns = palloc(sizeof(DbvcRow *) * MaxHeapAttributeNumber);
		columns[count++] = row;
	}
	if (columns == NULL)
		return;
	qsort(columns, count, sizeof(DbvcRow *), compare_columns);
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute column = dbvc_form(columns[i], pg_attribute);
		StringInfoData buf;
		DbvcJson trial;

		/* is there anything to say? */
		initStringInfo(&buf);
		dbvc_json_init(&trial, &buf);
		dbvc_json_object(&trial, NULL);
		describe_change(catalog, &trial, subject, column->attnum,
						dbvc_row_varlena(catalog, DBVC_SHELF_ATTRIBUTE,
										 columns[i],
										 Anum_pg_attribute_attacl));
		if (trial.empty[trial.depth])
			continue;
		if (!any)
			dbvc_json_array(json, "columns");
		any = true;
		dbvc_json_object(json, NULL);
		describe_change(catalog, json, subject, column->attnum,
						dbvc_row_varlena(catalog, DBVC_SHELF_ATTRIBUTE,
										 columns[i],
										 Anum_pg_attribute_attacl));
		dbvc_json_text(json, "name", NameStr(column->attname));
		dbvc_json_end(json);
	}
	if (any)
		dbvc_json_end(json);
}

/*
 * Neither temporary, nor dbvc's own, nor of the information schema, of which
 * nobody has noted what there was at first (nor does pg_dump look at it).
 */
static bool
is_watched(DbvcCatalog *catalog, const Subject *subject)
{
	const char *schema = dbvc_schema_name(catalog, subject->schema);

	if (schema != NULL &&
		(strncmp(schema, "pg_t", 4) == 0 /* pg_temp_1, pg_toast */ ||
		 strcmp(schema, "information_schema") == 0 ||
		 strcmp(schema, "dbvc") == 0))
		return false;
	return dbvc_is_system_object(subject->oid) ||
		   dbvc_is_extension_member(catalog, subject->classid, subject->oid);
}

bool
dbvc_define_privileges(DbvcCatalog *catalog, Oid classid, DbvcShelf shelf,
					   const DbvcRow *row, DbvcDefinition *definition,
					   DbvcJson *json)
{
	Subject subject;

	if (!find_subject(catalog, classid, row, &subject) ||
		!is_watched(catalog, &subject))
		return false;
	describe_change(catalog, json, &subject, 0,
					dbvc_row_varlena(catalog, shelf, row, subject.acl));
	if (classid == RelationRelationId)
		describe_columns(catalog, json, &subject);
	if (json->empty[json->depth])
		return false;
	definition->type = "privileges";
	definition->identity = psprintf("%s %s", subject.type, subject.identity);
	definition->schema = dbvc_schema_name(catalog, subject.schema);
	return true;
}
