/*
 * closure.c
 *		Which definitions may differ, when these catalog rows do?
 *
 * A definition is made from the rows of its object, from names of what these
 * rows refer to, and from the context (detector.c).  The server notes what
 * refers to what in pg_depend; so what may differ are the objects whose rows
 * differ and everything that depends on them, at any distance.  Of objects that
 * are parts of others the whole is meant.
 *
 * Some references are not in pg_depend.  To roles, tablespaces, schemas,
 * languages and the system's own objects: the context has those.  The others
 * are looked for here (unrecorded[]), or make everything suspect
 * (is_far_reaching()).  Constants whose text depends on other objects through
 * arrays are found by the definers, who say that such a definition is unstable.
 *
 * An edge that was there before and is not now matters to nobody: whoever no
 * longer refers to something has other rows.
 *
 * When in doubt, an object is made again: that costs time and nothing else.
 */
#include "snapshot/sums.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Reached from what differs; grows while it is gone through. */
typedef struct Closure
{
	DbvcCatalog *catalog;
	HTAB *known; /* DbvcObject: those in nodes */
	DbvcObject *nodes;
	int count;
	int allocated;
	int limit;	   /* give up beyond */
	bool too_many; /* ... which has happened */
	bool far;	   /* something that may change the text of anything */
	bool has_type; /* types are among the nodes */
	bool has_operator;
	HTAB *wholes; /* DbvcObject: the result */
	const DbvcSums *before;
	const DbvcSums *sums;
	Snapshot since; /* of the earlier state, or NULL */
	int looked;		/* pg_class rows that were looked at */
} Closure;

/* Relations whose rows are looked at for what was between two snapshots. */
#define MAX_LOOKS 5000

/* Columns of one catalog that refer to another without a trace in pg_depend */
static const struct
{
	Oid relation;
	AttrNumber refers; /* column with the reference */
	Oid refclassid;
	AttrNumber object; /* column with the object that refers */
	Oid classid;
} unrecorded[] = {
	{AggregateRelationId, Anum_pg_aggregate_aggtranstype, TypeRelationId,
	 Anum_pg_aggregate_aggfnoid, ProcedureRelationId},
	{AggregateRelationId, Anum_pg_aggregate_aggmtranstype, TypeRelationId,
	 Anum_pg_aggregate_aggfnoid, ProcedureRelationId},
	{AccessMethodOperatorRelationId, Anum_pg_amop_amoplefttype, TypeRelationId,
	 Anum_pg_amop_amopfamily, OperatorFamilyRelationId},
	{AccessMethodOperatorRelationId, Anum_pg_amop_amoprighttype,
	 TypeRelationId, Anum_pg_amop_amopfamily, OperatorFamilyRelationId},
	{AccessMethodProcedureRelationId, Anum_pg_amproc_amproclefttype,
	 TypeRelationId, Anum_pg_amproc_amprocfamily, OperatorFamilyRelationId},
	{AccessMethodProcedureRelationId, Anum_pg_amproc_amprocrighttype,
	 TypeRelationId, Anum_pg_amproc_amprocfamily, OperatorFamilyRelationId},
	{OperatorRelationId, Anum_pg_operator_oprcom, OperatorRelationId,
	 Anum_pg_operator_oid, OperatorRelationId},
	{OperatorRelationId, Anum_pg_operator_oprnegate, OperatorRelationId,
	 Anum_pg_operator_oid, OperatorRelationId},
};

static HTAB *
object_set(const char *name, long size)
{
	HASHCTL ctl = {0};

	ctl.keysize = sizeof(DbvcObject);
	ctl.entrysize = sizeof(DbvcObject);
	ctl.hcxt = CurrentMemoryContext;
	return hash_create(name, size, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
reach(Closure *closure, Oid classid, Oid objid)
{
	DbvcObject object = {classid, objid};
	bool found;

	if (closure->too_many)
		return;
	hash_search(closure->known, &object, HASH_ENTER, &found);
	if (found)
		return;
	if (closure->count >= closure->limit)
	{
		closure->too_many = true;
		return;
	}
	if (closure->count == closure->allocated)
	{
		closure->allocated *= 2;
		closure->nodes =
			repalloc_huge(closure->nodes,
						  (Size) closure->allocated * sizeof(DbvcObject));
	}
	closure->nodes[closure->count++] = object;
	closure->has_type |= classid == TypeRelationId;
	closure->has_operator |= classid == OperatorRelationId;
}

/*
 * What operator class is a type's default, which operators sort it, and which
 * types pass for others, decides how much of an expression or of an index has to be
 * written out, anywhere.
 */
static bool
is_far_reaching(Oid classid)
{
	return classid == OperatorClassRelationId ||
		   classid == OperatorFamilyRelationId || classid == CastRelationId ||
		   classid == AccessMethodRelationId;
}

static void
visit_differing(const DbvcObject *object, void *arg)
{
	Closure *closure = arg;
	DbvcRow *row;

	if (closure->too_many || closure->far)
		return;
	if (object->classid >= DBVC_SUM_NAME)
	{
		/* a new name is in nothing that was there before */
		if (dbvc_sums_object(closure->before, object->classid,
							 object->objid) != 0)
			closure->far = true;
		return;
	}
	if (is_far_reaching(object->classid))
		closure->far = true;
	reach(closure, object->classid, object->objid);
	if (object->classid != RelationRelationId)
		return;

	/* a table may name its index */
	row = dbvc_catalog_row(closure->catalog, DBVC_SHELF_INDEX, object->objid);
	if (row != NULL)
		reach(closure, RelationRelationId, dbvc_form(row, pg_index)->indrelid);
}

/*
 * A relation with another version of its pg_class row: was it truncated, or is it
 * possible that somebody gave it another name for a while?
 */
static void
visit_class(const DbvcObject *object, void *arg)
{
	Closure *closure = arg;

	if (closure->too_many || closure->far)
		return;
	if (closure->looked++ < MAX_LOOKS &&
		dbvc_class_row_was_same(closure->sums, object->objid, closure->since,
								dbvc_catalog_snapshot(closure->catalog)))
		return;
	visit_differing(object, arg);
}

/* What is told apart by the server and is one thing: a relation and its row
 * type. */
static void
reach_twin(Closure *closure, const DbvcObject *node)
{
	DbvcRow *row;

	if (node->classid == RelationRelationId)
	{
		row =
			dbvc_catalog_row(closure->catalog, DBVC_SHELF_CLASS, node->objid);
		if (row != NULL && OidIsValid(dbvc_form(row, pg_class)->reltype))
			reach(closure, TypeRelationId, dbvc_form(row, pg_class)->reltype);
	}
	else if (node->classid == TypeRelationId)
	{
		row = dbvc_catalog_row(closure->catalog, DBVC_SHELF_TYPE, node->objid);
		if (row != NULL && OidIsValid(dbvc_form(row, pg_type)->typrelid))
			reach(closure, RelationRelationId,
				  dbvc_form(row, pg_type)->typrelid);
	}
}

static void
reach_dependents(Closure *closure, Relation depend, const DbvcObject *node)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;

	/* their names are in the context; what else they have is theirs alone */
	if (node->classid == NamespaceRelationId ||
		node->classid == LanguageRelationId)
		return;
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(node->classid));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(node->objid));
	scan =
		systable_beginscan(depend, DependReferenceIndexId, true,
						   dbvc_catalog_snapshot(closure->catalog), 2, keys);
	while (!closure->too_many &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		/* a member does not change because its extension does */
		if (form->deptype != DEPENDENCY_EXTENSION)
			reach(closure, form->classid, form->objid);
	}
	systable_endscan(scan);
}

/* References from one catalog that pg_depend does not have. */
static void
reach_unrecorded(Closure *closure, int which)
{
	Relation relation =
		table_open(unrecorded[which].relation, AccessShareLock);
	SysScanDesc scan =
		systable_beginscan(relation, InvalidOid, false,
						   dbvc_catalog_snapshot(closure->catalog), 0, NULL);
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc desc = RelationGetDescr(relation);
		bool isnull;
		DbvcObject referenced = {unrecorded[which].refclassid, InvalidOid};

		CHECK_FOR_INTERRUPTS();
		referenced.objid = DatumGetObjectId(
			heap_getattr(tuple, unrecorded[which].refers, desc, &isnull));
		if (!isnull &&
			hash_search(closure->known, &referenced, HASH_FIND, NULL) != NULL)
			reach(closure, unrecorded[which].classid,
				  DatumGetObjectId(heap_getattr(tuple,
												unrecorded[which].object, desc,
												&isnull)));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/* Everything that can be reached, until nothing new is found. */
static void
reach_all(Closure *closure)
{
	Relation depend = table_open(DependRelationId, AccessShareLock);
	int done = 0;
	int looked = -1;

	while (done < closure->count || looked < closure->count)
	{
		for (; done < closure->count && !closure->too_many; done++)
		{
			DbvcObject node = closure->nodes[done];

			reach_twin(closure, &node);
			reach_dependents(closure, depend, &node);
		}
		looked = closure->count;
		for (int i = 0; i < lengthof(unrecorded) && !closure->too_many; i++)
			if (unrecorded[i].refclassid == TypeRelationId
					? closure->has_type
					: closure->has_operator)
				reach_unrecorded(closure, i);
		if (closure->too_many)
			break;
	}
	table_close(depend, AccessShareLock);
}

static void
add_whole(Closure *closure, const DbvcObject *object)
{
	DbvcObject whole = *object;

	/* who leaves a whole is itself no more than a memory, or becomes one */
	hash_search(closure->wholes, object, HASH_ENTER, NULL);
	dbvc_definition_whole(closure->catalog, &whole.classid, &whole.objid);
	hash_search(closure->wholes, &whole, HASH_ENTER, NULL);
}

bool
dbvc_sums_changed(DbvcSums *before, DbvcSums *after, DbvcCatalog *catalog,
				  Snapshot since, const DbvcObject *also, int also_count,
				  DbvcObject **changed, int *count)
{
	Closure closure = {0};
	HASH_SEQ_STATUS status;
	DbvcObject *object;

	*count = 0;
	*changed = NULL;
	if (!dbvc_sums_comparable(before, after))
		return false;
	closure.catalog = catalog;
	closure.limit = Max(500, dbvc_sums_count(after) / 8);
	closure.allocated = 256;
	closure.nodes = palloc(closure.allocated * sizeof(DbvcObject));
	closure.known = object_set("dbvc closure", 256);
	closure.wholes = object_set("dbvc changed objects", 256);

	closure.before = before;
	closure.sums = after;
	closure.since = since;
	if (since == NULL)
		dbvc_sums_differing(before, after, visit_differing, &closure);
	else if (!dbvc_sums_touched(before, after, visit_differing, visit_class,
								&closure))
		closure.far = true;
	if (!closure.far && !closure.too_many)
		reach_all(&closure);
	if (!closure.far && !closure.too_many)
	{
		for (int i = 0; i < closure.count; i++)
			add_whole(&closure, &closure.nodes[i]);
		for (int i = 0; i < also_count; i++)
			add_whole(&closure, &also[i]);
		*changed =
			palloc(hash_get_num_entries(closure.wholes) * sizeof(DbvcObject));
		hash_seq_init(&status, closure.wholes);
		while ((object = hash_seq_search(&status)) != NULL)
			(*changed)[(*count)++] = *object;
	}
	hash_destroy(closure.known);
	hash_destroy(closure.wholes);
	pfree(closure.nodes);
	return !closure.far && !closure.too_many;
}
