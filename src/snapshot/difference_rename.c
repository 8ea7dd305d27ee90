/*
 * difference_rename.c
 *		What differs only because something else was renamed.
 *
 * A renamed table shows in the text of every view and constraint that mentions
 * it, though nobody has touched these.  Such a difference is left out when three
 * things come together: the object's own catalog rows are the same on both
 * sides, its text is the same but for what was renamed (difference_text.c), and
 * the rename itself is listed.
 *
 * A name is known by a hash of 64 bits.
 */
#include "snapshot/difference.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct Names
{
	uint64 *hashes;
	int count;
	int allocated;
} Names;

/* Something that was renamed, by its old name. */
typedef struct RenameSlot
{
	uint64 old_name;
	Names new_names;
} RenameSlot;

/* ------------------------------------------------------------------- names */

static uint64
name_hash(const char *name, Size length, DbvcNameKind kind)
{
	return hash_bytes_extended((const unsigned char *) name, length, kind);
}

static void
add_name(Names *names, const char *name, Size length, DbvcNameKind kind)
{
	if (names->count == names->allocated)
	{
		names->allocated = Max(16, names->allocated * 2);
		names->hashes = names->hashes == NULL
							? palloc(names->allocated * sizeof(uint64))
							: repalloc_huge(names->hashes,
											names->allocated * sizeof(uint64));
	}
	names->hashes[names->count++] = name_hash(name, length, kind);
}

const char *
dbvc_identity_name(const char *type, const char *identity)
{
	static const char *const nameless[] = {"cast",
										   "transform",
										   "user mapping",
										   "default acl",
										   "publication relation",
										   "publication namespace",
										   "settings",
										   "privileges"};

	for (int i = 0; i < lengthof(nameless); i++)
	{
		if (strcmp(type, nameless[i]) == 0)
			return NULL;
	}
	return dbvc_first_name(identity);
}

/* ------------------------------------------------------------------ renames */

static void
add_rename(HTAB *renames, const char *before, const char *after,
		   DbvcNameKind kind)
{
	uint64 key;
	RenameSlot *slot;
	bool there;

	if (before == NULL || after == NULL || strcmp(before, after) == 0)
		return;
	key = name_hash(before, strlen(before), kind);
	slot = hash_search(renames, &key, HASH_ENTER, &there);
	if (!there)
		memset(&slot->new_names, 0, sizeof(Names));
	add_name(&slot->new_names, after, strlen(after), kind);
}

bool
dbvc_was_renamed(HTAB *renames, DbvcNameKind kind, const char *before,
				 Size before_length, const char *after, Size after_length)
{
	uint64 old = name_hash(before, before_length, kind);
	uint64 new = name_hash(after, after_length, kind);
	const RenameSlot *slot = hash_search(renames, &old, HASH_FIND, NULL);

	for (int i = 0; slot != NULL && i < slot->new_names.count; i++)
	{
		if (slot->new_names.hashes[i] == new)
			return true;
	}
	return false;
}

static char *
literal_of(const JsonbValue *value)
{
	char *text = pnstrdup(value->val.string.val, value->val.string.len);
	char *quoted = quote_literal_cstr(text);

	/* without its quotation marks; E'' does not matter here */
	quoted[strlen(quoted) - 1] = '\0';
	return strchr(quoted, '\'') + 1;
}

/* Labels of an enum at the same place, of which there are as many as before. */
static void
add_labels(HTAB *renames, const DbvcDifference *difference)
{
	JsonbContainer *before;
	JsonbContainer *after;

	if (strcmp(difference->change, "altered") != 0 ||
		strcmp(difference->type, "type") != 0 ||
		difference->attribute == NULL ||
		strcmp(difference->attribute, "labels") != 0 ||
		difference->before == NULL || difference->after == NULL)
		return;
	before = &difference->before->root;
	after = &difference->after->root;
	if (!JsonContainerIsArray(before) || !JsonContainerIsArray(after) ||
		JsonContainerSize(before) != JsonContainerSize(after))
		return;
	for (uint32 i = 0; i < JsonContainerSize(before); i++)
	{
		JsonbValue *old = getIthJsonbValueFromContainer(before, i);
		JsonbValue *new = getIthJsonbValueFromContainer(after, i);

		if (old->type == jbvString && new->type == jbvString)
			add_rename(renames, literal_of(old), literal_of(new),
					   DBVC_NAME_LITERAL);
	}
}

/* What is listed explains others. */
static void
add_listed(HTAB *renames, const DbvcFound *found)
{
	if (found->old_name == NULL || found->new_name == NULL)
		return;
	add_rename(renames, found->old_name, found->new_name, DBVC_NAME_ANY);
	/* a table without an alias: client.name */
	add_rename(renames, dbvc_last_name(found->old_name),
			   dbvc_last_name(found->new_name), DBVC_NAME_ANY);
	add_rename(renames, dbvc_last_name(found->old_name), "",
			   DBVC_NAME_OLD_ALIAS);
	add_rename(renames, dbvc_last_name(found->new_name), "",
			   DBVC_NAME_NEW_ALIAS);
}

static bool
is_consequence(HTAB *renames, const DbvcFound *found, MemoryContext scratch)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	bool explained = dbvc_is_same_meaning(renames, found);

	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	CHECK_FOR_INTERRUPTS();
	return explained;
}

/* Suspects among the renames that no other rename explains are listed, and explain others. */
static void
judge_renames(HTAB *renames, List *found, MemoryContext scratch)
{
	ListCell *lc;

	foreach (lc, found)
	{
		DbvcFound *one = lfirst(lc);

		if (!one->suspect || strcmp(one->difference.change, "renamed") != 0 ||
			is_consequence(renames, one, scratch))
			continue;
		one->suspect = false;
		add_listed(renames, one);
	}
}

/* What is altered and no rename explains is listed. */
static void
judge_others(HTAB *renames, List *found, MemoryContext scratch)
{
	ListCell *lc;

	foreach (lc, found)
	{
		DbvcFound *one = lfirst(lc);

		if (one->suspect && strcmp(one->difference.change, "altered") == 0)
			one->suspect = is_consequence(renames, one, scratch);
	}
}

List *
dbvc_without_consequences(List *found)
{
	HASHCTL info = {.keysize = sizeof(uint64),
					.entrysize = sizeof(RenameSlot)};
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc names",
							  ALLOCSET_DEFAULT_SIZES);
	List *listed = NIL;
	HTAB *renames;
	ListCell *lc;

	info.hcxt = CurrentMemoryContext;
	renames = hash_create("dbvc renames", 64, &info,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach (lc, found)
	{
		const DbvcFound *one = lfirst(lc);

		if (one->suspect)
			continue;
		add_listed(renames, one);
		add_labels(renames, &one->difference);
	}
	judge_renames(renames, found, scratch);
	judge_others(renames, found, scratch);
	foreach (lc, found)
	{
		const DbvcFound *one = lfirst(lc);

		if (!one->suspect)
			listed = lappend(listed, lfirst(lc));
	}
	return listed;
}
