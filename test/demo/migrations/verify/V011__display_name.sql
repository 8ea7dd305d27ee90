SELECT bool_and(display_name <> '') FROM users;
