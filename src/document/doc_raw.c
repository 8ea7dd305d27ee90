/*
 * doc_raw.c
 *		The binary form of jsonb: see doc_raw.h.
 */
#include "document/doc_raw.h"

#include "utils/memutils.h"

static const char *
entries_of(const DbvcValue *container)
{
	return container->data + DBVC_RAW_HEADER;
}

DbvcRawIter
dbvc_raw_elements(const DbvcValue *array)
{
	DbvcRawIter iter = {entries_of(array), NULL, 0};

	iter.base = iter.entry + (Size) dbvc_raw_count(array) * DBVC_RAW_ENTRY;
	return iter;
}

DbvcRawIter
dbvc_raw_keys(const DbvcValue *object)
{
	DbvcRawIter iter = {entries_of(object), NULL, 0};

	iter.base =
		iter.entry + (Size) dbvc_raw_count(object) * 2 * DBVC_RAW_ENTRY;
	return iter;
}

/* Where child "index" begins, counted from the first one. */
static uint32
offset_at(const char *entries, int index)
{
	uint32 offset = 0;

	while (index-- > 0)
	{
		JEntry entry =
			dbvc_raw_uint32(entries + (Size) index * DBVC_RAW_ENTRY);

		offset += JBE_OFFLENFLD(entry);
		if (JBE_HAS_OFF(entry))
			break;
	}
	return offset;
}

/* The children of an object from "index" on, keys first. */
static DbvcRawIter
iterate_from(const DbvcValue *object, int index)
{
	DbvcRawIter iter = dbvc_raw_keys(object);

	iter.offset = offset_at(iter.entry, index);
	iter.entry += (Size) index * DBVC_RAW_ENTRY;
	return iter;
}

DbvcRawIter
dbvc_raw_values(const DbvcValue *object)
{
	return iterate_from(object, dbvc_raw_count(object));
}

/*
 * Keys are read one after the other, in order; of a large object only those
 * from the stride on in which the key must be.
 */
static int
first_candidate(const DbvcValue *object, const DbvcKey *key)
{
	int low = 0;
	int high = (dbvc_raw_count(object) - 1) / JB_OFFSET_STRIDE;

	while (low < high)
	{
		int middle = high - (high - low) / 2;
		DbvcRawIter keys = iterate_from(object, middle * JB_OFFSET_STRIDE);
		DbvcValue found = dbvc_raw_next(&keys);

		if (dbvc_raw_compare(found.data, found.len, key->text, key->len) > 0)
			high = middle - 1;
		else
			low = middle;
	}
	return low * JB_OFFSET_STRIDE;
}

bool
dbvc_raw_find(const DbvcValue *object, const DbvcKey *key, DbvcValue *value)
{
	int first = first_candidate(object, key);
	DbvcRawIter keys = iterate_from(object, first);
	int count = dbvc_raw_count(object);

	for (int i = first; i < count; i++)
	{
		DbvcValue found = dbvc_raw_next(&keys);
		int order =
			dbvc_raw_compare(found.data, found.len, key->text, key->len);

		if (order == 0)
		{
			DbvcRawIter values = iterate_from(object, count + i);

			*value = dbvc_raw_next(&values);
			return true;
		}
		if (order > 0)
			break;
	}
	return false;
}

DbvcValue
dbvc_raw_root(const char *data, uint32 len)
{
	DbvcValue value = {data, len, JENTRY_ISCONTAINER};

	if (dbvc_raw_uint32(data) & JB_FSCALAR)
	{
		DbvcRawIter iter = dbvc_raw_elements(&value);

		return dbvc_raw_next(&iter);
	}
	return value;
}

DbvcValue
dbvc_value_read(Datum datum)
{
	struct varlena *jsonb = PG_DETOAST_DATUM_PACKED(datum);

	return dbvc_raw_root(VARDATA_ANY(jsonb), VARSIZE_ANY_EXHDR(jsonb));
}

Jsonb *
dbvc_value_jsonb(const DbvcValue *value)
{
	DbvcRawWriter writer;
	DbvcRawOpen open;

	dbvc_raw_start(&writer, VARHDRSZ + DBVC_RAW_HEADER + DBVC_RAW_ENTRY +
								(Size) value->len);
	if (value->kind == JENTRY_ISCONTAINER)
		memcpy(dbvc_raw_reserve(&writer, value->len), value->data, value->len);
	else
	{
		open = dbvc_raw_open(&writer, JB_FARRAY | JB_FSCALAR | 1, 1);
		dbvc_raw_add(&writer, &open, value);
	}
	return dbvc_raw_finish(&writer);
}

void
dbvc_raw_start(DbvcRawWriter *writer, Size size)
{
	if (!AllocSizeIsValid(size))
		dbvc_raw_too_large();
	writer->data = palloc(size);
	writer->size = (uint32) size;
	writer->len = VARHDRSZ;
}

Jsonb *
dbvc_raw_finish(DbvcRawWriter *writer)
{
	if (writer->len - VARHDRSZ > JENTRY_OFFLENMASK)
		dbvc_raw_too_large();
	SET_VARSIZE(writer->data, writer->len);
	return (Jsonb *) writer->data;
}

Jsonb *
dbvc_raw_object(const DbvcValue *keys, const DbvcValue *values, int count)
{
	DbvcRawWriter writer;
	DbvcRawOpen open;
	Size size = VARHDRSZ + DBVC_RAW_HEADER;

	/* in entries of 4 bytes, and up to 3 of padding */
	for (int i = 0; i < count; i++)
		size += (Size) keys[i].len + values[i].len + 2 * DBVC_RAW_ENTRY + 3;
	if (count > DBVC_RAW_MAX_PAIRS)
		dbvc_raw_too_large();
	dbvc_raw_start(&writer, size);
	open = dbvc_raw_open(&writer, JB_FOBJECT | (uint32) count,
						 2 * (uint32) count);
	for (int i = 0; i < count; i++)
		dbvc_raw_add(&writer, &open, &keys[i]);
	for (int i = 0; i < count; i++)
		dbvc_raw_add(&writer, &open, &values[i]);
	return dbvc_raw_finish(&writer);
}

pg_noinline void
dbvc_raw_overflow(void)
{
	elog(ERROR, "jsonb is longer than it was computed to be");
}

pg_noinline void
dbvc_raw_too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("document is too large"),
			 errdetail("No array or object of a jsonb may have more than %d "
					   "bytes.",
					   JENTRY_OFFLENMASK)));
}
