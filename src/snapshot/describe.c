/*
 * describe.c
 *		What all kinds of objects have: owner, privileges, comment, labels,
 *		options.
 */
#include "snapshot/definition.h"

#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_description.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_seclabel.h"
#include "catalog/pg_shseclabel.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* ------------------------------------------------------------ privileges */

/* What one role has granted another. */
typedef struct Grant
{
	Oid grantee;
	Oid grantor;
	AclMode privileges;
} Grant;

static int
compare_grants(const void *a, const void *b)
{
	const Grant *x = a;
	const Grant *y = b;

	if (x->grantee != y->grantee)
		return x->grantee < y->grantee ? -1 : 1;
	if (x->grantor != y->grantor)
		return x->grantor < y->grantor ? -1 : 1;
	return 0;
}

/* Items of an array, those of the same two roles merged and empty ones left
 * out, in order. */
static Grant *
read_grants(const Acl *acl, int *count)
{
	int n = ARR_NDIM(acl) == 1 ? ARR_DIMS(acl)[0] : 0;
	const AclItem *items = ACL_DAT(acl);
	Grant *grants = palloc(sizeof(Grant) * Max(n, 1));
	int kept = 0;

	for (int i = 0; i < n; i++)
	{
		if (items[i].ai_privs == 0)
			continue;
		grants[kept].grantee = items[i].ai_grantee;
		grants[kept].grantor = items[i].ai_grantor;
		grants[kept].privileges = items[i].ai_privs;
		kept++;
	}
	qsort(grants, kept, sizeof(Grant), compare_grants);
	*count = 0;
	for (int i = 0; i < kept; i++)
	{
		if (*count > 0 && compare_grants(&grants[*count - 1], &grants[i]) == 0)
			grants[*count - 1].privileges |= grants[i].privileges;
		else
			grants[(*count)++] = grants[i];
	}
	return grants;
}

static bool
same_grants(const Grant *a, int a_count, const Grant *b, int b_count)
{
	if (a_count != b_count)
		return false;
	for (int i = 0; i < a_count; i++)
		if (compare_grants(&a[i], &b[i]) != 0 ||
			a[i].privileges != b[i].privileges)
			return false;
	return true;
}

/* grantee=privileges/grantor */
static char *
grant_text(DbvcCatalog *catalog, const Grant *grant)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, dbvc_name_role(catalog, grant->grantee));
	appendStringInfoChar(&buf, '=');
	for (int i = 0; i < N_ACL_RIGHTS; i++)
	{
		if ((ACL_OPTION_TO_PRIVS(grant->privileges) >> i) & 1)
			appendStringInfo(&buf, "%c*", ACL_ALL_RIGHTS_STR[i]);
		else if ((grant->privileges >> i) & 1)
			appendStringInfoChar(&buf, ACL_ALL_RIGHTS_STR[i]);
	}
	appendStringInfo(&buf, "/%s", dbvc_name_role(catalog, grant->grantor));
	return buf.data;
}

static int
compare_texts(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

void
dbvc_describe_grants(DbvcCatalog *catalog, DbvcJson *json, const char *key,
					 struct varlena *acl, const Acl *usual)
{
	int count;
	int usual_count;
	Grant *grants;
	Grant *usual_grants;
	List *texts = NIL;
	ListCell *cell;

	if (acl == NULL)
		return;
	grants = read_grants((Acl *) acl, &count);
	usual_grants = read_grants(usual, &usual_count);
	if (same_grants(grants, count, usual_grants, usual_count))
		return;
	for (int i = 0; i < count; i++)
		texts = lappend(texts, grant_text(catalog, &grants[i]));
	list_sort(texts, compare_texts);
	dbvc_json_array(json, key); /* perhaps empty: nobody has any */
	foreach (cell, texts)
		dbvc_json_text(json, NULL, lfirst(cell));
	dbvc_json_end(json);
}

void
dbvc_describe_acl(DbvcCatalog *catalog, DbvcJson *json, const char *key,
				  struct varlena *acl, ObjectType type, Oid owner)
{
	if (acl != NULL)
		dbvc_describe_grants(catalog, json, key, acl, acldefault(type, owner));
}

/* ------------------------------------------------- owner, comment, labels */

void
dbvc_describe_owner(DbvcCatalog *catalog, DbvcJson *json, Oid owner)
{
	dbvc_json_text(json, "owner", dbvc_name_role(catalog, owner));
}

void
dbvc_describe_comment_as(DbvcCatalog *catalog, DbvcJson *json, const char *key,
						 Oid classid, Oid objid, int32 objsubid)
{
	for (DbvcRow *row = dbvc_catalog_rows(catalog, DBVC_SHELF_DESCRIPTION,
										  classid, objid);
		 row != NULL; row = row->next)
		if (dbvc_form(row, pg_description)->objsubid == objsubid)
		{
			dbvc_json_text(json, key,
						   dbvc_row_string(catalog, DBVC_SHELF_DESCRIPTION,
										   row,
										   Anum_pg_description_description));
			return;
		}
}

void
dbvc_describe_comment(DbvcCatalog *catalog, DbvcJson *json, Oid classid,
					  Oid objid, int32 objsubid)
{
	dbvc_describe_comment_as(catalog, json, "comment", classid, objid,
							 objsubid);
}

void
dbvc_describe_function(DbvcCatalog *catalog, DbvcJson *json, const char *key,
					   Oid function)
{
	if (OidIsValid(function))
		dbvc_json_text(json, key, dbvc_name_function(catalog, function));
}

/* An array of strings, sorted; left out when there are none. */
static void
put_sorted(DbvcJson *json, const char *key, List *texts)
{
	list_sort(texts, compare_texts);
	dbvc_json_texts(json, key, texts);
}

void
dbvc_describe_names(DbvcJson *json, const char *key, struct varlena *names)
{
	if (names != NULL)
		put_sorted(json, key, dbvc_text_array_list((ArrayType *) names));
}

void
dbvc_describe_extensions(DbvcCatalog *catalog, DbvcJson *json, Oid classid,
						 Oid objid)
{
	List *names = NIL;

	for (DbvcRow *row =
			 dbvc_catalog_rows(catalog, DBVC_SHELF_DEPEND, classid, objid);
		 row != NULL; row = row->next)
	{
		Form_pg_depend depend = dbvc_form(row, pg_depend);
		DbvcRow *extension;

		if (depend->deptype != DEPENDENCY_AUTO_EXTENSION)
			continue;
		extension =
			dbvc_catalog_row(catalog, DBVC_SHELF_EXTENSION, depend->refobjid);
		if (extension != NULL)
			names =
				lappend(names,
						NameStr(dbvc_form(extension, pg_extension)->extname));
	}
	put_sorted(json, "depends_on_extensions", names);
}

typedef struct Pair
{
	char *name;
	char *value;
} Pair;

static int
compare_pairs(const void *a, const void *b)
{
	return strcmp(((const Pair *) a)->name, ((const Pair *) b)->name);
}

/* An object of pairs; of several with one name the first counts. */
static void
put_pairs(DbvcJson *json, const char *key, Pair *pairs, int count)
{
	if (count == 0)
		return;
	qsort(pairs, count, sizeof(Pair), compare_pairs);
	dbvc_json_object(json, key);
	for (int i = 0; i < count; i++)
		if (i == 0 || strcmp(pairs[i - 1].name, pairs[i].name) != 0)
			dbvc_json_text(json, pairs[i].name, pairs[i].value);
	dbvc_json_end(json);
}

void
dbvc_describe_labels(DbvcCatalog *catalog, DbvcJson *json, Oid classid,
					 Oid objid, int32 objsubid)
{
	bool shared = IsSharedRelation(classid);
	DbvcShelf shelf = shared ? DBVC_SHELF_SHSECLABEL : DBVC_SHELF_SECLABEL;
	DbvcRow *rows = dbvc_catalog_rows(catalog, shelf, classid, objid);
	Pair *pairs;
	int count = 0;

	if (rows == NULL)
		return;
	for (DbvcRow *row = rows; row != NULL; row = row->next)
		count++;
	pairs = palloc(sizeof(Pair) * count);
	count = 0;
	for (DbvcRow *row = rows; row != NULL; row = row->next)
	{
		if (!shared &&
			((FormData_pg_seclabel *) GETSTRUCT(&row->tuple))->objsubid !=
				objsubid)
			continue;
		pairs[count].name =
			dbvc_row_string(catalog, shelf, row,
							shared ? Anum_pg_shseclabel_provider
								   : Anum_pg_seclabel_provider);
		pairs[count].value = dbvc_row_string(catalog, shelf, row,
											 shared ? Anum_pg_shseclabel_label
													: Anum_pg_seclabel_label);
		count++;
	}
	put_pairs(json, "security_labels", pairs, count);
}

/* --------------------------------------------------------------- options */

/* Does the name say that the value is not for everybody? */
static bool
is_secret(const char *name)
{
	static const char *const words[] = {"pass",		   "pwd",
										"secret",	   "token",
										"cred",		   "jwt",
										"apikey",	   "api_key",
										"access_key",  "private_key",
										"signing_key", "encryption_key",
										"auth_key",	   "sslkey"};
	char *lower;
	bool secret = false;

	if (strcmp(name, "password_encryption") == 0)
		return false; /* how, not which */
	lower = pstrdup(name);
	for (char *p = lower; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	for (int i = 0; i < lengthof(words); i++)
		secret |= strstr(lower, words[i]) != NULL;
	pfree(lower);
	return secret;
}

void
dbvc_describe_options(DbvcJson *json, const char *key, struct varlena *options,
					  bool names_only)
{
	List *texts;
	ListCell *cell;
	Pair *pairs;
	int count = 0;

	if (options == NULL)
		return;
	texts = dbvc_text_array_list((ArrayType *) options);
	pairs = palloc(sizeof(Pair) * Max(list_length(texts), 1));
	foreach (cell, texts)
	{
		char *equal = strchr(lfirst(cell), '=');

		if (equal != NULL)
			*equal = '\0';
		pairs[count].name = lfirst(cell);
		pairs[count].value =
			equal == NULL || names_only || is_secret(pairs[count].name)
				? ""
				: equal + 1;
		count++;
	}
	put_pairs(json, key, pairs, count);
}
