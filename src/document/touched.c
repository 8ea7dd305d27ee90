/*
 * touched.c
 *		Which documents the running statement has written.
 *
 * A statement that comes to a row a second time, by a join, passes it over; a
 * row that something else inside the statement has written, such as a function
 * that it calls, is an error.  That is how PostgreSQL has it for tables, which
 * can tell by the command that wrote the row.
 *
 * Hashes of keys are kept, as many as dbvc.document_buffer has room for.
 */
#include "document/face.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Bytes of an entry, with what the table needs for it. */
#define ENTRY_BYTES 48

static Snapshot statement;
static TransactionId transaction;
static uint64 first; /* most statements write one */
static HTAB *others; /* or NULL */
static bool complete;

static uint64
hash_of(const DbvcFace *face)
{
	uint64 hash = face->adopted->base;

	for (int k = 0; k < face->adopted->nkeys; k++)
	{
		const DbvcKeyColumn *column = &face->adopted->key[k];
		Datum key = face->key[k];
		uint64 next;

		if (column->typbyval)
			next = hash_bytes_extended((unsigned char *) &key, sizeof(key), k);
		else
		{
			Size len = datumGetSize(key, false, column->typlen);

			next = hash_bytes_extended((unsigned char *) DatumGetPointer(key),
									   len, k);
		}
		hash = hash_combine64(hash, next);
	}
	return hash;
}

static void
start(uint64 hash)
{
	if (others != NULL)
		hash_destroy(others);
	others = NULL;
	first = hash;
	statement = GetActiveSnapshot();
	transaction = GetTopTransactionId();
	complete = true;
}

static bool
is_this_statement(void)
{
	return statement == GetActiveSnapshot() &&
		   TransactionIdIsValid(transaction) &&
		   transaction == GetTopTransactionIdIfAny();
}

void
dbvc_face_touch(const DbvcFace *face)
{
	uint64 hash = hash_of(face);

	if (!is_this_statement())
	{
		start(hash);
		return;
	}
	if (others == NULL)
	{
		HASHCTL control = {.keysize = sizeof(uint64),
						   .entrysize = sizeof(uint64),
						   .hcxt = TopMemoryContext};

		others = hash_create("dbvc documents of a statement", 64, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	if (hash_get_num_entries(others) >= dbvc_document_buffer() / ENTRY_BYTES)
		complete = false;
	else
		(void) hash_search(others, &hash, HASH_ENTER, NULL);
}

bool
dbvc_face_touched(const DbvcFace *face)
{
	uint64 hash = hash_of(face);

	if (!is_this_statement())
		return false;
	return !complete || hash == first ||
		   (others != NULL &&
			hash_search(others, &hash, HASH_FIND, NULL) != NULL);
}
