/*
 * whole.c
 *		Which object of a snapshot carries a row that is none itself.
 */
#include "snapshot/define.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_range.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "rewrite/rewriteSupport.h"
#include "utils/fmgroids.h"

typedef struct Address
{
	Oid classid;
	Oid objid;
} Address;

/*
 * An OID of the row that has objid in attribute key of a system catalog, seen
 * with the catalog's snapshot: for rows that no shelf finds that way.
 * InvalidOid when there is none.
 */
static Oid
fetch_oid(DbvcCatalog *catalog, Oid relation, Oid index, AttrNumber key,
		  Oid objid, AttrNumber wanted)
{
	Relation heap = table_open(relation, AccessShareLock);
	ScanKeyData scan_key;
	SysScanDesc scan;
	HeapTuple tuple;
	Oid found = InvalidOid;

	ScanKeyInit(&scan_key, key, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(objid));
	scan = systable_beginscan(heap, index, true,
							  dbvc_catalog_snapshot(catalog), 1, &scan_key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool isnull;
		Datum value =
			heap_getattr(tuple, wanted, RelationGetDescr(heap), &isnull);

		if (!isnull)
			found = DatumGetObjectId(value);
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return found;
}

Oid
dbvc_internal_owner(DbvcCatalog *catalog, Oid classid, Oid objid,
					Oid refclassid)
{
	Relation heap = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;
	Oid owner = InvalidOid;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(classid));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(objid));
	scan = systable_beginscan(heap, DependDependerIndexId, true,
							  dbvc_catalog_snapshot(catalog), 2, keys);
	while (!OidIsValid(owner) &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);

		if (depend->deptype == DEPENDENCY_INTERNAL &&
			depend->refclassid == refclassid)
			owner = depend->refobjid;
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return owner;
}

/* Move to another object, if there is one. */
static bool
move(Address *address, Oid classid, Oid objid)
{
	if (!OidIsValid(objid))
		return false;
	address->classid = classid;
	address->objid = objid;
	return true;
}

/* What the relation depends on internally: a toast table's table, an index's
 * constraint. */
static Oid
owner_of_relation(DbvcCatalog *catalog, Oid relation, Oid refclassid)
{
	for (DbvcRow *row = dbvc_catalog_rows(catalog, DBVC_SHELF_DEPEND,
										  RelationRelationId, relation);
		 row != NULL; row = row->next)
	{
		Form_pg_depend depend = dbvc_form(row, pg_depend);

		if (depend->deptype == DEPENDENCY_INTERNAL &&
			depend->refclassid == refclassid)
			return depend->refobjid;
	}
	return InvalidOid;
}

static bool
step_relation(DbvcCatalog *catalog, Address *address)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, address->objid);
	Form_pg_class relation;

	if (row == NULL)
		return false;
	relation = dbvc_form(row, pg_class);
	switch (relation->relkind)
	{
		case RELKIND_TOASTVALUE:
			return move(address, RelationRelationId,
						owner_of_relation(catalog, address->objid,
										  RelationRelationId));
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			if (relation->relnamespace == PG_TOAST_NAMESPACE)
			{
				row = dbvc_catalog_row(catalog, DBVC_SHELF_INDEX,
									   address->objid);
				return row != NULL && move(address, RelationRelationId,
										   dbvc_form(row, pg_index)->indrelid);
			}
			return move(address, ConstraintRelationId,
						owner_of_relation(catalog, address->objid,
										  ConstraintRelationId));
		default:
			return false;
	}
}

/* A foreign key that references a partitioned table has a row for each of its
 * partitions. */
static bool
move_to_parent(DbvcCatalog *catalog, Address *address,
			   Form_pg_constraint constraint)
{
	DbvcRow *parent;

	if (constraint->contype != CONSTRAINT_FOREIGN ||
		!OidIsValid(constraint->conparentid))
		return false;
	parent = dbvc_catalog_row(catalog, DBVC_SHELF_CONSTRAINT,
							  constraint->conparentid);
	return parent != NULL &&
		   dbvc_form(parent, pg_constraint)->confrelid !=
			   constraint->confrelid &&
		   move(address, ConstraintRelationId, constraint->conparentid);
}

/* Not-null constraints are their column's or domain's, those of constraint
 * triggers the trigger's. */
static bool
step_constraint(DbvcCatalog *catalog, Address *address)
{
	DbvcRow *row =
		dbvc_catalog_row(catalog, DBVC_SHELF_CONSTRAINT, address->objid);
	Form_pg_constraint constraint;

	if (row == NULL)
		return false;
	constraint = dbvc_form(row, pg_constraint);
	if (constraint->contype == DBVC_CONSTRAINT_NOTNULL)
		return move(address, RelationRelationId, constraint->conrelid) ||
			   move(address, TypeRelationId, constraint->contypid);
	if (constraint->contype == CONSTRAINT_TRIGGER)
		return move(address, TriggerRelationId,
					fetch_oid(catalog, TriggerRelationId,
							  TriggerConstraintIndexId,
							  Anum_pg_trigger_tgconstraint, address->objid,
							  Anum_pg_trigger_oid));
	return move_to_parent(catalog, address, constraint);
}

static bool
step_type(DbvcCatalog *catalog, Address *address)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, address->objid);
	Form_pg_type type;

	if (row == NULL)
		return false;
	type = dbvc_form(row, pg_type);
	if (type->typtype == TYPTYPE_COMPOSITE)
		return move(address, RelationRelationId, type->typrelid);
	if (type->typtype == TYPTYPE_MULTIRANGE)
		return move(address, TypeRelationId,
					fetch_oid(catalog, RangeRelationId,
							  RangeMultirangeTypidIndexId,
							  Anum_pg_range_rngmultitypid, address->objid,
							  Anum_pg_range_rngtypid));
	if (!IsTrueArrayType(type))
		return false;
	row = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, type->typelem);
	return row != NULL &&
		   dbvc_form(row, pg_type)->typarray == address->objid &&
		   move(address, TypeRelationId, type->typelem);
}

/* The triggers that make a constraint work are the constraint's, but a
 * constraint trigger has a constraint of its own. */
static bool
step_trigger(DbvcCatalog *catalog, Address *address)
{
	Oid constraint = fetch_oid(catalog, TriggerRelationId, TriggerOidIndexId,
							   Anum_pg_trigger_oid, address->objid,
							   Anum_pg_trigger_tgconstraint);
	DbvcRow *row =
		OidIsValid(constraint)
			? dbvc_catalog_row(catalog, DBVC_SHELF_CONSTRAINT, constraint)
			: NULL;

	return row != NULL &&
		   dbvc_form(row, pg_constraint)->contype != CONSTRAINT_TRIGGER &&
		   move(address, ConstraintRelationId, constraint);
}

/* A view's query is the view's own. */
static bool
step_rule(DbvcCatalog *catalog, Address *address)
{
	DbvcRow *row =
		dbvc_catalog_row(catalog, DBVC_SHELF_REWRITE, address->objid);

	return row != NULL &&
		   strcmp(NameStr(dbvc_form(row, pg_rewrite)->rulename),
				  ViewSelectRuleName) == 0 &&
		   move(address, RelationRelationId,
				dbvc_form(row, pg_rewrite)->ev_class);
}

/* A member of a family is listed by the class that it came with. */
static bool
step_member(DbvcCatalog *catalog, Address *address, Oid family)
{
	return move(address, OperatorClassRelationId,
				dbvc_internal_owner(catalog, address->classid, address->objid,
									OperatorClassRelationId)) ||
		   move(address, OperatorFamilyRelationId, family);
}

/* One step towards the whole; false when this is it. */
static bool
step(DbvcCatalog *catalog, Address *address)
{
	DbvcRow *row;

	switch (address->classid)
	{
		case RelationRelationId:
			return step_relation(catalog, address);
		case TriggerRelationId:
			return step_trigger(catalog, address);
		case TypeRelationId:
			return step_type(catalog, address);
		case ConstraintRelationId:
			return step_constraint(catalog, address);
		case RewriteRelationId:
			return step_rule(catalog, address);
		case AttrDefaultRelationId:
			row = dbvc_catalog_row(catalog, DBVC_SHELF_DEFAULT_OBJECT,
								   address->objid);
			return row != NULL && move(address, RelationRelationId,
									   dbvc_form(row, pg_attrdef)->adrelid);
		case EnumRelationId:
			return move(address, TypeRelationId,
						fetch_oid(catalog, EnumRelationId, EnumOidIndexId,
								  Anum_pg_enum_oid, address->objid,
								  Anum_pg_enum_enumtypid));
		case AccessMethodOperatorRelationId:
			row = dbvc_catalog_row(catalog, DBVC_SHELF_AMOP_OBJECT,
								   address->objid);
			return row != NULL &&
				   step_member(catalog, address,
							   dbvc_form(row, pg_amop)->amopfamily);
		case AccessMethodProcedureRelationId:
			row = dbvc_catalog_row(catalog, DBVC_SHELF_AMPROC_OBJECT,
								   address->objid);
			return row != NULL &&
				   step_member(catalog, address,
							   dbvc_form(row, pg_amproc)->amprocfamily);
		default:
			return false;
	}
}

void
dbvc_definition_whole(DbvcCatalog *catalog, Oid *classid, Oid *objid)
{
	Address address = {*classid, *objid};

	/* the longest way: array of a multirange, multirange, range */
	for (int steps = 0; steps < 8 && step(catalog, &address); steps++)
		;
	*classid = address.classid;
	*objid = address.objid;
}
