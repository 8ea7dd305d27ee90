-- After an application has run on the adopted table: every line says t.
SELECT 'documents are split', count(*) FILTER (WHERE doc_version > 0) > 3 FROM users_base;
SELECT 'their items are rows', count(*) > 3 FROM users_items;
SELECT 'no item is without its document', count(*) = 0 FROM users_items i JOIN users_base b ON b.id = i.id WHERE b.doc_version = 0;
SELECT 'the base of a split document has no dreams', bool_and(coalesce(data -> 'dreamBook', '[]') IN ('[]', 'null'))
FROM users_base WHERE doc_version > 0;
