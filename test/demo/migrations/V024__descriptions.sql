-- Beschreibungen für das Data-Warehouse (bearbeitet unter Windows).
-- Author: jürgen

COMMENT ON TABLE teams IS 'Teams des Piloten – eine Zeile je Team';
COMMENT ON COLUMN teams.slug IS 'Kürzel in der Adresse; klein geschrieben';
COMMENT ON COLUMN team_members.role IS 'member, coach oder lead';

COMMENT ON TABLE offices IS
'Standorte
Quelle: das alte Personalsystem';
