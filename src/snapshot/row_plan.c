/*
 * row_plan.c
 *		Where things are in the rows of a catalog, and what of them counts.
 *
 * Columns are found by their names, so that a major that has more of them, or
 * has them elsewhere, needs nothing of its own here.
 */
#include "snapshot/row_plan.h"

#include "access/tupmacs.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_type.h"
#include "utils/rel.h"

/* Fixed columns that change by themselves, or are never looked at. */
static const char *const masked[] = {
	"relfilenode",	  "relpages",		"reltuples",	  "relallvisible",
	"relallfrozen",	  "relfrozenxid",	"relminmxid",	  "relhasindex",
	"relhasrules",	  "relhastriggers", "relhassubclass", "relrewrite",
	"relispopulated", "reltoastrelid",	"indcheckxmin",	  "atthasmissing",
	"subskiplsn"};

/* Offset of a column behind the row's header; -1 when it is not the same in
 * every row. */
static int
fixed_offset(TupleDesc desc, AttrNumber attnum)
{
	int offset = 0;

	for (int i = 0; i < attnum; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attlen <= 0 || !attribute->attnotnull)
			return -1;
		offset = att_align_nominal(offset, attribute->attalign);
		if (i == attnum - 1)
			return offset;
		offset += attribute->attlen;
	}
	return -1;
}

static int
needed_offset(TupleDesc desc, AttrNumber attnum)
{
	int offset = fixed_offset(desc, attnum);

	if (offset < 0)
		elog(ERROR, "column %d of a catalog has no fixed place", attnum);
	return offset;
}

static bool
ends_with(const char *text, const char *end)
{
	Size len = strlen(text);
	Size end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void
plan_whole(DbvcRowPlan *plan, Oid classid, int offset)
{
	Assert(plan->whole_count < lengthof(plan->whole_offset));
	plan->whole_class[plan->whole_count] = classid;
	plan->whole_offset[plan->whole_count++] = offset;
}

/* What a column means for the sums, by its name. */
static void
plan_column(DbvcRowPlan *plan, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(plan->desc, attnum - 1);
	const char *name = NameStr(attribute->attname);
	int offset = fixed_offset(plan->desc, attnum);

	if (strcmp(name, "attmissingval") == 0)
		plan->missing = attnum;
	if (offset < 0)
		return;
	if (attribute->atttypid == NAMEOID && plan->text_offset < 0)
		plan->text_offset = offset;
	if (strcmp(name, "subtwophasestate") == 0)
		plan->pending_offset = offset;
	if (ends_with(name, "namespace"))
		plan->namespace_offset = offset;
	if (strcmp(name, "tgrelid") == 0 || strcmp(name, "ev_class") == 0 ||
		strcmp(name, "polrelid") == 0)
		plan->parent_offset = offset;
	if (strcmp(name, "ev_class") == 0 || strcmp(name, "conrelid") == 0 ||
		strcmp(name, "indrelid") == 0)
		plan_whole(plan, RelationRelationId, offset);
	if (strcmp(name, "contypid") == 0)
		plan_whole(plan, TypeRelationId, offset);
	if (strcmp(name, "nspname") == 0 || strcmp(name, "rolname") == 0 ||
		strcmp(name, "spcname") == 0 || strcmp(name, "lanname") == 0 ||
		strcmp(name, "amname") == 0)
		plan->name_offset = offset;
	for (int i = 0; i < lengthof(masked); i++)
		if (strcmp(name, masked[i]) == 0)
		{
			if (plan->masks == DBVC_MAX_MASKS)
				elog(ERROR, "too many masked columns");
			plan->mask_offset[plan->masks] = offset;
			plan->mask_len[plan->masks++] = attribute->attlen;
		}
}

void
dbvc_plan_relation(DbvcRowPlan *plan, Relation relation, DbvcShelf shelf)
{
	TupleDesc desc = RelationGetDescr(relation);
	AttrNumber class_attribute = dbvc_shelf_info(shelf)->class_attribute;

	memset(plan, 0, sizeof(*plan));
	plan->relation = RelationGetRelid(relation);
	plan->desc = desc;
	plan->owner = dbvc_shelf_info(shelf)->owner;
	plan->class_offset =
		class_attribute != 0 ? needed_offset(desc, class_attribute) : -1;
	plan->key_offset = needed_offset(desc, dbvc_shelf_info(shelf)->key);
	plan->namespace_offset = -1;
	plan->parent_offset = -1;
	plan->name_offset = -1;
	plan->text_offset = -1;
	plan->pending_offset = -1;
	plan->only_name = plan->relation == AuthIdRelationId ||
					  plan->relation == TableSpaceRelationId;
	for (int i = 1; i <= desc->natts; i++)
		plan_column(plan, i);
}
