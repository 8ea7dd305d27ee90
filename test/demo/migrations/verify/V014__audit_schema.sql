UPDATE users SET data = data || '{"locale": "xx"}' WHERE id = 1;
SELECT keys = '{locale}' FROM audit.user_change WHERE user_id = 1 ORDER BY id DESC LIMIT 1;
