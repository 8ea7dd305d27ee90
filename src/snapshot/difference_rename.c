/*
 * difference_rename.c
 *		What differs only because something else was renamed.
 *
 * A renamed table shows in the text of every view and constraint that mentions
 * it, though nobody has touched these.  Such a difference is left out when three things come
 * together: the object's own catalog rows are the same on both sides, its text
 * had the old name where it now has the new one, and the rename itself is
 * listed.
 *
 * References (difference_reference.c) need no such evidence: where all that a
 * value says is which object or column is meant, OIDs prove that it means the same.
 *
 * Names are looked for as wholes: a text is cut into chains of identifiers with
 * dots between them (public.t.id), and each run of a chain (public.t, id) is a
 * name.  String literals and whole strings are names too.  A name is known by a
 * hash of 64 bits, so that a text is read once, however much was renamed.
 */
#include "snapshot/difference.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* Elements of a chain; a longer one is cut. */
#define CHAIN_MAX 8
#define NAME_MAX_BYTES 600

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
	if (length == 0 || length > NAME_MAX_BYTES)
		return;
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

static bool
starts_identifier(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		   IS_HIGHBIT_SET(c);
}

static bool
is_operator(char c)
{
	return c != '\0' && strchr("+-*/<>=~!@#%^&|`?", c) != NULL;
}

/* The end of the identifier or operator that begins here; itself when none does. */
static const char *
element_end(const char *at, const char *end, bool after_dot)
{
	if (*at == '"')
	{
		for (at++; at < end; at++)
		{
			if (*at == '"' && (at + 1 >= end || at[1] != '"'))
				return at + 1;
			at += *at == '"';
		}
		return end;
	}
	if (starts_identifier(*at))
	{
		while (at < end && (starts_identifier(*at) || *at == '$' ||
							(*at >= '0' && *at <= '9')))
			at++;
	}
	else if (after_dot)
	{
		while (at < end && is_operator(*at))
			at++;
	}
	return at;
}

/* The chain that begins here and the names in it; returns its end. */
static const char *
read_chain(Names *names, const char *at, const char *end)
{
	const char *starts[CHAIN_MAX];
	int count = 0;

	for (;;)
	{
		const char *stop = element_end(at, end, count > 0);

		if (stop == at)
			break;
		if (count == CHAIN_MAX)
			count--;
		starts[count++] = at;
		for (int i = 0; i < count; i++)
			add_name(names, starts[i], stop - starts[i], DBVC_NAME_ANY);
		at = stop;
		if (at >= end || *at != '.')
			break;
		at++;
	}
	return at;
}

/* What stands in quotation marks, as it stands there. */
static void
read_literal(Names *names, const char *at, const char *end)
{
	const char *start = at;

	for (; at < end; at++)
	{
		if (*at != '\'')
			continue;
		if (at + 1 < end && at[1] == '\'')
			at++;
		else
			break;
	}
	add_name(names, start, at - start, DBVC_NAME_LITERAL);
}

static void
read_text(Names *names, const char *text, Size length)
{
	const char *end = text + length;
	bool quoted = false;

	for (const char *at = text; at < end;)
	{
		const char *stop;

		if (*at == '\'')
		{
			quoted = !quoted;
			if (quoted)
				read_literal(names, at + 1, end);
			at++;
			continue;
		}
		stop = *at == '"' || starts_identifier(*at)
				   ? read_chain(names, at, end)
				   : at;
		if (stop == at)
		{
			/* digits and letters behind them are no identifier */
			while (stop < end && *stop >= '0' && *stop <= '9')
				stop++;
			stop += stop == at;
		}
		at = stop;
	}
}

/* All names in the strings of a value. */
static void
read_names(Names *names, const Jsonb *jsonb)
{
	JsonbIterator *iterator =
		JsonbIteratorInit(unconstify(JsonbContainer *, &jsonb->root));
	JsonbIteratorToken token;
	JsonbValue value;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if ((token != WJB_KEY && token != WJB_VALUE && token != WJB_ELEM) ||
			value.type != jbvString)
			continue;
		read_text(names, value.val.string.val, value.val.string.len);
		/* a list of columns has them as they are */
		if (value.val.string.len < NAMEDATALEN)
		{
			const char *whole = quote_identifier(
				pnstrdup(value.val.string.val, value.val.string.len));

			add_name(names, whole, strlen(whole), DBVC_NAME_ANY);
		}
	}
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64 x = *(const uint64 *) a;
	uint64 y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
}

static bool
has_name(const Names *sorted, uint64 name)
{
	return sorted->count > 0 && bsearch(&name, sorted->hashes, sorted->count,
										sizeof(uint64), compare_hashes);
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
	const char *end = identity + strlen(identity);
	const char *at = identity;

	for (int i = 0; i < lengthof(nameless); i++)
	{
		if (strcmp(type, nameless[i]) == 0)
			return NULL;
	}
	while (at < end)
	{
		const char *stop = element_end(at, end, at > identity);

		if (stop == at)
			return NULL;
		at = stop;
		if (at >= end || *at != '.')
			break;
		at++;
	}
	return pnstrdup(identity, at - identity);
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

/* What the names mean, whether the rename is listed or not. */
static void
add_meaning(HTAB *renames, const DbvcFound *found)
{
	if (found->old_name == NULL || found->new_name == NULL)
		return;
	if (found->relation == NULL)
		add_rename(renames, found->old_name, found->new_name,
				   DBVC_NAME_IDENTITY);
	else
		add_rename(renames,
				   psprintf("%s.%s", found->relation, found->old_name),
				   found->new_name, DBVC_NAME_COLUMN);
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

/* Is there a rename whose old name is in the one and whose new name is in the other? */
static bool
is_explained(HTAB *renames, const DbvcDifference *difference)
{
	Names before = {0};
	Names after = {0};

	if (difference->before == NULL || difference->after == NULL)
		return false;
	read_names(&before, difference->before);
	read_names(&after, difference->after);
	if (before.count == 0 || after.count == 0)
		return false;
	qsort(after.hashes, after.count, sizeof(uint64), compare_hashes);
	for (int i = 0; i < before.count; i++)
	{
		const RenameSlot *slot =
			hash_search(renames, &before.hashes[i], HASH_FIND, NULL);

		if (slot == NULL)
			continue;
		for (int j = 0; j < slot->new_names.count; j++)
		{
			if (has_name(&after, slot->new_names.hashes[j]))
				return true;
		}
	}
	return false;
}

static bool
is_consequence(HTAB *renames, const DbvcFound *found, MemoryContext scratch)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	bool explained =
		dbvc_is_reference_renamed(renames, found) ||
		(found->suspect && is_explained(renames, &found->difference));

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
		add_rename(renames, one->old_name, one->new_name, DBVC_NAME_ANY);
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

		if (strcmp(one->difference.change, "altered") == 0 && one->same_object)
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

		add_meaning(renames, one);
		if (one->suspect)
			continue;
		add_rename(renames, one->old_name, one->new_name, DBVC_NAME_ANY);
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
