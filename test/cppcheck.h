/* What cppcheck must know of PostgreSQL's macros; it does not read PostgreSQL's headers. */
#define PG_MODULE_MAGIC extern int dbvc_magic
#define PG_MODULE_MAGIC_EXT(...) extern int dbvc_magic
#define PG_FUNCTION_INFO_V1(name) extern int dbvc_info_##name
#define PG_FUNCTION_ARGS FunctionCallInfo fcinfo
#define PGDLLEXPORT
#define PGDLLIMPORT
#define FLEXIBLE_ARRAY_MEMBER
#define pg_attribute_noreturn() __attribute__((noreturn))
#define pg_attribute_printf(f, a)
#define pg_noreturn
#define pg_unreachable() abort()
#define PG_TRY() do { if (setjmp())
#define PG_CATCH() else
#define PG_FINALLY() else
#define PG_END_TRY() } while (0)
#define foreach(cell, lst) for (cell = list_head(lst); cell != NULL; cell = lnext(lst, cell))
#define Assert(condition) do { if (!(condition)) abort(); } while (0)
#define ERROR 21
#define FATAL 22
#define PANIC 23
#define ereport(level, ...) do { (void) (__VA_ARGS__); if ((level) >= ERROR) abort(); } while (0)
#define elog(level, ...) do { if ((level) >= ERROR) abort(); } while (0)
#define StaticAssertDecl(condition, message) extern int dbvc_static_assert
#define StaticAssertStmt(condition, message) ((void) 0)
#define lengthof(array) (sizeof(array) / sizeof((array)[0]))
#define UINT64_FORMAT "%lu"
#define INT64_FORMAT "%ld"
#define PG_VERSION_NUM 150000
