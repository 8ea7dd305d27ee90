-- Desks can be booked; two bookings of a desk never overlap.
-- Author: aisha

CREATE SEQUENCE booking_number START 1000;

CREATE TABLE desk_bookings (
    number   bigint PRIMARY KEY DEFAULT nextval('booking_number'),
    desk     int4range NOT NULL CHECK (NOT isempty(desk)),
    user_id  bigint NOT NULL REFERENCES users DEFERRABLE INITIALLY DEFERRED,
    during   tstzrange NOT NULL,
    EXCLUDE USING gist (desk WITH &&, during WITH &&)
);

ALTER SEQUENCE booking_number OWNED BY desk_bookings.number;

INSERT INTO desk_bookings (desk, user_id, during)
SELECT int4range(n, n + 1), 1 + n, tstzrange('2025-09-01 08:00+00', '2025-09-01 17:00+00')
FROM generate_series(1, 20) AS n;
