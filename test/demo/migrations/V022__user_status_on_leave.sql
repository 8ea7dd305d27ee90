-- Parental leave is not a suspension.
-- Author: maria

ALTER TYPE user_status ADD VALUE IF NOT EXISTS 'on_leave' BEFORE 'suspended';
ALTER TYPE user_status ADD VALUE IF NOT EXISTS 'alumni';
