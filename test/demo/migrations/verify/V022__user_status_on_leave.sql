SELECT enum_range(NULL::user_status)::text = '{invited,active,on_leave,suspended,alumni}';
