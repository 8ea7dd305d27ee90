/*
 * digest.c
 *		SHA-256 through OpenSSL's EVP interface, which a FIPS provider serves.
 */
#include "crypto/crypto.h"

#include <openssl/err.h>
#include <openssl/evp.h>

void
dbvc_sha256(const DbvcPiece *pieces, int n, uint8 out[DBVC_SHA256_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned int len = 0;
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	/* nothing between new and free may raise an error: ctx would leak */
	for (int i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, &len) == 1;
	EVP_MD_CTX_free(ctx);

	if (!ok || len != DBVC_SHA256_LEN)
	{
		unsigned long code = ERR_get_error();
		char reason[256] = "out of memory";

		if (code != 0)
			ERR_error_string_n(code, reason, sizeof(reason));
		ERR_clear_error();
		elog(ERROR, "could not compute SHA-256: %s", reason);
	}
}
