/*
 * errors.h
 *		SQLSTATEs of dbvc, class VC.
 *
 * One line each: docs/reference-errors.md is generated from this file.
 * Where a standard SQLSTATE fits (55P03, 22023, 25001, 53400 ...), it is used.
 */
#ifndef DBVC_ERRORS_H
#define DBVC_ERRORS_H

#include "utils/elog.h"

/* clang-format off */
#define ERRCODE_DBVC_PROGRESS			MAKE_SQLSTATE('V','C','0','0','0') /* notice, no error: a migration was applied or rolled back */
#define ERRCODE_DBVC_CONTENT_CHANGED	MAKE_SQLSTATE('V','C','0','0','1') /* content of an applied migration was changed */
#define ERRCODE_DBVC_INVALID_ID			MAKE_SQLSTATE('V','C','0','0','2') /* migration id is not valid */
#define ERRCODE_DBVC_UNKNOWN_MIGRATION	MAKE_SQLSTATE('V','C','0','0','3') /* migration is not registered */
#define ERRCODE_DBVC_INVALID_SCRIPT		MAKE_SQLSTATE('V','C','0','0','4') /* script holds something that cannot be run from SQL */
#define ERRCODE_DBVC_CYCLE				MAKE_SQLSTATE('V','C','0','0','5') /* migrations require each other in a circle */
#define ERRCODE_DBVC_MISSING_REQUIRED	MAKE_SQLSTATE('V','C','0','0','6') /* a required migration is missing */
#define ERRCODE_DBVC_OUT_OF_ORDER		MAKE_SQLSTATE('V','C','0','0','7') /* a pending migration sorts before an applied one */
#define ERRCODE_DBVC_NO_DOWN_SCRIPT		MAKE_SQLSTATE('V','C','0','0','8') /* a migration to roll back has no down script */
#define ERRCODE_DBVC_DEPENDENT_APPLIED	MAKE_SQLSTATE('V','C','0','0','9') /* a migration that requires this one is still applied */
#define ERRCODE_DBVC_WRONG_STATE		MAKE_SQLSTATE('V','C','0','1','0') /* migration is not in the state this call needs */
#define ERRCODE_DBVC_PLAN_CHANGED		MAKE_SQLSTATE('V','C','0','1','1') /* plan differs from the one that was reviewed */
#define ERRCODE_DBVC_STEPS_CHANGED		MAKE_SQLSTATE('V','C','0','1','2') /* statements that were already executed have changed */
#define ERRCODE_DBVC_APPEND_ONLY		MAKE_SQLSTATE('V','C','0','1','3') /* history is append-only */
#define ERRCODE_DBVC_INVALID_INDEX		MAKE_SQLSTATE('V','C','0','1','4') /* an index is not valid */
#define ERRCODE_DBVC_WORKER_LOST		MAKE_SQLSTATE('V','C','0','1','5') /* background worker ended without an answer */
#define ERRCODE_DBVC_HISTORY_DAMAGED	MAKE_SQLSTATE('V','C','0','1','6') /* a record does not match its own hash */
#define ERRCODE_DBVC_INSTALL			MAKE_SQLSTATE('V','C','0','1','7') /* extension cannot be installed here */
#define ERRCODE_DBVC_VERIFY_FAILED		MAKE_SQLSTATE('V','C','0','1','8') /* a verify script answered false */
#define ERRCODE_DBVC_SET_ASIDE			MAKE_SQLSTATE('V','C','0','1','9') /* documents can be neither split nor joined: dbvc.document_error has them */
#define ERRCODE_DBVC_UNKNOWN_SNAPSHOT	MAKE_SQLSTATE('V','C','0','2','0') /* there is no such snapshot */
#define ERRCODE_DBVC_OTHER_VERSION		MAKE_SQLSTATE('V','C','0','2','1') /* snapshots of different PostgreSQL majors, or made by different rules, cannot be compared */
#define ERRCODE_DBVC_NOT_REVERSED		MAKE_SQLSTATE('V','C','0','2','2') /* a down script does not restore the definitions that were there before */
/* clang-format on */

#endif /* DBVC_ERRORS_H */
