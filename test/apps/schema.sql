-- What an old application has: people with a document each, and orders that refer to them.
CREATE TABLE users (
    id         bigserial PRIMARY KEY,
    name       text NOT NULL,
    email      varchar(200) UNIQUE,
    data       jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_data_check CHECK (jsonb_typeof(data) = 'object')
);
CREATE INDEX users_city_idx ON users ((data ->> 'city'));
CREATE TABLE orders (
    id      serial PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    total   numeric(10, 2) NOT NULL
);
INSERT INTO users (name, data)
SELECT 'old ' || i, jsonb_build_object('city', CASE WHEN i % 2 = 0 THEN 'Lisboa' ELSE 'Genève' END, 'dreamBook',
    (SELECT jsonb_agg(jsonb_build_object('id', format('d-%s-%s', i, d), 'title', 'Dream ' || d)) FROM generate_series(1, i) d))
FROM generate_series(1, 9) i;
