SELECT count(*) = 6 FROM offices;
SELECT address = E'Rue du Rhône 8\nBât. B' AND notes = E'open Mon\tThu' FROM offices WHERE code = 'GVA';
SELECT address IS NULL FROM offices WHERE code = 'BLR';
