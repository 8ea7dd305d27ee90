/*
 * reshape.c
 *		Lists of steps: making, telling and running them.
 */
#include "document/reshape.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/wait_event.h"

#define RETRY_PAUSE_MS 100 /* after the first attempt; grows with each */

#define FORMAT_INTO(text, format) \
	do \
	{ \
		StringInfoData format_buffer; \
		initStringInfo(&format_buffer); \
		for (;;) \
		{ \
			va_list format_args; \
			int needed; \
			va_start(format_args, format); \
			needed = appendStringInfoVA(&format_buffer, format, format_args); \
			va_end(format_args); \
			if (needed == 0) \
				break; \
			enlargeStringInfo(&format_buffer, needed); \
		} \
		(text) = format_buffer.data; \
	} while (0)

static DbvcStep *
make_step(const char *action, const char *statement)
{
	DbvcStep *step = palloc0(sizeof(DbvcStep));

	step->action = action;
	step->statement = statement;
	return step;
}

void
dbvc_step(DbvcReshape *reshape, const char *action, const char *format, ...)
{
	char *statement;

	FORMAT_INTO(statement, format);
	reshape->steps = lappend(reshape->steps, make_step(action, statement));
}

void
dbvc_step_none(DbvcReshape *reshape, const char *format, ...)
{
	char *action;

	FORMAT_INTO(action, format);
	reshape->notes = lappend(reshape->notes, make_step(action, NULL));
}

void
dbvc_step_dependent(DbvcReshape *reshape, const char *dependent,
					const char *statement)
{
	DbvcStep *step = make_step(psprintf("re-point %s", dependent), statement);

	step->dependent = dependent;
	reshape->steps = lappend(reshape->steps, step);
}

void
dbvc_step_role(DbvcReshape *reshape, Oid role)
{
	((DbvcStep *) llast(reshape->steps))->role = role;
}

void
dbvc_problem(DbvcReshape *reshape, int sqlstate, const char *format, ...)
{
	DbvcProblem *problem = palloc(sizeof(DbvcProblem));
	char *text;

	FORMAT_INTO(text, format);
	problem->sqlstate = sqlstate;
	problem->text = text;
	reshape->problems = lappend(reshape->problems, problem);
}

void
dbvc_reshape_warn(DbvcReshape *reshape, const char *format, ...)
{
	char *text;

	FORMAT_INTO(text, format);
	reshape->warnings = lappend(reshape->warnings, text);
}

void
dbvc_reshape_notice(DbvcReshape *reshape, const char *format, ...)
{
	char *text;

	FORMAT_INTO(text, format);
	reshape->notices = lappend(reshape->notices, text);
}

void
dbvc_reshape_refuse(const DbvcReshape *reshape, const char *what)
{
	const DbvcProblem *first;
	StringInfoData all;
	ListCell *lc;

	if (reshape->problems == NIL)
		return;
	first = linitial(reshape->problems);
	initStringInfo(&all);
	foreach (lc, reshape->problems)
	{
		const DbvcProblem *problem = lfirst(lc);

		appendStringInfo(&all, "%s%s", all.len > 0 ? "\n" : "", problem->text);
	}
	ereport(ERROR, (errcode(first->sqlstate), errmsg("%s", what),
					errdetail_internal("%s", all.data),
					errhint("docs/adopt.md says of "
							"each what can be done.")));
}

void
dbvc_reshape_tell(const DbvcReshape *reshape)
{
	ListCell *lc;

	foreach (lc, reshape->warnings)
		ereport(WARNING, (errmsg("%s", (char *) lfirst(lc))));
	foreach (lc, reshape->notices)
		ereport(NOTICE, (errmsg("%s", (char *) lfirst(lc))));
}

static void
run_statement(void *arg)
{
	const char *statement = arg;
	int rc = SPI_execute(statement, false, 0);

	if (rc < 0)
		elog(ERROR, "could not execute \"%s\": %s", statement,
			 SPI_result_code_string(rc));
}

/* A dependent that fails must be named, with all others that do. */
static void
run_dependent(DbvcReshape *reshape, const DbvcStep *step)
{
	ErrorData *error =
		dbvc_subtransaction(run_statement, (void *) step->statement, true);

	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	dbvc_problem(reshape, error->sqlerrcode, "%s cannot follow: %s",
				 step->dependent, error->message);
}

static void
run_as(const DbvcStep *step)
{
	Oid userid;
	int sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	if (OidIsValid(step->role))
		SetUserIdAndSecContext(step->role,
							   sec_context | SECURITY_LOCAL_USERID_CHANGE);
	run_statement((void *) step->statement);
	SetUserIdAndSecContext(userid, sec_context);
}

void
dbvc_reshape_execute(DbvcReshape *reshape, int *done, const char *what)
{
	for (; *done < list_length(reshape->steps); (*done)++)
	{
		const DbvcStep *step = list_nth(reshape->steps, *done);

		CHECK_FOR_INTERRUPTS();
		if (strcmp(step->action, DBVC_STEP_REGISTER) == 0)
			return;
		if (step->dependent != NULL)
		{
			run_dependent(reshape, step);
			continue;
		}
		/* what comes after the dependents may fail for their sake */
		dbvc_reshape_refuse(reshape, what);
		run_as(step);
	}
	dbvc_reshape_refuse(reshape, what);
}

static int
return_steps(ReturnSetInfo *result, const List *steps, int number)
{
	ListCell *lc;

	foreach (lc, steps)
	{
		const DbvcStep *step = lfirst(lc);
		Datum values[3] = {0};
		bool nulls[3] = {false, false, step->statement == NULL};

		values[0] = Int32GetDatum(++number);
		values[1] = CStringGetTextDatum(step->action);
		if (step->statement != NULL)
			values[2] = CStringGetTextDatum(step->statement);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	return number;
}

void
dbvc_reshape_return(FunctionCallInfo fcinfo, const DbvcReshape *reshape)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	(void) return_steps(result, reshape->notes,
						return_steps(result, reshape->steps, 0));
}

/* -------------------------------------------------------------- catalogs */

List *
dbvc_reshape_rows(const char *sql, Oid relation, const char *text, int number)
{
	Oid types[] = {OIDOID, TEXTOID, INT4OID};
	Datum values[3] = {ObjectIdGetDatum(relation),
					   text ? CStringGetTextDatum(text) : (Datum) 0,
					   Int32GetDatum(number)};
	char nulls[] = {' ', text ? ' ' : 'n', ' '};
	List *rows = NIL;
	int rc = SPI_execute_with_args(sql, 3, types, values, nulls, false, 0);

	if (rc < 0 || SPI_tuptable == NULL)
		elog(ERROR, "could not execute \"%s\": %s", sql,
			 SPI_result_code_string(rc));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		TupleDesc desc = SPI_tuptable->tupdesc;
		char **row = palloc((Size) desc->natts * sizeof(char *));

		for (int column = 0; column < desc->natts; column++)
			row[column] =
				SPI_getvalue(SPI_tuptable->vals[i], desc, column + 1);
		rows = lappend(rows, row);
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

char *
dbvc_reshape_value(const char *sql, Oid relation, const char *text, int number)
{
	List *rows = dbvc_reshape_rows(sql, relation, text, number);

	return rows == NIL ? NULL : ((char **) linitial(rows))[0];
}

bool
dbvc_reshape_true(const char *value)
{
	return value != NULL && value[0] == 't';
}

char *
dbvc_reshape_array(const List *names)
{
	Datum array = PointerGetDatum(dbvc_list_text_array(names));

	return OidOutputFunctionCall(F_ARRAY_OUT, array);
}

char *
dbvc_qualified(const char *schema, const char *name)
{
	return quote_qualified_identifier(schema, name);
}

/* ---------------------------------------------------- settings and locks */

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

int
dbvc_reshape_enter(int lock_timeout)
{
	int level = NewGUCNestLevel();

	set_local("search_path", "pg_catalog, pg_temp");
	if (lock_timeout >= 0)
		set_local("lock_timeout", psprintf("%d", lock_timeout));
	return level;
}

void
dbvc_reshape_leave(int level)
{
	AtEOXact_GUC(false, level);
}

void
dbvc_reshape_attempt(void (*work)(void *arg), void *arg, int attempts)
{
	for (int attempt = 1;; attempt++)
	{
		ErrorData *error = dbvc_subtransaction(work, arg, true);

		if (error == NULL)
			return;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		if (attempt >= attempts)
		{
			error->detail = psprintf("Tried %d times.", attempt);
			error->hint = pstrdup("Look into pg_locks for who holds the "
								  "table, or give a longer lock_timeout or "
								  "more attempts.");
			ReThrowError(error);
		}
		FreeErrorData(error);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 RETRY_PAUSE_MS * attempt, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

void
dbvc_reshape_record(const char *event_type, Oid caller, const char *detail)
{
	DbvcOwnerScope owner;
	DbvcEvent *event;

	dbvc_owner_enter(&owner);
	event = dbvc_event_begin(event_type, caller);
	dbvc_event_text(event, DBVC_EVENT_DETAIL, detail);
	(void) dbvc_event_append(event);
	dbvc_owner_leave(&owner);
}

/* -------------------------------------------------------------- arguments */

void
dbvc_reshape_need(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be null", name)));
}

List *
dbvc_reshape_names(FunctionCallInfo fcinfo, int n, const char *name)
{
	List *names = NIL;
	Datum *elements;
	bool *nulls;
	int count;

	if (PG_ARGISNULL(n))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), NAMEOID, NAMEDATALEN, false,
					  TYPALIGN_CHAR, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not hold null", name)));
		names = lappend(names, pstrdup(NameStr(*DatumGetName(elements[i]))));
	}
	return names;
}

void
dbvc_reshape_lock_arguments(FunctionCallInfo fcinfo, int first,
							DbvcLockArguments *lock)
{
	double ms;

	dbvc_reshape_need(fcinfo, first, "lock_timeout");
	dbvc_reshape_need(fcinfo, first + 1, "lock_attempts");
	ms = DatumGetFloat8(DirectFunctionCall2(
			 interval_part, CStringGetTextDatum("epoch"),
			 IntervalPGetDatum(PG_GETARG_INTERVAL_P(first)))) *
		 1000;
	lock->attempts = PG_GETARG_INT32(first + 1);
	if (ms < 1 || ms > INT_MAX || lock->attempts < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("lock_timeout and lock_attempts must be "
							   "positive")));
	lock->timeout = (int) ms;
	/* an older snapshot would not show what the lock was waited for */
	PreventCommandDuringRecovery("adopting a table");
	PreventCommandIfReadOnly("adopting a table");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("this needs isolation level READ COMMITTED")));
}

Oid
dbvc_adopted_face_of(Oid relation)
{
	DbvcOwnerScope owner;
	char *face;

	dbvc_owner_enter(&owner);
	face = dbvc_reshape_value("SELECT d.face::pg_catalog.oid FROM "
							  "dbvc.document d WHERE $1 IN (d.base, d.face, "
							  "d.items)",
							  relation, NULL, 0);
	dbvc_owner_leave(&owner);
	return face == NULL ? InvalidOid : (Oid) strtoul(face, NULL, 10);
}
