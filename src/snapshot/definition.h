/*
 * definition.h
 *		One database object as canonical JSON.
 *
 * A definition says what an object is and nothing else: no OIDs, no order of
 * creation, no settings of the session, no default values (what is not said
 * is the default).  Type and identity are those of pg_identify_object().
 *
 * define_*.c make the definitions, each for a few classes; names.c gives names to
 * OIDs, describe.c what all objects have (owner, privileges, comment, labels),
 * deparse.c texts to expressions and queries.
 */
#ifndef DBVC_DEFINITION_H
#define DBVC_DEFINITION_H

#include "canon/canon.h"
#include "crypto/crypto.h"
#include "snapshot/catalog.h"

#include "access/transam.h"
#include "utils/acl.h"

/* Raised when a definition of the same object would look otherwise. */
#define DBVC_DEFINITION_VERSION 1

/* An object of a snapshot. */
typedef struct DbvcDefinition
{
	Oid classid;
	Oid objid;
	const char *type; /* "table", "function" ... : pg_identify_object().type */
	const char *identity; /* pg_identify_object().identity */
	const char *schema;	  /* unquoted; NULL for what is in no schema */
	const char *
		parent; /* identity of the table, view, domain ... it hangs on; NULL */
	const char *body; /* canonical JSON, one object */
	Size body_len;
	uint8 hash[DBVC_SHA256_LEN]; /* of the body in UTF-8 */
	bool unstable; /* holds a constant whose text pg_depend does not explain */
	int16 *attnums; /* of "columns", in their order; NULL: 1, 2, 3 ... */
	int attnum_count;
} DbvcDefinition;

/* ---- definition.c ---- */

/*
 * Define the object; false when it is none of a snapshot's (a part of
 * another object, a member of an extension, of a system or temporary schema, dbvc's
 * own, or not there).  Strings are in the current memory context and in
 * database encoding.  Run it inside a definition scope.
 */
extern bool dbvc_define(DbvcCatalog *catalog, Oid classid, Oid objid,
						DbvcDefinition *definition);
/*
 * What carries an object that is a part of another (column default, not-null
 * constraint, rule of a view, index of a constraint, row type, array type, toast table, operator of a family):
 * replaces it by that, and is repeated until it is whole.  An object that stands for itself stays.  Looks at the catalog.
 */
extern void dbvc_definition_whole(DbvcCatalog *catalog, Oid *classid,
								  Oid *objid);
/* Shelves whose rows are objects of a snapshot, ended by DBVC_SHELF_COUNT. */
extern const DbvcShelf *dbvc_definition_shelves(void);

/* Settings and user under which expressions are turned into text; an error
 * in between is undone by the abort of the subtransaction. */
typedef struct DbvcDefinitionScope
{
	DbvcOwnerScope owner;
} DbvcDefinitionScope;
extern void dbvc_definition_enter(DbvcDefinitionScope *scope);
extern void dbvc_definition_leave(DbvcDefinitionScope *scope);

/* ---- list.c: snapshots are in UTF-8 whatever the database is in ---- */

/* palloc'd or the argument itself.  SQL_ASCII does not say what its bytes mean: they stay as they are. */
extern const char *dbvc_to_utf8(const char *text, Size *len);
extern const char *dbvc_from_utf8(const char *utf8);

/* ---- what definers get and give ---- */

/* Writes "columns":[...] and so on; keys must come in byte order (json.c checks). */
typedef struct DbvcJson DbvcJson;

/*
 * A definer: fills type, identity, schema, parent (and attnums) of definition
 * and writes the members of the body's object; false when the row is no object
 * of a snapshot.  definition.c has opened the object and closes it, and has
 * checked nothing else.
 */
typedef bool (*DbvcDefiner)(DbvcCatalog *catalog, const DbvcRow *row,
							DbvcDefinition *definition, DbvcJson *json);

/* define_schema.c .. : one for each class, see the table in definition.c */
extern bool dbvc_define_relation(
	DbvcCatalog *, const DbvcRow *, DbvcDefinition *,
	DbvcJson
		*); /* tables, views, sequences, indexes, foreign tables, composite types: by relkind */
extern bool dbvc_define_constraint(DbvcCatalog *, const DbvcRow *,
								   DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_trigger(DbvcCatalog *, const DbvcRow *,
								DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_rule(DbvcCatalog *, const DbvcRow *, DbvcDefinition *,
							 DbvcJson *);
extern bool dbvc_define_policy(DbvcCatalog *, const DbvcRow *,
							   DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_statistics(DbvcCatalog *, const DbvcRow *,
								   DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_publication(DbvcCatalog *, const DbvcRow *,
									DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_publication_rel(DbvcCatalog *, const DbvcRow *,
										DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_publication_namespace(DbvcCatalog *, const DbvcRow *,
											  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_subscription(DbvcCatalog *, const DbvcRow *,
									 DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_schema(DbvcCatalog *, const DbvcRow *,
							   DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_type(DbvcCatalog *, const DbvcRow *, DbvcDefinition *,
							 DbvcJson *);
extern bool dbvc_define_function(DbvcCatalog *, const DbvcRow *,
								 DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_cast(DbvcCatalog *, const DbvcRow *, DbvcDefinition *,
							 DbvcJson *);
extern bool dbvc_define_operator(DbvcCatalog *, const DbvcRow *,
								 DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_opclass(DbvcCatalog *, const DbvcRow *,
								DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_opfamily(DbvcCatalog *, const DbvcRow *,
								 DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_access_method(DbvcCatalog *, const DbvcRow *,
									  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_collation(DbvcCatalog *, const DbvcRow *,
								  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_conversion(DbvcCatalog *, const DbvcRow *,
								   DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_ts_config(DbvcCatalog *, const DbvcRow *,
								  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_ts_dict(DbvcCatalog *, const DbvcRow *,
								DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_ts_parser(DbvcCatalog *, const DbvcRow *,
								  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_ts_template(DbvcCatalog *, const DbvcRow *,
									DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_language(DbvcCatalog *, const DbvcRow *,
								 DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_transform(DbvcCatalog *, const DbvcRow *,
								  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_extension(DbvcCatalog *, const DbvcRow *,
								  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_event_trigger(DbvcCatalog *, const DbvcRow *,
									  DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_fdw(DbvcCatalog *, const DbvcRow *, DbvcDefinition *,
							DbvcJson *);
extern bool dbvc_define_server(DbvcCatalog *, const DbvcRow *,
							   DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_user_mapping(DbvcCatalog *, const DbvcRow *,
									 DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_default_acl(DbvcCatalog *, const DbvcRow *,
									DbvcDefinition *, DbvcJson *);
extern bool dbvc_define_setting(DbvcCatalog *, const DbvcRow *,
								DbvcDefinition *, DbvcJson *);

/* ---- json.c ---- */

#define DBVC_JSON_DEPTH 16
/* Longer texts are told by their length and hash. */
#define DBVC_JSON_TEXT_MAX (1024 * 1024)
struct DbvcJson
{
	StringInfo buf;
	int depth;
	bool empty[DBVC_JSON_DEPTH];
	bool in_array[DBVC_JSON_DEPTH];
	const char *last_key[DBVC_JSON_DEPTH];
};
/*
 * Canonical JSON: no white space, members sorted by the bytes of their keys,
 * strings escaped only where JSON asks for it.  key is NULL in an array and
 * for the outermost value, else it must outlive the object and sort after the
 * one before (raises an internal error otherwise).
 */
extern void dbvc_json_init(DbvcJson *json, StringInfo buf);
extern void dbvc_json_object(DbvcJson *json, const char *key);
extern void dbvc_json_array(DbvcJson *json, const char *key);
extern void
dbvc_json_end(DbvcJson *json); /* of the innermost object or array */
extern void
dbvc_json_text(DbvcJson *json, const char *key,
			   const char *text); /* in an object, NULL is left out */
extern void dbvc_json_int(DbvcJson *json, const char *key, int64 value);
extern void dbvc_json_number(DbvcJson *json, const char *key,
							 float4 value); /* shortest decimal */
extern void dbvc_json_bool(DbvcJson *json, const char *key, bool value);
extern void dbvc_json_flag(DbvcJson *json, const char *key,
						   bool value); /* true, or left out */
/* An array of strings, left out when the list is NIL. */
extern void dbvc_json_texts(DbvcJson *json, const char *key,
							const List *texts);

/* ---- names.c: every name is quoted where needed and kept by the catalog ---- */

/* The schema's bare name, as in DbvcDefinition.schema; NULL for InvalidOid. */
extern const char *dbvc_schema_name(DbvcCatalog *catalog, Oid schema);
/* schema.name of things in schemas; the name of others; a number when there is no such row. */
extern const char *dbvc_name_relation(DbvcCatalog *catalog, Oid relation);
extern const char *dbvc_name_function(
	DbvcCatalog *catalog,
	Oid function); /* schema.name(types), as pg_identify_object() */
extern const char *dbvc_name_operator(DbvcCatalog *catalog,
									  Oid operator); /* schema.+(left,right) */
extern const char *dbvc_name_collation(DbvcCatalog *catalog, Oid collation);
extern const char *dbvc_name_opclass(DbvcCatalog *catalog, Oid opclass);
extern const char *dbvc_name_opfamily(DbvcCatalog *catalog, Oid opfamily);
extern const char *
dbvc_name_role(DbvcCatalog *catalog,
			   Oid role); /* quoted; PUBLIC for InvalidOid */
extern const char *dbvc_name_language(DbvcCatalog *catalog, Oid language);
extern const char *dbvc_name_access_method(DbvcCatalog *catalog, Oid am);
extern const char *
dbvc_name_tablespace(DbvcCatalog *catalog,
					 Oid tablespace); /* NULL for InvalidOid */
extern const char *dbvc_name_server(DbvcCatalog *catalog, Oid server);
extern const char *dbvc_name_fdw(DbvcCatalog *catalog, Oid fdw);
extern const char *dbvc_name_publication(DbvcCatalog *catalog,
										 Oid publication);
extern const char *dbvc_name_ts_parser(DbvcCatalog *catalog, Oid parser);
extern const char *dbvc_name_ts_dict(DbvcCatalog *catalog, Oid dict);
extern const char *dbvc_name_ts_template(DbvcCatalog *catalog, Oid template);
extern const char *dbvc_name_ts_config(DbvcCatalog *catalog, Oid config);
/* As format_type() under search_path = pg_catalog: "integer", "character varying(10)", "public.mood[]". */
extern const char *dbvc_name_type(DbvcCatalog *catalog, Oid type,
								  int32 typmod);
/* As it stands in identities: "integer", "pg_catalog.text", "public.mood[]". */
extern const char *dbvc_name_type_qualified(DbvcCatalog *catalog, Oid type);
/* Bare name of a column, not quoted; NULL when there is none. */
extern const char *dbvc_column_name(DbvcCatalog *catalog, Oid relation,
									AttrNumber attnum);
/* All column names of a relation, by attnum - 1 (dropped ones: ""), and their number. */
extern const char **dbvc_column_names(DbvcCatalog *catalog, Oid relation,
									  int *count);
/* name quoted by quote_identifier(), and schema.name; palloc'd */
extern char *dbvc_qualified_name(const char *schema, const char *name);

/* System schemas, temporary ones, toast: nothing in them is an object of a snapshot. */
extern bool dbvc_schema_is_captured(DbvcCatalog *catalog, Oid schema);
/* Made by initdb: no object of a snapshot. */
#define dbvc_is_system_object(oid) ((oid) < FirstNormalObjectId)
/* Member of an extension, or dbvc's own. */
extern bool dbvc_is_extension_member(DbvcCatalog *catalog, Oid classid,
									 Oid objid);

/* ---- describe.c ---- */

/* Privileges beyond or below the default, sorted, "grantee=privileges/grantor": NIL when they are the default's.
 * acl NULL: the default.  *explicit_none: there are none at all though the default has some. */
extern void dbvc_describe_acl(DbvcCatalog *catalog, DbvcJson *json,
							  const char *key, struct varlena *acl,
							  ObjectType type, Oid owner);
/* The same, with what is usual given as such. */
extern void dbvc_describe_grants(DbvcCatalog *catalog, DbvcJson *json,
								 const char *key, struct varlena *acl,
								 const Acl *usual);
extern void dbvc_describe_comment(DbvcCatalog *catalog, DbvcJson *json,
								  Oid classid, Oid objid,
								  int32 objsubid); /* key "comment" */
extern void dbvc_describe_comment_as(DbvcCatalog *catalog, DbvcJson *json,
									 const char *key, Oid classid, Oid objid,
									 int32 objsubid);
/* The function's name; left out for InvalidOid. */
extern void dbvc_describe_function(DbvcCatalog *catalog, DbvcJson *json,
								   const char *key, Oid function);
/* Elements of a text[], sorted; left out when there are none. */
extern void dbvc_describe_names(DbvcJson *json, const char *key,
								struct varlena *names);
/* ALTER ... DEPENDS ON EXTENSION: key "depends_on_extensions" */
extern void dbvc_describe_extensions(DbvcCatalog *catalog, DbvcJson *json,
									 Oid classid, Oid objid);
extern void dbvc_describe_labels(DbvcCatalog *catalog, DbvcJson *json,
								 Oid classid, Oid objid,
								 int32 objsubid); /* key "security_labels" */
extern void dbvc_describe_owner(DbvcCatalog *catalog, DbvcJson *json,
								Oid owner); /* key "owner" */
/* "name=value" options of a text[] as an object sorted by name; left out when there are none.
 * names_only: values are "" (they may be secret); else values of options that are named like secrets are "". */
extern void dbvc_describe_options(DbvcJson *json, const char *key,
								  struct varlena *options, bool names_only);

/* ---- deparse.c ---- */

/*
 * An expression as text, under the settings of the definition scope and
 * after normalising what a dump and a restore would turn otherwise (an array
 * cast as a whole becomes an array of casts).  Columns of the relation are shown by name without it.
 * tree: what the catalog stores.  Sets *unstable when the text depends on what pg_depend does not tell.
 */
extern char *dbvc_deparse_expression(DbvcCatalog *catalog, const char *tree,
									 Oid relation, bool *unstable);
/* A list of them: List of char *. */
extern List *dbvc_deparse_expressions(DbvcCatalog *catalog, const char *tree,
									  Oid relation, bool *unstable);
/* A trigger's or rule's condition: columns of OLD and NEW. */
extern char *dbvc_deparse_old_new(DbvcCatalog *catalog, const char *tree,
								  Oid relation, bool *unstable);
/* Queries: of a rule's or view's action (List of Query).  columns: names of the result, or NULL. List of char *. */
extern List *dbvc_deparse_queries(DbvcCatalog *catalog, const char *tree,
								  const char **columns, int column_count,
								  bool *unstable);

#endif /* DBVC_DEFINITION_H */
