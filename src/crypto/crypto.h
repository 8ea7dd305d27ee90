/*
 * crypto.h
 *		SHA-256 through OpenSSL, which no other folder includes, and SipHash.
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

/* in siphash.c */

#define DBVC_SIPHASH_KEY_LEN 16

/* SipHash-2-4: 64 bits; who does not know the key can make no collisions. */
extern uint64 dbvc_siphash(const uint8 key[DBVC_SIPHASH_KEY_LEN],
						   const void *data, Size len);

#endif /* DBVC_CRYPTO_H */
