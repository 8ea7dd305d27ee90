-- Offices, exported from the old HR system with pg_dump.
-- Author: jonas

CREATE TABLE offices (
    code     text PRIMARY KEY,
    city     text NOT NULL,
    country  text NOT NULL,
    timezone text NOT NULL,
    address  text,
    notes    text
);

COPY offices (code, city, country, timezone, address, notes) FROM stdin;
AMS	Amsterdam	NL	Europe/Amsterdam	Herengracht 124	keys; at the front desk
BLR	Bengaluru	IN	Asia/Kolkata	\N	\N
GVA	Genève	CH	Europe/Zurich	Rue du Rhône 8\nBât. B	open Mon\tThu
LIS	Lisboa	PT	Europe/Lisbon	Rua da Prata 41	don't ring after 18:00
NYC	New York	US	America/New_York	11 W 42nd St	path C:\\scans on the print server
SAO	São Paulo	BR	America/Sao_Paulo	\N	-- closed on 25 January
\.

ALTER TABLE users ADD COLUMN office_code text REFERENCES offices;
