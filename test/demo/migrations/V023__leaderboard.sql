-- The leaderboard as a function whose body the server parsed.
-- Author: aisha

CREATE FUNCTION leaderboard(team text, first_week date, max_rows integer DEFAULT 10)
RETURNS TABLE (place bigint, display_name text, points bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT rank() OVER (ORDER BY sum(s.points) DESC), u.display_name, sum(s.points)::bigint
    FROM weekly_scores AS s
    JOIN users AS u ON u.id = s.user_id
    JOIN team_members AS m ON m.user_id = u.id
    JOIN teams AS t ON t.id = m.team_id
    WHERE t.slug = team AND s.week >= first_week
    GROUP BY u.id
    ORDER BY 1, 2
    LIMIT max_rows;
END;

/* A block comment; /* nested, with a semicolon; */ which PostgreSQL allows. */
COMMENT ON FUNCTION leaderboard(text, date, integer) IS 'The best of a team since a week; ties share a place';
