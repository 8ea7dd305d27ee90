/*
 * define_publication.c
 *		Publications, what is in them, and subscriptions.
 *
 * How a subscription connects is never said: it holds a password.
 */
#include "snapshot/relation.h"

#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_namespace.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_subscription.h"
#include "utils/builtins.h"

/* -------------------------------------------------------------- publications */

bool
dbvc_define_publication(DbvcCatalog *catalog, const DbvcRow *row,
						DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_publication publication = dbvc_form(row, pg_publication);
	bool all = publication->pubinsert && publication->pubupdate &&
			   publication->pubdelete && publication->pubtruncate;

	if (dbvc_is_extension_member(catalog, PublicationRelationId,
								 publication->oid))
		return false;
	definition->type = "publication";
	definition->identity = dbvc_name_publication(catalog, publication->oid);

	dbvc_json_flag(json, "all_sequences",
				   dbvc_publication_all_sequences(publication));
	dbvc_json_flag(json, "all_tables", publication->puballtables);
	dbvc_describe_comment(catalog, json, PublicationRelationId,
						  publication->oid, 0);
	if (dbvc_publication_generated(publication) == 's')
		dbvc_json_text(json, "generated_columns", "stored");
	dbvc_describe_owner(catalog, json, publication->pubowner);
	if (!all)
	{
		dbvc_json_array(json, "publish");
		if (publication->pubinsert)
			dbvc_json_text(json, NULL, "insert");
		if (publication->pubupdate)
			dbvc_json_text(json, NULL, "update");
		if (publication->pubdelete)
			dbvc_json_text(json, NULL, "delete");
		if (publication->pubtruncate)
			dbvc_json_text(json, NULL, "truncate");
		dbvc_json_end(json);
	}
	dbvc_describe_labels(catalog, json, PublicationRelationId,
						 publication->oid, 0);
	dbvc_json_flag(json, "via_root", publication->pubviaroot);
	return true;
}

/* Name of the publication as identities of its parts show it: not quoted. */
static const char *
publication_name(DbvcCatalog *catalog, Oid publication)
{
	DbvcRow *row =
		dbvc_catalog_row(catalog, DBVC_SHELF_PUBLICATION, publication);

	return row ? NameStr(dbvc_form(row, pg_publication)->pubname) : NULL;
}

static bool
publication_is_captured(DbvcCatalog *catalog, Oid publication)
{
	return publication_name(catalog, publication) != NULL &&
		   !dbvc_is_extension_member(catalog, PublicationRelationId,
									 publication);
}

static int
compare_numbers(const void *a, const void *b)
{
	return *(const int16 *) a - *(const int16 *) b;
}

bool
dbvc_define_publication_rel(DbvcCatalog *catalog, const DbvcRow *row,
							DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_publication_rel member = dbvc_form(row, pg_publication_rel);
	DbvcShelf shelf = DBVC_SHELF_PUBLICATION_REL;
	DbvcRow *relation =
		dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, member->prrelid);
	const int16 *stored;
	int count;

	/* a table of an extension may be in a publication of ours */
	if (relation == NULL ||
		!dbvc_schema_is_captured(
			catalog, dbvc_form(relation, pg_class)->relnamespace) ||
		!publication_is_captured(catalog, member->prpubid))
		return false;
	definition->type = "publication relation";
	definition->parent = dbvc_name_publication(catalog, member->prpubid);
	definition->identity =
		psprintf("%s in publication %s",
				 dbvc_name_relation(catalog, member->prrelid),
				 publication_name(catalog, member->prpubid));
	definition->schema =
		dbvc_schema_name(catalog, dbvc_form(relation, pg_class)->relnamespace);

	stored = dbvc_row_numbers(catalog, shelf, row,
							  Anum_pg_publication_rel_prattrs, &count);
	if (count > 0)
	{
		/* a set, whatever order it was given in */
		int16 *numbers = palloc(sizeof(int16) * count);

		memcpy(numbers, stored, sizeof(int16) * count);
		qsort(numbers, count, sizeof(int16), compare_numbers);
		dbvc_describe_column_names(catalog, json, "columns", member->prrelid,
								   numbers, count);
	}
	dbvc_json_flag(json, "except", dbvc_publication_except(member));
	if (dbvc_row_has(row, Anum_pg_publication_rel_prqual))
		dbvc_json_text(json, "where",
					   dbvc_deparse_expression(
						   catalog,
						   dbvc_row_string(catalog, shelf, row,
										   Anum_pg_publication_rel_prqual),
						   member->prrelid, &definition->unstable));
	return true;
}

bool
dbvc_define_publication_namespace(DbvcCatalog *catalog, const DbvcRow *row,
								  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_publication_namespace member =
		dbvc_form(row, pg_publication_namespace);

	if (!publication_is_captured(catalog, member->pnpubid) ||
		!dbvc_schema_is_captured(catalog, member->pnnspid))
		return false;
	definition->type = "publication namespace";
	definition->schema = dbvc_schema_name(catalog, member->pnnspid);
	definition->parent = dbvc_name_publication(catalog, member->pnpubid);
	definition->identity =
		psprintf("%s in publication %s", definition->schema,
				 publication_name(catalog, member->pnpubid));
	return true;
}

/* ------------------------------------------------------------- subscriptions */

static int
compare_texts(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static void
describe_publications(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	List *names = dbvc_text_array_list(
		(ArrayType *) dbvc_row_varlena(catalog, DBVC_SHELF_SUBSCRIPTION, row,
									   Anum_pg_subscription_subpublications));

	list_sort(names, compare_texts);
	dbvc_json_texts(json, "publications", names);
}

static char *
text_unless(DbvcCatalog *catalog, const DbvcRow *row, AttrNumber attribute,
			const char *usual)
{
	char *text;

	if (attribute == InvalidAttrNumber || !dbvc_row_has(row, attribute))
		return NULL;
	text = dbvc_row_string(catalog, DBVC_SHELF_SUBSCRIPTION, row, attribute);
	return strcmp(text, usual) == 0 ? NULL : text;
}

static const char *
slot_name(DbvcCatalog *catalog, const DbvcRow *row)
{
	bool isnull;
	Datum name;

	if (!dbvc_row_has(row, Anum_pg_subscription_subslotname))
		return NULL;
	name = dbvc_row_attribute(catalog, DBVC_SHELF_SUBSCRIPTION, row,
							  Anum_pg_subscription_subslotname, &isnull);
	return pstrdup(NameStr(*DatumGetName(name)));
}

/* Members from "failover" to "run_as_owner". */
static void
describe_options(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	Form_pg_subscription subscription = dbvc_form(row, pg_subscription);
	Oid server = dbvc_subscription_server(subscription);

	dbvc_json_flag(json, "failover", dbvc_subscription_failover(subscription));
	if (dbvc_subscription_max_retention(subscription) != 0)
		dbvc_json_int(json, "max_retention",
					  dbvc_subscription_max_retention(subscription));
	dbvc_json_flag(json, "no_password_required",
				   !dbvc_subscription_password_required(subscription));
	dbvc_json_text(json, "origin",
				   text_unless(catalog, row, DBVC_SUBSCRIPTION_ORIGIN, "any"));
	dbvc_describe_owner(catalog, json, subscription->subowner);
	describe_publications(catalog, row, json);
	dbvc_json_flag(json, "retain_dead_tuples",
				   dbvc_subscription_retain_dead_tuples(subscription));
	dbvc_json_flag(json, "run_as_owner",
				   dbvc_subscription_run_as_owner(subscription));
	dbvc_describe_labels(catalog, json, SubscriptionRelationId,
						 subscription->oid, 0);
	if (OidIsValid(server))
		dbvc_json_text(json, "server", dbvc_name_server(catalog, server));
}

bool
dbvc_define_subscription(DbvcCatalog *catalog, const DbvcRow *row,
						 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_subscription subscription = dbvc_form(row, pg_subscription);
	char stream = dbvc_subscription_stream(subscription);

	definition->type = "subscription";
	definition->identity =
		pstrdup(quote_identifier(NameStr(subscription->subname)));

	dbvc_json_flag(json, "binary", subscription->subbinary);
	dbvc_describe_comment(catalog, json, SubscriptionRelationId,
						  subscription->oid, 0);
	dbvc_json_flag(json, "disable_on_error", subscription->subdisableonerr);
	dbvc_json_flag(json, "disabled", !subscription->subenabled);
	describe_options(catalog, row, json);
	dbvc_json_text(json, "slot_name", slot_name(catalog, row));
	if (stream != 'f')
		dbvc_json_text(json, "streaming", stream == 'p' ? "parallel" : "on");
	dbvc_json_text(json, "synchronous_commit",
				   text_unless(catalog, row,
							   Anum_pg_subscription_subsynccommit, "off"));
	dbvc_json_flag(json, "two_phase",
				   subscription->subtwophasestate !=
					   LOGICALREP_TWOPHASE_STATE_DISABLED);
	dbvc_json_text(json, "wal_receiver_timeout",
				   text_unless(catalog, row,
							   DBVC_SUBSCRIPTION_RECEIVER_TIMEOUT, "-1"));
	return true;
}
