SELECT save_document(id, data || '{"seen": true}', revision) = revision + 1 FROM users ORDER BY id LIMIT 1;
