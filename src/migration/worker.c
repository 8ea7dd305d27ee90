/*
 * worker.c
 *		One statement at top level, in a background worker.
 *
 * Leader and worker share a dynamic segment with the task, the statement, the
 * leader's settings (in the server's own serialised form, as parallel workers
 * get them) and a message queue.  What the worker has to say, notices and its
 * error among it, comes over the queue as protocol messages.
 *
 * While it waits, the leader is in a transaction that holds no snapshot:
 * CREATE INDEX CONCURRENTLY waits for every older snapshot, and a leader that
 * held one would wait for itself for ever, unseen by the deadlock detector.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "storage/shm_toc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#define TASK_MAGIC 0x64627663 /* "dbvc" */
#define KEY_TASK 1
#define KEY_STATEMENT 2
#define KEY_SETTINGS 3
#define KEY_QUEUE 4
#define QUEUE_SIZE 65536
#define MESSAGE_DONE 'C' /* CommandComplete */
#define MESSAGE_ERROR 'E'
#define MESSAGE_NOTICE 'N'

PGDLLEXPORT void dbvc_toplevel_main(Datum main_arg);

/* Written by the leader before the worker starts, read only after. */
typedef struct ToplevelTask
{
	Oid database;
	Oid session_user;
	Oid role;
	bool role_is_superuser;
} ToplevelTask;

/* The leader's view of a worker at work. */
typedef struct Toplevel
{
	DbvcScript *script;
	int number;
	const char *sql;
	bool of_script; /* sql is the script's statement */
	dsm_segment *segment;
	shm_mq *shared_queue;
	shm_mq_handle *queue;
	BackgroundWorkerHandle *worker;
	ErrorData *error;
	bool done;
} Toplevel;

/* ------------------------------------------------------------- the leader */

static void
check_can_login(Oid role)
{
	HeapTuple tuple;
	bool can_login;

	if (!DBVC_WORKER_NEEDS_LOGIN)
		return;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for role %u", role);
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!can_login)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("session user \"%s\" is not permitted to log in",
						GetUserNameFromId(role, false)),
				 errdetail("A background worker connects as the session "
						   "user."),
				 errhint("Log in as the role, or use SET ROLE instead of SET "
						 "SESSION AUTHORIZATION.")));
}

/*
 * Build the segment: task, statement, and the settings of this session as
 * the script has changed them.
 */
static void
build_segment(Toplevel *top)
{
	Size sql_size = strlen(top->sql) + 1;
	Size settings_size;
	shm_toc_estimator estimator;
	ToplevelTask *task;
	shm_toc *toc;
	char *space;

	check_can_login(GetSessionUserId());
	settings_size = EstimateGUCStateSpace();
	shm_toc_initialize_estimator(&estimator);
	shm_toc_estimate_chunk(&estimator, sizeof(ToplevelTask));
	shm_toc_estimate_chunk(&estimator, sql_size);
	shm_toc_estimate_chunk(&estimator, settings_size);
	shm_toc_estimate_chunk(&estimator, QUEUE_SIZE);
	shm_toc_estimate_keys(&estimator, 4);
	top->segment = dsm_create(shm_toc_estimate(&estimator), 0);
	dsm_pin_mapping(top->segment);
	toc = shm_toc_create(TASK_MAGIC, dsm_segment_address(top->segment),
						 shm_toc_estimate(&estimator));

	task = shm_toc_allocate(toc, sizeof(ToplevelTask));
	task->database = MyDatabaseId;
	task->session_user = GetSessionUserId();
	task->role = GetUserId();
	task->role_is_superuser = superuser();
	shm_toc_insert(toc, KEY_TASK, task);
	space = shm_toc_allocate(toc, sql_size);
	memcpy(space, top->sql, sql_size);
	shm_toc_insert(toc, KEY_STATEMENT, space);
	space = shm_toc_allocate(toc, settings_size);
	SerializeGUCState(settings_size, space);
	shm_toc_insert(toc, KEY_SETTINGS, space);
	top->shared_queue =
		shm_mq_create(shm_toc_allocate(toc, QUEUE_SIZE), QUEUE_SIZE);
	shm_toc_insert(toc, KEY_QUEUE, top->shared_queue);
	shm_mq_set_receiver(top->shared_queue, MyProc);
}

static void
start_worker(Toplevel *top)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags =
		BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(top->segment));
	strlcpy(worker.bgw_library_name, "dbvc", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "dbvc_toplevel_main", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "dbvc worker for PID %d", MyProcPid);
	strlcpy(worker.bgw_type, "dbvc worker", BGW_MAXLEN);
	if (!RegisterDynamicBackgroundWorker(&worker, &top->worker))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker slot is free"),
				 errdetail("Statements that cannot run in a transaction need "
						   "one."),
				 errhint("Raise max_worker_processes, or migrate when fewer "
						 "workers run.")));
	top->queue = shm_mq_attach(top->shared_queue, top->segment, top->worker);
}

static void
read_message(Toplevel *top, char *data, Size len)
{
	ErrorData *error;
	StringInfoData message;

	initStringInfo(&message);
	appendBinaryStringInfo(&message, data, len);
	switch (pq_getmsgbyte(&message))
	{
		case MESSAGE_DONE:
			top->done = true;
			break;
		case MESSAGE_ERROR:
			error = palloc0(sizeof(ErrorData));
			pq_parse_errornotice(&message, error);
			error->elevel = ERROR;
			top->error = error;
			break;
		case MESSAGE_NOTICE:
			error = palloc0(sizeof(ErrorData));
			pq_parse_errornotice(&message, error);
			ThrowErrorData(error);
			break;
		default:
			break;
	}
}

/* Stop the worker: on our own error or cancellation, and when we die. */
static void
stop_worker(int code, Datum arg)
{
	Toplevel *top = (Toplevel *) DatumGetPointer(arg);

	TerminateBackgroundWorker(top->worker);
	if (code != 0)
		return; /* this process ends: do not wait for another */
	/* else it could wait for room in the queue, for its last words */
	if (top->queue != NULL)
		shm_mq_detach(top->queue);
	top->queue = NULL;
	HOLD_INTERRUPTS();
	(void) WaitForBackgroundWorkerShutdown(top->worker);
	RESUME_INTERRUPTS();
}

static void
wait_for_worker(Toplevel *top)
{
	for (;;)
	{
		Size len;
		void *data;
		shm_mq_result result = shm_mq_receive(top->queue, &len, &data, true);

		if (result == SHM_MQ_SUCCESS)
		{
			read_message(top, data, len);
			continue;
		}
		if (result == SHM_MQ_DETACHED)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	(void) WaitForBackgroundWorkerShutdown(top->worker);
}

static void
raise_worker_error(const Toplevel *top)
{
	if (top->error != NULL)
		ThrowErrorData(top->error);
	if (top->done)
		return;
	ereport(ERROR, (errcode(ERRCODE_DBVC_WORKER_LOST),
					errmsg("background worker ended without an answer"),
					errdetail("It may have been terminated."),
					errhint("Look into the server log, and run the migration "
							"again: it resumes at this statement.")));
}

/* Errors in between are those of the script's statement. */
static void
position_begin(Toplevel *top)
{
	DbvcScript *script = top->script;

	if (!top->of_script)
		return;
	script->current = top->number;
	script->base = script->statements[top->number].start;
	dbvc_script_error_begin(script);
}

static void
position_end(Toplevel *top)
{
	if (top->of_script)
		dbvc_script_error_end(top->script);
}

static void
prepare(void *arg)
{
	Toplevel *top = arg;
	int guc_level = NewGUCNestLevel();
	Oid userid;
	int sec_context;

	dbvc_script_user(&userid, &sec_context);
	dbvc_script_replay_settings(top->script, top->number);
	position_begin(top);
	build_segment(top);
	position_end(top);
	SetUserIdAndSecContext(userid, sec_context);
	AtEOXact_GUC(false, guc_level);
}

/* No catalog may be looked at in here before the worker has ended. */
static void
run_worker(void *arg)
{
	Toplevel *top = arg;

	position_begin(top);
	start_worker(top);
	InvalidateCatalogSnapshot();
	PG_ENSURE_ERROR_CLEANUP(stop_worker, PointerGetDatum(top));
	{
		wait_for_worker(top);
	}
	PG_END_ENSURE_ERROR_CLEANUP(stop_worker, PointerGetDatum(top));
	raise_worker_error(top);
	position_end(top);
}

ErrorData *
dbvc_toplevel_execute(DbvcScript *script, int number, const char *sql)
{
	Toplevel top = {.script = script, .number = number};
	ErrorData *error;

	top.of_script = sql == NULL;
	top.sql = sql ? sql : dbvc_statement_text(script, number);
	/* keeps nothing: what a replayed setting did besides is not committed */
	error = dbvc_subtransaction(prepare, &top, false);
	SPI_commit();
	if (error == NULL)
	{
		pgstat_report_activity(STATE_RUNNING, top.sql);
		error = dbvc_subtransaction(run_worker, &top, true);
		pgstat_report_activity(STATE_RUNNING, debug_query_string);
	}
	script->error_statement = error ? script->error_statement : 0;
	script->error_line = error ? script->error_line : 0;
	script->error_column = error ? script->error_column : 0;
	/* what the worker did to the catalogs counts from here on */
	AcceptInvalidationMessages();
	if (top.segment != NULL)
		dsm_detach(top.segment);
	return error;
}

/* ------------------------------------------------------------- the worker */

static void
become_the_caller(const ToplevelTask *task, void *settings)
{
	BackgroundWorkerInitializeConnectionByOid(task->database,
											  task->session_user,
											  DBVC_WORKER_CONNECT_FLAGS);
	StartTransactionCommand();
	RestoreGUCState(settings);
	if (task->role != task->session_user)
		SetCurrentRoleId(task->role, task->role_is_superuser);
	CommitTransactionCommand();
	/* the leader takes messages as they are */
	SetClientEncoding(GetDatabaseEncoding());
}

/*
 * The parse tree must outlive the transactions that CREATE INDEX CONCURRENTLY
 * commits on its way, so it stands in a context of its own.
 */
static void
execute_at_top_level(const char *sql)
{
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "dbvc statement",
							  ALLOCSET_DEFAULT_SIZES);
	List *raw;

	SetCurrentStatementStartTimestamp();
	debug_query_string = sql;
	pgstat_report_activity(STATE_RUNNING, sql);
	StartTransactionCommand();
	if (StatementTimeout > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	MemoryContextSwitchTo(context);
	raw = raw_parser(sql, RAW_PARSE_DEFAULT);
	dbvc_execute_statement(linitial_node(RawStmt, raw), sql, true,
						   None_Receiver);
	disable_timeout(STATEMENT_TIMEOUT, false);
	CommitTransactionCommand();
	pgstat_report_activity(STATE_IDLE, NULL);
}

void
dbvc_toplevel_main(Datum main_arg)
{
	dsm_segment *segment;
	shm_toc *toc;
	shm_mq *queue;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(main_arg));
	if (segment == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("could not map dynamic shared memory segment"),
						errhint("The session that started this worker has "
								"probably ended.")));
	toc = shm_toc_attach(TASK_MAGIC, dsm_segment_address(segment));
	if (toc == NULL)
		elog(ERROR, "dynamic shared memory segment is not a dbvc task");
	queue = shm_toc_lookup(toc, KEY_QUEUE, false);
	shm_mq_set_sender(queue, MyProc);
	pq_redirect_to_shm_mq(segment, shm_mq_attach(queue, segment, NULL));

	/* an error from here on goes to the leader and ends this process */
	become_the_caller(shm_toc_lookup(toc, KEY_TASK, false),
					  shm_toc_lookup(toc, KEY_SETTINGS, false));
	(void) dbvc_script_enter("");
	execute_at_top_level(shm_toc_lookup(toc, KEY_STATEMENT, false));
	pq_putemptymessage(MESSAGE_DONE);
}
