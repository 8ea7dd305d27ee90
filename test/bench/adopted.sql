-- What dbvc.document_adopt('adopted.users') makes, by hand
ALTER TABLE adopted.users RENAME TO users_base;
ALTER TABLE adopted.users_base ADD COLUMN doc_version bigint NOT NULL DEFAULT 0;
SELECT bench.create_items('adopted') \g /dev/null
ALTER TABLE adopted.users_items ADD CONSTRAINT users_items_base_fkey FOREIGN KEY (id)
  REFERENCES adopted.users_base (id) ON UPDATE CASCADE ON DELETE CASCADE;
CREATE VIEW adopted.users WITH (security_invoker = true) AS
  SELECT b.id, dbvc.document_read('adopted.users_base'::regclass, b.data, b.doc_version, b.xmin, b.id) AS data FROM adopted.users_base b;
INSERT INTO dbvc.document (base, face, items, parts)
  SELECT 'adopted.users_base', 'adopted.users', 'adopted.users_items', jsonb_object_agg(key, type) FROM bench.part;
CREATE TRIGGER dbvc_document INSTEAD OF INSERT OR UPDATE OR DELETE ON adopted.users
  FOR EACH ROW EXECUTE FUNCTION dbvc.document_face_trigger();
CREATE TRIGGER zzz_dbvc_document BEFORE INSERT OR UPDATE ON adopted.users_base
  FOR EACH ROW EXECUTE FUNCTION dbvc.document_base_trigger();
CREATE TRIGGER dbvc_document BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON adopted.users_items
  FOR EACH STATEMENT EXECUTE FUNCTION dbvc.document_items_trigger();
