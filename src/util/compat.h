/*
 * compat.h
 *		Every difference between PostgreSQL 15, 16, 17, 18 and 19.
 *
 * No other file of the project mentions PG_VERSION_NUM; test/layers.sh
 * enforces that.
 */
#ifndef DBVC_COMPAT_H
#define DBVC_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "dbvc needs PostgreSQL 15 or newer"
#endif

#if PG_VERSION_NUM >= 160000
#include "access/tableam.h"
#include "varatt.h"
#endif

/* Module magic that carries name and version (18). */
#if PG_VERSION_NUM >= 180000
#define DBVC_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "dbvc", .version = DBVC_VERSION)
#else
#define DBVC_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* Stands before the declaration; the older form stood behind "void". */
#if PG_VERSION_NUM >= 180000
#define DBVC_NORETURN pg_noreturn
#else
#define DBVC_NORETURN pg_attribute_noreturn()
#endif

/* PortalRun() lost its run_once argument in 18. */
#if PG_VERSION_NUM >= 180000
#define dbvc_portal_run(portal, toplevel, dest, qc) \
	PortalRun((portal), FETCH_ALL, (toplevel), (dest), (dest), (qc))
#else
#define dbvc_portal_run(portal, toplevel, dest, qc) \
	PortalRun((portal), FETCH_ALL, (toplevel), true, (dest), (dest), (qc))
#endif

/* REPACK took over CLUSTER in 19. */
#if PG_VERSION_NUM >= 190000
#define DBVC_CLUSTER_TAG T_RepackStmt
#define dbvc_cluster_relation(node) \
	(((RepackStmt *) (node))->relation \
		 ? ((RepackStmt *) (node))->relation->relation \
		 : NULL)
#define dbvc_cluster_concurrently(node) \
	option_set(((RepackStmt *) (node))->params, "concurrently", false)
#else
#define DBVC_CLUSTER_TAG T_ClusterStmt
#define dbvc_cluster_relation(node) (((ClusterStmt *) (node))->relation)
#define dbvc_cluster_concurrently(node) false
#endif

/*
 * Rights on the columns that COPY writes stand in the range table entry
 * before 16, in a permission info after.
 */
#if PG_VERSION_NUM >= 160000
#define dbvc_check_copy_rights(pstate, nsitem, columns) \
	do \
	{ \
		(nsitem)->p_perminfo->requiredPerms = ACL_INSERT; \
		(nsitem)->p_perminfo->insertedCols = (columns); \
		(void) ExecCheckPermissions((pstate)->p_rtable, \
									list_make1((nsitem)->p_perminfo), true); \
	} while (0)
#else
#define dbvc_check_copy_rights(pstate, nsitem, columns) \
	do \
	{ \
		(nsitem)->p_rte->requiredPerms = ACL_INSERT; \
		(nsitem)->p_rte->insertedCols = (columns); \
		(void) ExecCheckRTPerms((pstate)->p_rtable, true); \
	} while (0)
#endif

/* LockHeldByMe() can also accept stronger modes from 17 on. */
#if PG_VERSION_NUM >= 170000
#define DBVC_LOCK_HELD_EXACTLY , false
#else
#define DBVC_LOCK_HELD_EXACTLY
#endif

/* From 16 on, membership alone does not allow SET ROLE. */
#if PG_VERSION_NUM >= 160000
#define dbvc_can_set_role(member, role) member_can_set_role((member), (role))
#else
#define dbvc_can_set_role(member, role) is_member_of_role((member), (role))
#endif

/* A worker may connect as a role without LOGIN from 17 on. */
#if PG_VERSION_NUM >= 170000
#define DBVC_WORKER_CONNECT_FLAGS BGWORKER_BYPASS_ROLELOGINCHECK
#define DBVC_WORKER_NEEDS_LOGIN false
#else
#define DBVC_WORKER_CONNECT_FLAGS 0
#define DBVC_WORKER_NEEDS_LOGIN true
#endif

/* Arguments of index_beginscan() came in 18 and 19. */
#if PG_VERSION_NUM >= 190000
#define dbvc_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), NULL, (nkeys), 0, 0)
#elif PG_VERSION_NUM >= 180000
#define dbvc_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), NULL, (nkeys), 0)
#else
#define dbvc_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), (nkeys), 0)
#endif

/* Summarizing indexes made the answer of an update threefold in 16, flags
 * became one argument in 19. */
#if PG_VERSION_NUM >= 190000
#define dbvc_insert_index_tuples(info, slot, estate, update, \
								 only_summarizing) \
	ExecInsertIndexTuples((info), (estate), \
						  ((update) ? EIIT_IS_UPDATE : 0) | \
							  ((only_summarizing) ? EIIT_ONLY_SUMMARIZING \
												  : 0), \
						  (slot), NIL, NULL)
#elif PG_VERSION_NUM >= 160000
#define dbvc_insert_index_tuples(info, slot, estate, update, \
								 only_summarizing) \
	ExecInsertIndexTuples((info), (slot), (estate), (update), false, NULL, \
						  NIL, (only_summarizing))
#else
#define dbvc_insert_index_tuples(info, slot, estate, update, \
								 only_summarizing) \
	ExecInsertIndexTuples((info), (slot), (estate), (update), false, NULL, NIL)
#endif
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes DbvcUpdateIndexes;
#define dbvc_update_indexes_any(answer) ((answer) != TU_None)
#define dbvc_update_indexes_summarizing(answer) ((answer) == TU_Summarizing)
#else
typedef bool DbvcUpdateIndexes;
#define dbvc_update_indexes_any(answer) (answer)
#define dbvc_update_indexes_summarizing(answer) false
#endif

/* The sequence of an identity column is asked for by relation from 17 on. */
#if PG_VERSION_NUM >= 170000
#define dbvc_identity_sequence(relation, column) \
	getIdentitySequence((relation), (column), false)
#else
#define dbvc_identity_sequence(relation, column) \
	getIdentitySequence(RelationGetRelid(relation), (column), false)
#endif

/* Ownership is asked for by class from 16 on. */
#if PG_VERSION_NUM >= 160000
#define dbvc_owns_relation(relation, role) \
	object_ownercheck(RelationRelationId, (relation), (role))
#else
#define dbvc_owns_relation(relation, role) \
	pg_class_ownercheck((relation), (role))
#endif

/* A scan of a table takes flags from 19 on. */
#if PG_VERSION_NUM >= 190000
#define dbvc_table_beginscan(relation, snapshot) \
	table_beginscan((relation), (snapshot), 0, NULL, 0)
#else
#define dbvc_table_beginscan(relation, snapshot) \
	table_beginscan((relation), (snapshot), 0, NULL)
#endif

/* NOT NULL is a constraint with a row of its own from 18 on. */
#if PG_VERSION_NUM >= 180000
#define DBVC_NOT_NULL_CONSTRAINTS true
#else
#define DBVC_NOT_NULL_CONSTRAINTS false
#endif

/* Constraints over periods, and such that are not enforced, came in 18. */
#if PG_VERSION_NUM >= 180000
#define dbvc_constraint_period(form) ((form)->conperiod)
#define dbvc_constraint_enforced(form) ((form)->conenforced)
#else
#define dbvc_constraint_period(form) ((void) (form), false)
#define dbvc_constraint_enforced(form) ((void) (form), true)
#endif

/* What publications and subscriptions can say grows with every version. */
#if PG_VERSION_NUM >= 190000
#define dbvc_publication_all_sequences(form) ((form)->puballsequences)
#define dbvc_publication_except(form) ((form)->prexcept)
#define dbvc_subscription_retain_dead_tuples(form) \
	((form)->subretaindeadtuples)
#define dbvc_subscription_max_retention(form) ((form)->submaxretention)
#define dbvc_subscription_server(form) ((form)->subserver)
#define DBVC_SUBSCRIPTION_RECEIVER_TIMEOUT \
	Anum_pg_subscription_subwalrcvtimeout
#else
#define dbvc_publication_all_sequences(form) ((void) (form), false)
#define dbvc_publication_except(form) ((void) (form), false)
#define dbvc_subscription_retain_dead_tuples(form) ((void) (form), false)
#define dbvc_subscription_max_retention(form) ((void) (form), 0)
#define dbvc_subscription_server(form) ((void) (form), InvalidOid)
#define DBVC_SUBSCRIPTION_RECEIVER_TIMEOUT InvalidAttrNumber
#endif
#if PG_VERSION_NUM >= 180000
#define dbvc_publication_generated(form) ((form)->pubgencols)
#else
#define dbvc_publication_generated(form) ((void) (form), 'n')
#endif
#if PG_VERSION_NUM >= 170000
#define dbvc_subscription_failover(form) ((form)->subfailover)
#else
#define dbvc_subscription_failover(form) ((void) (form), false)
#endif
#if PG_VERSION_NUM >= 160000
#define dbvc_subscription_stream(form) ((form)->substream)
#define dbvc_subscription_password_required(form) ((form)->subpasswordrequired)
#define dbvc_subscription_run_as_owner(form) ((form)->subrunasowner)
#define DBVC_SUBSCRIPTION_ORIGIN Anum_pg_subscription_suborigin
#else
#define dbvc_subscription_stream(form) ((form)->substream ? 't' : 'f')
#define dbvc_subscription_password_required(form) ((void) (form), true)
#define dbvc_subscription_run_as_owner(form) ((void) (form), false)
#define DBVC_SUBSCRIPTION_ORIGIN InvalidAttrNumber
#endif

/* JSON became a word of the grammar in 16: the type is spelled by it. */
#if PG_VERSION_NUM >= 160000
#define DBVC_JSON_IS_KEYWORD 1
#else
#define DBVC_JSON_IS_KEYWORD 0
#endif

/*
 * Not-null constraints are rows of pg_constraint, those of domains from 17 on, of
 * tables from 18 on; pg_dump of 17 does not keep their names.
 */
#define DBVC_CONSTRAINT_NOTNULL 'n'
#if PG_VERSION_NUM >= 180000
#define DBVC_NOT_NULL_NAME_IS_KEPT true
#else
#define DBVC_NOT_NULL_NAME_IS_KEPT false
#endif

/* The locale of a collation that is not libc's; rules of ICU came in 16. */
#if PG_VERSION_NUM >= 170000
#define DBVC_COLLATION_LOCALE Anum_pg_collation_colllocale
#else
#define DBVC_COLLATION_LOCALE Anum_pg_collation_colliculocale
#endif
#if PG_VERSION_NUM >= 160000
#define DBVC_COLLATION_RULES Anum_pg_collation_collicurules
#else
#define DBVC_COLLATION_RULES 0
#endif

/* Default privileges of large objects (18). */
#if PG_VERSION_NUM >= 180000
#define DBVC_DEFAULT_ACL_LARGE_OBJECT DEFACLOBJ_LARGEOBJECT
#else
#define DBVC_DEFAULT_ACL_LARGE_OBJECT '\0'
#endif

/* A foreign-data wrapper can make connection strings for subscriptions (19). */
#if PG_VERSION_NUM >= 190000
#define dbvc_fdw_connection(form) ((form)->fdwconnection)
#else
#define dbvc_fdw_connection(form) InvalidOid
#endif

#endif /* DBVC_COMPAT_H */
