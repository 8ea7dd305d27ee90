/*
 * catalog.h
 *		Rows of the system catalogs, all read under one MVCC snapshot.
 *
 * A shelf is a catalog with the column it is looked up by.  A full catalog has
 * read every shelf from end to end and holds the rows in memory; a sparse one
 * fetches rows by index when they are asked for and keeps them.  Whoever makes
 * definitions sees no difference.
 *
 * While rows are read they are also summed up per object, without what
 * changes by itself (statistics, file nodes, freezing): equal sums mean that
 * no catalog row of the object has changed (detector.c).
 */
#ifndef DBVC_CATALOG_H
#define DBVC_CATALOG_H

#include "util/util.h"

#include "access/htup_details.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/*
 * X(symbol, relation, index for a look-up (InvalidOid: read it all), attribute
 * of the class (0: none), attribute of the key, class of the object that the
 * row belongs to (InvalidOid: the class attribute says so)).
 * The object's OID is the key.  The order is that of reading; NAMESPACE and
 * CLASS come first and DEPEND last, because those tell what is left out of others.  A relation
 * that stands here more than once is read once; its later shelves hold the
 * same rows by another key.
 */
/* clang-format off */
#define DBVC_SHELVES(X) \
	X(NAMESPACE, NamespaceRelationId, NamespaceOidIndexId, 0, Anum_pg_namespace_oid, NamespaceRelationId) \
	X(CLASS, RelationRelationId, ClassOidIndexId, 0, Anum_pg_class_oid, RelationRelationId) \
	X(ATTRIBUTE, AttributeRelationId, AttributeRelidNumIndexId, 0, Anum_pg_attribute_attrelid, RelationRelationId) \
	X(ATTRDEF, AttrDefaultRelationId, AttrDefaultIndexId, 0, Anum_pg_attrdef_adrelid, RelationRelationId) \
	X(DEFAULT_OBJECT, AttrDefaultRelationId, AttrDefaultOidIndexId, 0, Anum_pg_attrdef_oid, InvalidOid) \
	X(INDEX, IndexRelationId, IndexRelidIndexId, 0, Anum_pg_index_indexrelid, RelationRelationId) \
	X(CONSTRAINT, ConstraintRelationId, ConstraintOidIndexId, 0, Anum_pg_constraint_oid, ConstraintRelationId) \
	X(TABLE_CONSTRAINT, ConstraintRelationId, ConstraintRelidTypidNameIndexId, 0, Anum_pg_constraint_conrelid, InvalidOid) \
	X(DOMAIN_CONSTRAINT, ConstraintRelationId, ConstraintTypidIndexId, 0, Anum_pg_constraint_contypid, InvalidOid) \
	X(INHERITS, InheritsRelationId, InheritsRelidSeqnoIndexId, 0, Anum_pg_inherits_inhrelid, RelationRelationId) \
	X(PARTITIONED, PartitionedRelationId, PartitionedRelidIndexId, 0, Anum_pg_partitioned_table_partrelid, RelationRelationId) \
	X(SEQUENCE, SequenceRelationId, SequenceRelidIndexId, 0, Anum_pg_sequence_seqrelid, RelationRelationId) \
	X(FOREIGN_TABLE, ForeignTableRelationId, ForeignTableRelidIndexId, 0, Anum_pg_foreign_table_ftrelid, RelationRelationId) \
	X(REWRITE, RewriteRelationId, RewriteOidIndexId, 0, Anum_pg_rewrite_oid, RewriteRelationId) \
	X(VIEW_RULE, RewriteRelationId, RewriteRelRulenameIndexId, 0, Anum_pg_rewrite_ev_class, InvalidOid) \
	X(TRIGGER, TriggerRelationId, TriggerOidIndexId, 0, Anum_pg_trigger_oid, TriggerRelationId) \
	X(CONSTRAINT_TRIGGER, TriggerRelationId, TriggerConstraintIndexId, 0, Anum_pg_trigger_tgconstraint, InvalidOid) \
	X(POLICY, PolicyRelationId, PolicyOidIndexId, 0, Anum_pg_policy_oid, PolicyRelationId) \
	X(STATISTIC, StatisticExtRelationId, StatisticExtOidIndexId, 0, Anum_pg_statistic_ext_oid, StatisticExtRelationId) \
	X(TYPE, TypeRelationId, TypeOidIndexId, 0, Anum_pg_type_oid, TypeRelationId) \
	X(ENUM, EnumRelationId, EnumTypIdLabelIndexId, 0, Anum_pg_enum_enumtypid, TypeRelationId) \
	X(RANGE, RangeRelationId, RangeTypidIndexId, 0, Anum_pg_range_rngtypid, TypeRelationId) \
	X(PROC, ProcedureRelationId, ProcedureOidIndexId, 0, Anum_pg_proc_oid, ProcedureRelationId) \
	X(AGGREGATE, AggregateRelationId, AggregateFnoidIndexId, 0, Anum_pg_aggregate_aggfnoid, ProcedureRelationId) \
	X(CAST, CastRelationId, CastOidIndexId, 0, Anum_pg_cast_oid, CastRelationId) \
	X(OPERATOR, OperatorRelationId, OperatorOidIndexId, 0, Anum_pg_operator_oid, OperatorRelationId) \
	X(OPCLASS, OperatorClassRelationId, OpclassOidIndexId, 0, Anum_pg_opclass_oid, OperatorClassRelationId) \
	X(OPFAMILY, OperatorFamilyRelationId, OpfamilyOidIndexId, 0, Anum_pg_opfamily_oid, OperatorFamilyRelationId) \
	X(AMOP, AccessMethodOperatorRelationId, AccessMethodStrategyIndexId, 0, Anum_pg_amop_amopfamily, OperatorFamilyRelationId) \
	X(AMPROC, AccessMethodProcedureRelationId, AccessMethodProcedureIndexId, 0, Anum_pg_amproc_amprocfamily, OperatorFamilyRelationId) \
	X(AMOP_OBJECT, AccessMethodOperatorRelationId, AccessMethodOperatorOidIndexId, 0, Anum_pg_amop_oid, InvalidOid) \
	X(AMPROC_OBJECT, AccessMethodProcedureRelationId, AccessMethodProcedureOidIndexId, 0, Anum_pg_amproc_oid, InvalidOid) \
	X(AM, AccessMethodRelationId, AmOidIndexId, 0, Anum_pg_am_oid, AccessMethodRelationId) \
	X(COLLATION, CollationRelationId, CollationOidIndexId, 0, Anum_pg_collation_oid, CollationRelationId) \
	X(CONVERSION, ConversionRelationId, ConversionOidIndexId, 0, Anum_pg_conversion_oid, ConversionRelationId) \
	X(TS_CONFIG, TSConfigRelationId, TSConfigOidIndexId, 0, Anum_pg_ts_config_oid, TSConfigRelationId) \
	X(TS_CONFIG_MAP, TSConfigMapRelationId, TSConfigMapIndexId, 0, Anum_pg_ts_config_map_mapcfg, TSConfigRelationId) \
	X(TS_DICT, TSDictionaryRelationId, TSDictionaryOidIndexId, 0, Anum_pg_ts_dict_oid, TSDictionaryRelationId) \
	X(TS_PARSER, TSParserRelationId, TSParserOidIndexId, 0, Anum_pg_ts_parser_oid, TSParserRelationId) \
	X(TS_TEMPLATE, TSTemplateRelationId, TSTemplateOidIndexId, 0, Anum_pg_ts_template_oid, TSTemplateRelationId) \
	X(LANGUAGE, LanguageRelationId, LanguageOidIndexId, 0, Anum_pg_language_oid, LanguageRelationId) \
	X(TRANSFORM, TransformRelationId, TransformOidIndexId, 0, Anum_pg_transform_oid, TransformRelationId) \
	X(EXTENSION, ExtensionRelationId, ExtensionOidIndexId, 0, Anum_pg_extension_oid, ExtensionRelationId) \
	X(EVENT_TRIGGER, EventTriggerRelationId, EventTriggerOidIndexId, 0, Anum_pg_event_trigger_oid, EventTriggerRelationId) \
	X(FDW, ForeignDataWrapperRelationId, ForeignDataWrapperOidIndexId, 0, Anum_pg_foreign_data_wrapper_oid, ForeignDataWrapperRelationId) \
	X(SERVER, ForeignServerRelationId, ForeignServerOidIndexId, 0, Anum_pg_foreign_server_oid, ForeignServerRelationId) \
	X(USER_MAPPING, UserMappingRelationId, UserMappingOidIndexId, 0, Anum_pg_user_mapping_oid, UserMappingRelationId) \
	X(PUBLICATION, PublicationRelationId, PublicationObjectIndexId, 0, Anum_pg_publication_oid, PublicationRelationId) \
	X(PUBLICATION_REL, PublicationRelRelationId, PublicationRelObjectIndexId, 0, Anum_pg_publication_rel_oid, PublicationRelRelationId) \
	X(PUBLICATION_NAMESPACE, PublicationNamespaceRelationId, PublicationNamespaceObjectIndexId, 0, Anum_pg_publication_namespace_oid, PublicationNamespaceRelationId) \
	X(SUBSCRIPTION, SubscriptionRelationId, SubscriptionObjectIndexId, 0, Anum_pg_subscription_oid, SubscriptionRelationId) \
	X(DEFAULT_ACL, DefaultAclRelationId, DefaultAclOidIndexId, 0, Anum_pg_default_acl_oid, DefaultAclRelationId) \
	X(SETTING, DbRoleSettingRelationId, InvalidOid, 0, Anum_pg_db_role_setting_setrole, DbRoleSettingRelationId) \
	X(DESCRIPTION, DescriptionRelationId, DescriptionObjIndexId, Anum_pg_description_classoid, Anum_pg_description_objoid, InvalidOid) \
	X(INIT_PRIVS, InitPrivsRelationId, InitPrivsObjIndexId, Anum_pg_init_privs_classoid, Anum_pg_init_privs_objoid, InvalidOid) \
	X(SECLABEL, SecLabelRelationId, SecLabelObjectIndexId, Anum_pg_seclabel_classoid, Anum_pg_seclabel_objoid, InvalidOid) \
	X(SHSECLABEL, SharedSecLabelRelationId, SharedSecLabelObjectIndexId, Anum_pg_shseclabel_classoid, Anum_pg_shseclabel_objoid, InvalidOid) \
	X(AUTHID, AuthIdRelationId, AuthIdOidIndexId, 0, Anum_pg_authid_oid, AuthIdRelationId) \
	X(TABLESPACE, TableSpaceRelationId, TablespaceOidIndexId, 0, Anum_pg_tablespace_oid, TableSpaceRelationId) \
	X(DEPEND, DependRelationId, DependDependerIndexId, Anum_pg_depend_classid, Anum_pg_depend_objid, InvalidOid)
/* clang-format on */

#define DBVC_SHELF_ENUM(symbol, relation, index, class_attribute, key, owner) \
	DBVC_SHELF_##symbol,
typedef enum DbvcShelf
{
	DBVC_SHELVES(DBVC_SHELF_ENUM) DBVC_SHELF_COUNT
} DbvcShelf;

/* A row; lives as long as its catalog. */
typedef struct DbvcRow
{
	struct DbvcRow *next; /* of the same key on the same shelf, or NULL */
	HeapTupleData tuple;
} DbvcRow;

/* Fixed part of a row, as in dbvc_form(row, pg_class)->relkind. */
#define dbvc_form(row, catalog) ((Form_##catalog) GETSTRUCT(&(row)->tuple))

/* Made with dbvc_catalog_open(); inside, see catalog.c. */
typedef struct DbvcCatalog DbvcCatalog;

/* in catalog.c */

/*
 * Open the catalogs under a registered snapshot, in the current memory
 * context, which must outlive it.  full: read everything now, and sum it up;
 * else rows are fetched when asked for.  Takes AccessShareLock on system catalogs, released at
 * once.  Left out: system columns, internal triggers that fire as usual, rows of pg_depend that
 * say neither membership of an extension nor who owns a sequence, an index of a constraint or a toast table.
 */
extern DbvcCatalog *dbvc_catalog_open(Snapshot snapshot, bool full);
extern Snapshot dbvc_catalog_snapshot(const DbvcCatalog *catalog);
/* Memory for what shall live as long as the catalog. */
extern MemoryContext dbvc_catalog_context(const DbvcCatalog *catalog);
/* Is it full? */
extern bool dbvc_catalog_is_full(const DbvcCatalog *catalog);

/* The rows of a key, in no order, or NULL.  classid: of shelves that have a
 * class attribute, else InvalidOid. */
extern DbvcRow *dbvc_catalog_rows(DbvcCatalog *catalog, DbvcShelf shelf,
								  Oid classid, Oid key);
/* The only row of a key, or NULL. */
#define dbvc_catalog_row(catalog, shelf, key) \
	dbvc_catalog_rows((catalog), (shelf), InvalidOid, (key))

/* Any attribute of a row. */
extern Datum dbvc_row_attribute(DbvcCatalog *catalog, DbvcShelf shelf,
								const DbvcRow *row, AttrNumber attribute,
								bool *isnull);
/* A varlena attribute, detoasted; NULL when null.  In the current context, or in the row itself. */
extern struct varlena *dbvc_row_varlena(DbvcCatalog *catalog, DbvcShelf shelf,
										const DbvcRow *row,
										AttrNumber attribute);
/* A text or pg_node_tree attribute as a C string; NULL when null. palloc'd. */
extern char *dbvc_row_string(DbvcCatalog *catalog, DbvcShelf shelf,
							 const DbvcRow *row, AttrNumber attribute);

/* Every row of a shelf of a full catalog, in no order. */
extern void dbvc_catalog_each(DbvcCatalog *catalog, DbvcShelf shelf,
							  void (*visit)(DbvcRow *row, void *arg),
							  void *arg);

/* The keys of a shelf of a full catalog, each once, in order; for shelves without a class attribute. palloc'd */
extern Oid *dbvc_catalog_keys(DbvcCatalog *catalog, DbvcShelf shelf,
							  int *count);

/* What is left out of every catalog, whatever else there is. */
extern bool dbvc_catalog_skips(Oid relation, HeapTuple tuple);
/* Is shown every row of every relation, those that are left out too. */
typedef void (*DbvcRowObserver)(Relation relation, DbvcShelf shelf,
								HeapTuple tuple, void *arg);
/* dbvc_catalog_open(snapshot, true) with somebody who looks on; NULL unless
 * rows are to be kept. */
extern DbvcCatalog *dbvc_catalog_scan(Snapshot snapshot, bool keep,
									  DbvcRowObserver observer, void *arg);
/* What the table of shelves says. */
typedef struct DbvcShelfInfo
{
	const char *name;
	Oid relation;
	Oid index;
	AttrNumber class_attribute;
	AttrNumber key;
	Oid owner;
} DbvcShelfInfo;
extern const DbvcShelfInfo *dbvc_shelf_info(DbvcShelf shelf);

/* Shelf whose rows are the objects of a class (the one whose key is the
 * class's own OID); DBVC_SHELF_COUNT when there is none. */
extern DbvcShelf dbvc_shelf_of_class(Oid classid);

#endif /* DBVC_CATALOG_H */
