/*
 * item_whole.c
 *		Items of documents that have to stay whole: while they are released.
 *
 * The document is locked and read, changed in memory, and written as a whole.
 */
#include "document/item.h"

#include "document/doc_raw.h"

#include "miscadmin.h"

/* A copy that can be changed, with room for so many items more. */
static DbvcDocument *
copy_document(const DbvcAdopted *adopted, const DbvcDocument *document,
			  int more)
{
	DbvcDocument *copy =
		dbvc_doc_make(adopted->parts, document ? document->slim : NULL);

	for (int p = 0; p < adopted->parts->count; p++)
	{
		int count = document ? document->items[p].count : 0;

		copy->items[p].item = dbvc_raw_array(count + more, sizeof(DbvcItem));
		copy->items[p].count = count;
		if (count > 0)
			memcpy(copy->items[p].item, document->items[p].item,
				   sizeof(DbvcItem) * count);
	}
	return copy;
}

/* The id that splitting would give to one more item at the end. */
static char *
next_id(const DbvcItems *items)
{
	int number = 1;

	for (int i = 0; i < items->count; i++)
		number += dbvc_item_generated(&items->item[i]);
	return psprintf("%c%d", DBVC_ITEM_GENERATED, number);
}

static void
add_item(const DbvcAdopted *adopted, DbvcDocument *document,
		 DbvcItemSave *save)
{
	DbvcItems *items = &document->items[save->part];
	DbvcItem *item = &items->item[items->count];

	if (items->count == 0)
		document->slim =
			dbvc_doc_place(&adopted->parts->part[save->part], document->slim);
	save->id = save->own ? pstrdup(save->own) : next_id(items);
	item->id = save->id;
	item->id_len = strlen(save->id);
	item->ord = 0;
	item->value = save->value;
	items->count++;
	save->outcome = DBVC_ITEM_INSERTED;
}

static void
save_item(const DbvcAdopted *adopted, DbvcDocument *document,
		  DbvcItemSave *save, bool skip)
{
	DbvcItems *items = &document->items[save->part];
	int index = dbvc_item_find_among(adopted, items, save);

	if (index == -2 && !skip)
		dbvc_item_raise(save);
	if (index == -1)
		add_item(adopted, document, save);
	if (index < 0)
		return;
	save->id = pnstrdup(items->item[index].id, items->item[index].id_len);
	save->outcome = DBVC_ITEM_UNCHANGED;
	if (dbvc_value_same(&items->item[index].value, &save->value))
		return;
	items->item[index].value = save->value;
	save->outcome = DBVC_ITEM_UPDATED;
}

static DbvcStored *
lock_document(DbvcTarget *target)
{
	DbvcStored *stored = dbvc_stored_lock(target->adopted, target->key);

	if (stored == NULL)
		dbvc_target_missing(target);
	return stored;
}

void
dbvc_items_save_whole(DbvcTarget *target, DbvcItemSave *saves, int count,
					  bool skip)
{
	const DbvcAdopted *adopted = target->adopted;
	DbvcStored *stored = lock_document(target);
	MemoryContext old = MemoryContextSwitchTo(target->call);
	DbvcDocument *document = copy_document(adopted, stored->document, count);
	bool changed = false;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (saves[i].outcome == DBVC_ITEM_FAILED)
			continue;
		save_item(adopted, document, &saves[i], skip);
		changed |= saves[i].outcome == DBVC_ITEM_INSERTED ||
				   saves[i].outcome == DBVC_ITEM_UPDATED;
	}
	MemoryContextSwitchTo(old);
	if (changed)
		dbvc_stored_write(stored, document, NULL);
}

bool
dbvc_target_delete_whole(DbvcTarget *target, const char *type, const char *id)
{
	DbvcStored *stored = lock_document(target);
	int part = dbvc_item_part(target->adopted, type);
	int len = strlen(id);
	DbvcDocument *document =
		copy_document(target->adopted, stored->document, 0);
	DbvcItems *items = &document->items[part];

	for (int i = 0; i < items->count; i++)
	{
		const DbvcItem *item = &items->item[i];

		if (item->id_len != len || memcmp(item->id, id, len) != 0)
			continue;
		items->count--;
		memmove(&items->item[i], &items->item[i + 1],
				sizeof(DbvcItem) * (items->count - i));
		dbvc_stored_write(stored, document, NULL);
		return true;
	}
	return false;
}
