/*
 * compare.c
 *		What a client has in its files against what is registered and applied.
 *
 * One call compares a whole directory: its contents are hashed here, as they
 * would be when registered, so that a client needs to know nothing of
 * checksums.  A content that differs from the one that was applied is
 * recorded, once: whoever reads the history later sees that somebody's files
 * were not what the database had executed.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

/* Of a checksum, in a text for people. */
#define SHOWN_BYTES 6

/* One argument: an array with an element for each content, or NULL. */
typedef struct Column
{
	Datum *values;
	bool *nulls;
} Column;

typedef struct Comparison
{
	ReturnSetInfo *result;
	Oid role;
	bool may_write;
	bool any_applied;	/* a baseline that is not applied is skipped */
	DbvcState **states; /* by id */
	int state_count;
} Comparison;

/* Positions of the arguments. */
enum
{
	ARG_IDS,
	ARG_UP,
	ARG_DOWN,
	ARG_VERIFY,
	ARG_KIND,
	ARG_TRANSACTIONAL,
	ARG_SOURCE,
	ARG_SORT_KEY,
	ARG_PRESENT,
};

/* Answer to one content. */
typedef struct Verdict
{
	const char *verdict;
	bool to_register; /* registering it would record something */
	bool pending;
	char *detail;		   /* or NULL */
	const uint8 *checksum; /* of the content; NULL: there is none */
} Verdict;

static bool
is_kind(const char *kind, const char *wanted)
{
	return strcmp(kind, wanted) == 0;
}

static Column
column_argument(FunctionCallInfo fcinfo, int n, Oid type, int *count)
{
	Column column = {NULL, NULL};
	ArrayType *array;
	int16 typlen;
	bool typbyval;
	char typalign;
	int found;

	if (PG_ARGISNULL(n))
		return column;
	array = PG_GETARG_ARRAYTYPE_P(n);
	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, type, typlen, typbyval, typalign, &column.values,
					  &column.nulls, &found);
	if (*count < 0)
		*count = found;
	if (found != *count || ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays of different lengths"),
				 errdetail("The first has %d elements, number %d has %d.",
						   *count, n + 1, found),
				 errhint("Every array has one element for each content.")));
	return column;
}

static bool
has_value(const Column *column, int i)
{
	return column->values != NULL && !column->nulls[i];
}

static char *
column_text(const Column *column, int i)
{
	return has_value(column, i) ? TextDatumGetCString(column->values[i])
								: NULL;
}

static char *
required_text(const Column *column, int i, const char *name)
{
	char *text = column_text(column, i);

	if (text == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("elements of \"%s\" must not be null", name)));
	return text;
}

static DbvcContent *
content_at(const Column *columns, int i)
{
	DbvcContent *content = palloc0(sizeof(DbvcContent));

	content->id = required_text(&columns[ARG_IDS], i, "ids");
	content->up = required_text(&columns[ARG_UP], i, "up_scripts");
	content->down = column_text(&columns[ARG_DOWN], i);
	content->verify = column_text(&columns[ARG_VERIFY], i);
	content->kind = column_text(&columns[ARG_KIND], i);
	if (content->kind == NULL)
		content->kind = DBVC_KIND_VERSIONED;
	content->has_transactional = has_value(&columns[ARG_TRANSACTIONAL], i);
	if (content->has_transactional)
		content->transactional =
			DatumGetBool(columns[ARG_TRANSACTIONAL].values[i]);
	if (has_value(&columns[ARG_SOURCE], i))
		content->source = DatumGetByteaPP(columns[ARG_SOURCE].values[i]);
	content->sort_key = column_text(&columns[ARG_SORT_KEY], i);
	return content;
}

static int
compare_id(const void *key, const void *member)
{
	return strcmp(key, (*(DbvcState *const *) member)->id);
}

static int
compare_states(const void *a, const void *b)
{
	return strcmp((*(DbvcState *const *) a)->id,
				  (*(DbvcState *const *) b)->id);
}

static DbvcState *
find_state(const Comparison *comparison, const char *id)
{
	DbvcState **found =
		bsearch(id, comparison->states, comparison->state_count,
				sizeof(DbvcState *), compare_id);

	return found ? *found : NULL;
}

static void
read_states(Comparison *comparison)
{
	List *states = dbvc_state_read_all();
	ListCell *lc;

	comparison->states =
		palloc((list_length(states) + 1) * sizeof(DbvcState *));
	foreach (lc, states)
	{
		DbvcState *state = lfirst(lc);

		comparison->states[comparison->state_count++] = state;
		if (state->applied_version != 0 &&
			!is_kind(state->kind, DBVC_KIND_REPEATABLE))
			comparison->any_applied = true;
	}
	qsort(comparison->states, comparison->state_count, sizeof(DbvcState *),
		  compare_states);
}

static bool
is_pending(const Comparison *comparison, const DbvcState *state)
{
	return dbvc_state_pending(state) && dbvc_state_here(state) &&
		   !(comparison->any_applied &&
			 is_kind(state->kind, DBVC_KIND_BASELINE));
}

/* The very file that was applied, though what was made of it differs. */
static bool
same_source(const DbvcState *state, const DbvcContent *content)
{
	static DbvcQuery query = {"SELECT dbvc.event_bytea(e.body, 'source_hash') "
							  "FROM dbvc.change_event e WHERE e.id = $1",
							  1,
							  {INT8OID}};
	Datum value = Int64GetDatum(state->applied_version_event);
	uint8 hash[DBVC_SHA256_LEN];
	bytea *recorded = NULL;
	DbvcPiece piece;

	if (content->source == NULL)
		return false;
	piece.data = VARDATA_ANY(content->source);
	piece.len = VARSIZE_ANY_EXHDR(content->source);
	dbvc_sha256(&piece, 1, hash);
	if (dbvc_query_run(&query, &value, NULL, false, 1) == 1)
		recorded = dbvc_row_bytea(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return recorded != NULL &&
		   VARSIZE_ANY_EXHDR(recorded) == DBVC_SHA256_LEN &&
		   memcmp(VARDATA_ANY(recorded), hash, DBVC_SHA256_LEN) == 0;
}

/* Was this very change recorded since the migration was applied? */
static bool
is_recorded(const DbvcState *state, const DbvcContent *content)
{
	static DbvcQuery query = {
		"SELECT 1 FROM dbvc.change_event e WHERE e.migration_id = $1 "
		"AND e.id > $2 AND e.event_type = 'changed' "
		"AND dbvc.event_bytea(e.body, 'checksum') = $3 LIMIT 1",
		3,
		{TEXTOID, INT8OID, BYTEAOID}};
	Datum values[3];
	bytea *checksum = palloc(VARHDRSZ + DBVC_SHA256_LEN);
	bool recorded;

	SET_VARSIZE(checksum, VARHDRSZ + DBVC_SHA256_LEN);
	memcpy(VARDATA(checksum), content->checksum, DBVC_SHA256_LEN);
	values[0] = CStringGetTextDatum(content->id);
	values[1] =
		Int64GetDatum(Max(state->applied_event, state->applied_version_event));
	values[2] = PointerGetDatum(checksum);
	recorded = dbvc_query_run(&query, values, NULL, false, 1) > 0;
	SPI_freetuptable(SPI_tuptable);
	return recorded;
}

static void
record_change(const Comparison *comparison, const DbvcState *state,
			  const DbvcContent *content)
{
	DbvcEvent *event;

	if (!comparison->may_write || is_recorded(state, content))
		return;
	event = dbvc_event_begin("changed", comparison->role);
	dbvc_event_text(event, DBVC_EVENT_MIGRATION_ID, state->id);
	dbvc_event_int(event, DBVC_EVENT_VERSION, state->applied_version);
	dbvc_event_bytes(event, DBVC_EVENT_CHECKSUM, content->checksum,
					 DBVC_SHA256_LEN);
	dbvc_event_int(event, DBVC_EVENT_CHECKSUM_VERSION, DBVC_CHECKSUM_VERSION);
	(void) dbvc_event_append(event);
}

/* The content differs from the newest version, or there is none. */
static Verdict
judge_new(const Comparison *comparison, const DbvcState *state,
		  const DbvcContent *content)
{
	Verdict verdict = {"new", true, true, NULL};

	/* a baseline comes too late where anything is applied */
	if (comparison->any_applied && is_kind(content->kind, DBVC_KIND_BASELINE))
		verdict.pending = false;
	if (state == NULL)
		return verdict;
	verdict.pending &= dbvc_state_here(state);
	if (state->withdrawn)
		verdict.detail = "was withdrawn";
	else if (state->applied_version != 0)
		verdict.detail = "repeatable, differs from what was applied";
	else
		verdict.detail =
			psprintf("replaces version %lld, which is not applied",
					 (long long) state->version);
	return verdict;
}

static Verdict
judge_applied(const Comparison *comparison, const DbvcState *state,
			  const DbvcContent *content)
{
	Verdict verdict = {"same", false, false, NULL};

	if (memcmp(state->applied_checksum, content->checksum, DBVC_SHA256_LEN) ==
		0)
	{
		if (state->outcome != NULL && strcmp(state->outcome, "accepted") == 0)
			verdict.verdict = "accepted";
		if (state->withdrawn)
			verdict.detail = "was withdrawn";
		/* withdrawn, or its place in the order is another one now */
		verdict.to_register =
			state->withdrawn ||
			(content->sort_key != NULL &&
			 (state->sort_key == NULL ||
			  strcmp(state->sort_key, content->sort_key) != 0));
		return verdict;
	}
	if (same_source(state, content))
	{
		verdict.detail = "the file is what it was, its placeholders are not";
		return verdict;
	}
	verdict.verdict = "changed";
	verdict.detail = psprintf(
		"version %lld is applied, with checksum %s...; this has %s...",
		(long long) state->applied_version,
		dbvc_hex(state->applied_checksum, SHOWN_BYTES),
		dbvc_hex(content->checksum, SHOWN_BYTES));
	record_change(comparison, state, content);
	return verdict;
}

static Verdict
judge(const Comparison *comparison, DbvcContent *content)
{
	DbvcState *state = find_state(comparison, content->id);
	Verdict verdict = {"same", false, false, NULL};

	/* no file says what it requires: that stays as it is registered */
	if (state != NULL)
		content->requires = state->requires;
	dbvc_checksum(content);
	if (state == NULL)
		return judge_new(comparison, NULL, content);
	if (state->applied_version != 0 &&
		!(is_kind(state->kind, DBVC_KIND_REPEATABLE) &&
		  is_kind(content->kind, DBVC_KIND_REPEATABLE)))
		return judge_applied(comparison, state, content);
	if (state->withdrawn ||
		memcmp(state->checksum, content->checksum, DBVC_SHA256_LEN) != 0)
		return judge_new(comparison, state, content);
	verdict.pending = is_pending(comparison, state);
	verdict.to_register = content->sort_key != NULL &&
						  (state->sort_key == NULL ||
						   strcmp(state->sort_key, content->sort_key) != 0);
	return verdict;
}

static void
put_verdict(const Comparison *comparison, const char *id,
			const Verdict *verdict)
{
	Datum values[6] = {0};
	bool nulls[6] = {0};

	values[0] = CStringGetTextDatum(id);
	values[1] = CStringGetTextDatum(verdict->verdict);
	values[2] = BoolGetDatum(verdict->to_register);
	values[3] = BoolGetDatum(verdict->pending);
	nulls[4] = verdict->detail == NULL;
	if (!nulls[4])
		values[4] = CStringGetTextDatum(verdict->detail);
	nulls[5] = verdict->checksum == NULL;
	if (!nulls[5])
		values[5] =
			CStringGetTextDatum(dbvc_hex(verdict->checksum, DBVC_SHA256_LEN));
	tuplestore_putvalues(comparison->result->setResult,
						 comparison->result->setDesc, values, nulls);
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* What is registered and not among the ids that the client has. */
static void
put_missing(const Comparison *comparison, const List *present)
{
	char **ids = palloc((list_length(present) + 1) * sizeof(char *));
	int count = 0;
	ListCell *lc;

	foreach (lc, present)
		ids[count++] = lfirst(lc);
	qsort(ids, count, sizeof(char *), compare_texts);
	for (int i = 0; i < comparison->state_count; i++)
	{
		DbvcState *state = comparison->states[i];
		Verdict verdict = {"missing", false, false, NULL};

		if (state->withdrawn ||
			bsearch(&state->id, ids, count, sizeof(char *), compare_texts))
			continue;
		verdict.pending = is_pending(comparison, state);
		verdict.detail = state->applied_version != 0
							 ? "applied"
							 : "registered, not applied";
		put_verdict(comparison, state->id, &verdict);
	}
}

static void
compare_all(Comparison *comparison, const Column *columns, int count)
{
	/* scripts may be large: one at a time */
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc comparison",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (int i = 0; i < count; i++)
	{
		DbvcContent *content;
		Verdict verdict;

		CHECK_FOR_INTERRUPTS();
		content = content_at(columns, i);
		verdict = judge(comparison, content);
		verdict.checksum = content->checksum;
		put_verdict(comparison, content->id, &verdict);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

PG_FUNCTION_INFO_V1(dbvc_migration_compare);
Datum
dbvc_migration_compare(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID,	TEXTOID,
								TEXTOID, BOOLOID, BYTEAOID, TEXTOID};
	Comparison comparison = {.result = (ReturnSetInfo *) fcinfo->resultinfo,
							 .role = GetUserId()};
	Column columns[lengthof(types)];
	DbvcOwnerScope owner;
	int count = -1;

	dbvc_refuse_in_script(NULL);
	InitMaterializedSRF(fcinfo, 0);
	for (int n = 0; n < lengthof(types); n++)
		columns[n] = column_argument(fcinfo, n, types[n], &count);
	comparison.may_write = !RecoveryInProgress() && !XactReadOnly;
	SPI_connect();
	dbvc_owner_enter(&owner);
	read_states(&comparison);
	compare_all(&comparison, columns, Max(count, 0));
	if (!PG_ARGISNULL(ARG_PRESENT))
		put_missing(&comparison,
					dbvc_text_array_list(PG_GETARG_ARRAYTYPE_P(ARG_PRESENT)));
	dbvc_owner_leave(&owner);
	SPI_finish();
	return (Datum) 0;
}
