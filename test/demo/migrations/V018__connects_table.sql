-- From the days of golang-migrate, whose files bring their own transaction.
-- Author: tom

BEGIN;

CREATE TABLE connects (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    with_user  bigint NOT NULL,
    kind       text   NOT NULL CHECK (kind IN ('coffee', 'walk', 'call')),
    held_on    date   NOT NULL,
    source_id  text   NOT NULL,
    note       text,
    CHECK (user_id <> with_user),
    UNIQUE (user_id, source_id)
);

INSERT INTO connects (user_id, with_user, kind, held_on, source_id, note)
SELECT u.id, c."withUserId", c.kind, c.date, c.id, c.note
FROM users AS u
CROSS JOIN LATERAL jsonb_to_recordset(u.data -> 'connects')
    AS c(id text, "withUserId" bigint, kind text, date date, note text)
WHERE u.id <> c."withUserId";

ALTER TABLE connects
    ADD CONSTRAINT connects_with_user_fkey FOREIGN KEY (with_user) REFERENCES users NOT VALID;

COMMIT;
