/*
 * difference.c
 *		What has to be done to get from one schema to another.
 *
 * Both sides are lists, sorted by type and identity.  First each entry finds
 * its counterpart: by its OID, where OIDs of both sides are of one database,
 * for then it is the same object whatever its name; else by type and identity.
 * An entry that finds none was created or dropped.  Pairs whose definitions have
 * different hashes are read and compared (difference_body.c).  Last, what is only
 * the consequence of a rename is taken out (difference_rename.c).
 */
#include "snapshot/difference.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* Of a value in a line for people, at most so many bytes are shown. */
#define VALUE_SHOWN 120

/* ------------------------------------------------------------------ helpers */

/* Differences are sorted alike in all databases. */
static const char *
sort_key(const char *text)
{
	Size length;

	return dbvc_to_utf8(text, &length);
}

Jsonb *
dbvc_jsonb_string(const char *text)
{
	JsonbValue value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	return JsonbValueToJsonb(&value);
}

static Jsonb *
copy_jsonb(const Jsonb *jsonb)
{
	Jsonb *copy;

	if (jsonb == NULL)
		return NULL;
	copy = palloc(VARSIZE(jsonb));
	memcpy(copy, jsonb, VARSIZE(jsonb));
	return copy;
}

DbvcFound *
dbvc_found_add(DbvcComparing *comparing, const char *change, const char *type,
			   const char *identity, const char *attribute,
			   const Jsonb *before, const Jsonb *after)
{
	MemoryContext old = MemoryContextSwitchTo(comparing->result);
	DbvcFound *found = palloc0(sizeof(DbvcFound));

	found->difference.change = change;
	found->difference.type = pstrdup(type);
	found->difference.identity = pstrdup(identity);
	found->difference.attribute = attribute ? pstrdup(attribute) : NULL;
	found->difference.before = copy_jsonb(before);
	found->difference.after = copy_jsonb(after);
	found->type_key = found->difference.type;
	found->identity_key = sort_key(found->difference.identity);
	found->attribute_key =
		attribute ? sort_key(found->difference.attribute) : "";
	comparing->found = lappend(comparing->found, found);
	MemoryContextSwitchTo(old);
	return found;
}

/* ------------------------------------------------------------------ pairing */

/* For each entry of a side the number of its counterpart, or NONE. */
#define NONE (-1)

typedef struct Mates
{
	int *of_before;
	int *of_after;
} Mates;

typedef struct OidSlot
{
	Oid key[2]; /* class, object */
	int entry;	/* NONE: more than one */
} OidSlot;

static void
join(Mates *mates, int before, int after)
{
	mates->of_before[before] = after;
	mates->of_after[after] = before;
}

static bool
same_oid(const DbvcEntry *a, const DbvcEntry *b)
{
	return OidIsValid(a->objid) && a->objid == b->objid &&
		   a->classid == b->classid;
}

/* Entries without a counterpart that have one by name; oids: which has the same OID too. */
static void
join_by_name(const DbvcList *before, const DbvcList *after, Mates *mates,
			 bool oids)
{
	int i = 0;
	int j = 0;

	while (i < before->count && j < after->count)
	{
		const DbvcEntry *a = &before->entries[i];
		const DbvcEntry *b = &after->entries[j];
		int order = dbvc_entry_compare(a, b);

		if (order == 0 && mates->of_before[i] == NONE &&
			mates->of_after[j] == NONE && (!oids || same_oid(a, b)))
			join(mates, i, j);
		i += order <= 0;
		j += order >= 0;
		if (((i + j) & 1023) == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/* The entries of a list that have no counterpart yet, by OID. */
static HTAB *
index_by_oid(const DbvcList *list, const int *mates)
{
	HASHCTL info = {.keysize = sizeof(Oid[2]), .entrysize = sizeof(OidSlot)};
	HTAB *index;

	info.hcxt = CurrentMemoryContext;
	index = hash_create("dbvc entries by OID", 256, &info,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < list->count; i++)
	{
		const DbvcEntry *entry = &list->entries[i];
		Oid key[2] = {entry->classid, entry->objid};
		OidSlot *slot;
		bool there;

		if (mates[i] != NONE || !OidIsValid(entry->objid))
			continue;
		slot = hash_search(index, key, HASH_ENTER, &there);
		slot->entry = there ? NONE : i;
	}
	return index;
}

static void
join_by_oid(const DbvcList *before, const DbvcList *after, Mates *mates)
{
	HTAB *left = index_by_oid(before, mates->of_before);
	HTAB *right = index_by_oid(after, mates->of_after);
	HASH_SEQ_STATUS scan;
	OidSlot *slot;

	hash_seq_init(&scan, left);
	while ((slot = hash_seq_search(&scan)) != NULL)
	{
		OidSlot *other = hash_search(right, slot->key, HASH_FIND, NULL);

		/* a table that became a view is dropped and created */
		if (other != NULL && slot->entry != NONE && other->entry != NONE &&
			strcmp(before->entries[slot->entry].type,
				   after->entries[other->entry].type) == 0)
			join(mates, slot->entry, other->entry);
	}
	hash_destroy(left);
	hash_destroy(right);
}

static void
find_mates(const DbvcComparing *comparing, Mates *mates)
{
	const DbvcList *before = comparing->before->list;
	const DbvcList *after = comparing->after->list;

	mates->of_before =
		palloc_extended((before->count + 1) * sizeof(int), MCXT_ALLOC_HUGE);
	mates->of_after =
		palloc_extended((after->count + 1) * sizeof(int), MCXT_ALLOC_HUGE);
	for (int i = 0; i < before->count; i++)
		mates->of_before[i] = NONE;
	for (int i = 0; i < after->count; i++)
		mates->of_after[i] = NONE;
	if (comparing->same_oids)
	{
		/* most keep their names: only the others need a hash table */
		join_by_name(before, after, mates, true);
		join_by_oid(before, after, mates);
	}
	join_by_name(before, after, mates, false);
}

/* --------------------------------------------------------- created, dropped */

typedef struct IdentitySlot
{
	const char *identity;
	List *entries; /* that have it, of different types */
} IdentitySlot;

static uint32
identity_hash(const void *key, Size size)
{
	const char *identity = *(const char *const *) key;

	return DatumGetUInt32(
		hash_any((const unsigned char *) identity, strlen(identity)));
}

static int
identity_match(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The entries that have no counterpart, by identity. */
static HTAB *
index_lonely(const DbvcList *list, const int *mates)
{
	HASHCTL info = {.keysize = sizeof(const char *),
					.entrysize = sizeof(IdentitySlot),
					.hash = identity_hash,
					.match = identity_match};
	HTAB *index;

	info.hcxt = CurrentMemoryContext;
	index =
		hash_create("dbvc entries by identity", 256, &info,
					HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	for (int i = 0; i < list->count; i++)
	{
		DbvcEntry *entry = &list->entries[i];
		IdentitySlot *slot;
		bool there;

		if (mates[i] != NONE)
			continue;
		slot = hash_search(index, &entry->identity, HASH_ENTER, &there);
		if (!there)
			slot->entries = NIL;
		slot->entries = lappend(slot->entries, entry);
	}
	return index;
}

/* Can an object of one type hang on one of the other?  Two objects of different types may have one identity: an
 * index and a domain, a publication and a server. */
static bool
type_fits_parent(const char *type, const char *parent)
{
	static const char *const pairs[][2] = {
		{"domain constraint", "type"},
		{"publication relation", "publication"},
		{"publication namespace", "publication"},
		{"user mapping", "server"},
	};

	for (int i = 0; i < lengthof(pairs); i++)
	{
		if (strcmp(type, pairs[i][0]) == 0)
			return strcmp(parent, pairs[i][1]) == 0;
	}
	return strcmp(parent, "table") == 0 || strcmp(parent, "view") == 0 ||
		   strcmp(parent, "materialized view") == 0 ||
		   strcmp(parent, "foreign table") == 0;
}

/* Was what it hangs on created or dropped with it? */
static bool
parent_is_lonely(HTAB *lonely, const DbvcEntry *entry)
{
	IdentitySlot *slot;
	ListCell *lc;

	if (entry->parent[0] == '\0')
		return false;
	slot = hash_search(lonely, &entry->parent, HASH_FIND, NULL);
	if (slot == NULL)
		return false;
	foreach (lc, slot->entries)
	{
		if (type_fits_parent(entry->type,
							 ((const DbvcEntry *) lfirst(lc))->type))
			return true;
	}
	return false;
}

static void
add_lonely(DbvcComparing *comparing, const DbvcSide *side, const int *mates,
		   bool created)
{
	const char *change = created ? "created" : "dropped";
	HTAB *lonely = index_lonely(side->list, mates);

	for (int i = 0; i < side->list->count; i++)
	{
		const DbvcEntry *entry = &side->list->entries[i];
		MemoryContext old;
		Jsonb *body;

		if (mates[i] != NONE ||
			(!comparing->detail && parent_is_lonely(lonely, entry)))
			continue;
		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(comparing->scratch);
		body = dbvc_entry_body(side, entry);
		dbvc_found_add(comparing, change, entry->type,
					   dbvc_from_utf8(entry->identity), NULL,
					   created ? NULL : body, created ? body : NULL);
		if (comparing->detail)
			dbvc_found_columns(comparing, change, entry, body);
		MemoryContextSwitchTo(old);
		MemoryContextReset(comparing->scratch);
	}
	hash_destroy(lonely);
}

/* -------------------------------------------------------------------- pairs */

static void
add_renamed(DbvcComparing *comparing, const DbvcPair *pair)
{
	const char *before = dbvc_from_utf8(pair->before->identity);
	const char *after = dbvc_from_utf8(pair->after->identity);
	DbvcFound *found =
		dbvc_found_add(comparing, "renamed", pair->after->type, after, NULL,
					   dbvc_jsonb_string(before), dbvc_jsonb_string(after));
	MemoryContext old = MemoryContextSwitchTo(comparing->result);

	found->suspect = pair->suspect;
	found->old_name = dbvc_identity_name(pair->before->type, before);
	found->new_name = dbvc_identity_name(pair->after->type, after);
	MemoryContextSwitchTo(old);
}

static void
add_pairs(DbvcComparing *comparing, const int *mates)
{
	const DbvcList *list = comparing->before->list;

	for (int i = 0; i < list->count; i++)
	{
		DbvcPair pair = {.before = &list->entries[i]};
		bool renamed;
		bool differs;
		MemoryContext old;

		if (mates[i] == NONE)
			continue;
		pair.after = &comparing->after->list->entries[mates[i]];
		renamed = strcmp(pair.before->identity, pair.after->identity) != 0;
		differs =
			memcmp(pair.before->hash, pair.after->hash, DBVC_SHA256_LEN) != 0;
		if (!renamed && !differs)
			continue;
		CHECK_FOR_INTERRUPTS();
		pair.same_object =
			comparing->same_oids && same_oid(pair.before, pair.after);
		pair.suspect = pair.same_object && pair.before->rows != 0 &&
					   pair.before->rows == pair.after->rows;
		old = MemoryContextSwitchTo(comparing->scratch);
		if (renamed)
			add_renamed(comparing, &pair);
		if (differs)
			dbvc_compare_bodies(comparing, &pair);
		MemoryContextSwitchTo(old);
		MemoryContextReset(comparing->scratch);
	}
}

/* ------------------------------------------------------------- the functions */

static int
compare_found(const ListCell *a, const ListCell *b)
{
	const DbvcFound *x = lfirst(a);
	const DbvcFound *y = lfirst(b);
	int order = strcmp(x->type_key, y->type_key);

	if (order == 0)
		order = strcmp(x->identity_key, y->identity_key);
	if (order == 0)
		order = strcmp(x->difference.change, y->difference.change);
	if (order == 0)
		order = strcmp(x->attribute_key, y->attribute_key);
	return order;
}

/* Everything that differs; temporary memory is the current context's. */
static List *
find_differences(DbvcComparing *comparing)
{
	Mates mates;
	List *found;

	find_mates(comparing, &mates);
	add_pairs(comparing, mates.of_before);
	add_lonely(comparing, comparing->before, mates.of_before, false);
	add_lonely(comparing, comparing->after, mates.of_after, true);
	found = comparing->found;
	list_sort(found, compare_found);
	if (!comparing->detail)
		found = dbvc_without_consequences(found);
	return found;
}

List *
dbvc_differences(const DbvcSide *before, const DbvcSide *after, bool same_oids,
				 bool detail)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(result, "dbvc differences",
											   ALLOCSET_DEFAULT_SIZES);
	DbvcComparing comparing = {.before = before,
							   .after = after,
							   .same_oids = same_oids,
							   .detail = detail,
							   .result = result};
	List *found;
	int guc_level = NewGUCNestLevel();

	/* names are quoted as they are in identities */
	(void) set_config_option("quote_all_identifiers", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	MemoryContextSwitchTo(work);
	comparing.scratch = AllocSetContextCreate(work, "dbvc pair of objects",
											  ALLOCSET_DEFAULT_SIZES);
	found = find_differences(&comparing);
	MemoryContextSwitchTo(result);
	found = list_copy(found);
	MemoryContextDelete(work);
	AtEOXact_GUC(true, guc_level);
	return found;
}

/* Bodies of two captures, of which the later one may rest on the earlier. */
static const char *
capture_body(const void *side, const uint8 hash[DBVC_SHA256_LEN])
{
	const DbvcCapture *const *captures = side;
	const char *body = dbvc_capture_body(captures[0], hash);

	return body != NULL ? body : dbvc_capture_body(captures[1], hash);
}

List *
dbvc_capture_differences(DbvcCapture *before, DbvcCapture *after)
{
	const DbvcCapture *captures[] = {after, before};
	DbvcSide from = {.list = dbvc_capture_list(before),
					 .body = capture_body,
					 .arg = captures};
	DbvcSide to = {.list = dbvc_capture_list(after),
				   .body = capture_body,
				   .arg = captures};

	return dbvc_differences(&from, &to, true, false);
}

/* A value, cut where it is long. */
static void
append_value(StringInfo line, Jsonb *value)
{
	char *text;
	int length;

	if (value == NULL)
	{
		appendStringInfoString(line, "nothing");
		return;
	}
	text = JsonbToCString(NULL, &value->root, VARSIZE(value));
	length = strlen(text);
	if (length <= VALUE_SHOWN)
		appendStringInfoString(line, text);
	else
		appendStringInfo(line, "%.*s ...",
						 pg_mbcliplen(text, length, VALUE_SHOWN), text);
	pfree(text);
}

char *
dbvc_difference_text(const DbvcDifference *difference)
{
	bool renamed = strcmp(difference->change, "renamed") == 0;
	StringInfoData line;
	JsonbValue old;

	initStringInfo(&line);
	appendStringInfo(&line, "%s %s ", difference->change, difference->type);
	if (renamed && JsonbExtractScalar(&difference->before->root, &old))
		appendStringInfo(&line, "%.*s -> ", old.val.string.len,
						 old.val.string.val);
	appendStringInfoString(&line, difference->identity);
	if (strcmp(difference->change, "altered") == 0)
	{
		appendStringInfo(&line, ": %s%s",
						 difference->attribute ? difference->attribute : "",
						 difference->attribute ? " " : "");
		append_value(&line, difference->before);
		appendStringInfoString(&line, " -> ");
		append_value(&line, difference->after);
	}
	/* a name may hold line feeds */
	for (char *at = line.data; *at != '\0'; at++)
	{
		if ((unsigned char) *at < ' ')
			*at = ' ';
	}
	return line.data;
}
