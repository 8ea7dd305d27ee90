/*
 * crypto.h
 *		SHA-256 and random bytes through OpenSSL; no other folder includes it.
 */
#ifndef DBVC_CRYPTO_H
#define DBVC_CRYPTO_H

#include "util/compat.h"

#define DBVC_SHA256_LEN 32

/*
 * SHA-256 (FIPS 180-4) of the concatenation of n pieces into out (32 bytes).
 * The OpenSSL context is created and freed between two points where no error
 * can be raised; failures are reported afterwards as internal errors.
 */
typedef struct DbvcPiece
{
	const void *data;
	Size len;
} DbvcPiece;

extern void dbvc_sha256(const DbvcPiece *pieces, int n,
						uint8 out[DBVC_SHA256_LEN]);

#endif /* DBVC_CRYPTO_H */
