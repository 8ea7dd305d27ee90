/*
 * siphash.c
 *		SipHash-2-4 (Aumasson and Bernstein, 2012): 64 bits that nobody without
 *		the key can predict, at the price of a checksum.
 */
#include "crypto/crypto.h"

#include "fmgr.h"
#include "port/pg_bswap.h"

#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

#define ROUND(v0, v1, v2, v3) \
	do \
	{ \
		(v0) += (v1); \
		(v1) = ROTATE(v1, 13) ^ (v0); \
		(v0) = ROTATE(v0, 32); \
		(v2) += (v3); \
		(v3) = ROTATE(v3, 16) ^ (v2); \
		(v0) += (v3); \
		(v3) = ROTATE(v3, 21) ^ (v0); \
		(v2) += (v1); \
		(v1) = ROTATE(v1, 17) ^ (v2); \
		(v2) = ROTATE(v2, 32); \
	} while (0)

static inline uint64
little_endian(const uint8 *bytes)
{
	uint64 word;

	memcpy(&word, bytes, sizeof(word));
#ifdef WORDS_BIGENDIAN
	word = pg_bswap64(word);
#endif
	return word;
}

uint64
dbvc_siphash(const uint8 key[DBVC_SIPHASH_KEY_LEN], const void *data, Size len)
{
	uint64 k0 = little_endian(key);
	uint64 k1 = little_endian(key + 8);
	uint64 v0 = k0 ^ UINT64CONST(0x736f6d6570736575);
	uint64 v1 = k1 ^ UINT64CONST(0x646f72616e646f6d);
	uint64 v2 = k0 ^ UINT64CONST(0x6c7967656e657261);
	uint64 v3 = k1 ^ UINT64CONST(0x7465646279746573);
	const uint8 *at = data;
	const uint8 *end = at + (len & ~(Size) 7);
	uint64 last = (uint64) (len & 0xff) << 56;

	for (; at != end; at += 8)
	{
		uint64 m = little_endian(at);

		v3 ^= m;
		ROUND(v0, v1, v2, v3);
		ROUND(v0, v1, v2, v3);
		v0 ^= m;
	}
	for (int i = (int) (len & 7) - 1; i >= 0; i--)
		last |= (uint64) end[i] << (8 * i);
	v3 ^= last;
	ROUND(v0, v1, v2, v3);
	ROUND(v0, v1, v2, v3);
	v0 ^= last;
	v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		ROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

PG_FUNCTION_INFO_V1(dbvc_siphash_check);

/*
 * siphash_check(key bytea, data bytea) -> bytea: for the test with published
 * vectors, which declares it itself; no function of the extension.
 */
Datum
dbvc_siphash_check(PG_FUNCTION_ARGS)
{
	bytea *key = PG_GETARG_BYTEA_PP(0);
	bytea *data = PG_GETARG_BYTEA_PP(1);
	bytea *out = palloc(VARHDRSZ + 8);
	uint64 hash;

	if (VARSIZE_ANY_EXHDR(key) != DBVC_SIPHASH_KEY_LEN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a key has %d bytes", DBVC_SIPHASH_KEY_LEN)));
	hash = dbvc_siphash((const uint8 *) VARDATA_ANY(key), VARDATA_ANY(data),
						VARSIZE_ANY_EXHDR(data));
	SET_VARSIZE(out, VARHDRSZ + 8);
	for (int i = 0; i < 8; i++)
		((uint8 *) VARDATA(out))[i] = (uint8) (hash >> (8 * i));
	PG_RETURN_BYTEA_P(out);
}
