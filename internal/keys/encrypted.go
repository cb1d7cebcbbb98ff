package keys

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// Limits of what an encrypted PKCS#8 file may ask for before its password is known to be
// right. The file says how much work it is to make a key of the password.
const (
	maxIterations    = 10_000_000 // of PBKDF2: some seconds
	maxScryptMemory  = 64 << 20   // bytes
	maxScryptThreads = 16         // how often over these
)

var errEncrypted = errors.New("not an encrypted PKCS#8 key")

// checkEncrypted looks at the parameters of an EncryptedPrivateKeyInfo (RFC 5958, Section 3)
// in PBES2 (RFC 8018, Section 6.2), with PBKDF2 or scrypt (RFC 7914, Section 7): the
// package that decrypts it takes any number for good, and panics if an initialization
// vector or a ciphertext has another length than its cipher takes.
func checkEncrypted(der []byte) error {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	var scheme struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	var iv []byte
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return errEncrypted
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return fmt.Errorf("%w in PBES2", errEncrypted)
	}
	if _, err := asn1.Unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
		return fmt.Errorf("%w: no initialization vector", errEncrypted)
	}
	block := 16                                                                        // bytes, of AES
	if scheme.Cipher.Algorithm.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}) { // des-EDE3-CBC
		block = 8
	}
	if len(iv) != block || len(info.Data) == 0 || len(info.Data)%block != 0 {
		return fmt.Errorf("%w: an initialization vector of %d bytes, a ciphertext of %d", errEncrypted, len(iv), len(info.Data))
	}
	return checkDerivation(&scheme.KDF)
}

func checkDerivation(kdf *pkix.AlgorithmIdentifier) error {
	switch {
	case kdf.Algorithm.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}): // PBKDF2
		var p struct {
			Salt       asn1.RawValue
			Iterations int
			Rest       asn1.RawValue `asn1:"optional"` // PRF
		}
		if _, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &p); err != nil || p.Iterations < 1 {
			return fmt.Errorf("%w: parameters of PBKDF2", errEncrypted)
		}
		if p.Iterations > maxIterations {
			return fmt.Errorf("%w: its PBKDF2 takes more than %d iterations", ErrUnsupported, maxIterations)
		}
		return nil
	case kdf.Algorithm.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}): // scrypt
		var p struct {
			Salt    []byte
			N, R, P int
		}
		if _, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &p); err != nil || p.N < 2 || p.R < 1 || p.P < 1 {
			return fmt.Errorf("%w: parameters of scrypt", errEncrypted)
		}
		if p.N > maxScryptMemory/128/p.R || p.P > maxScryptThreads {
			return fmt.Errorf("%w: its scrypt takes more than %d bytes of memory, or more than %d times over them", ErrUnsupported, maxScryptMemory, maxScryptThreads)
		}
		return nil
	}
	return fmt.Errorf("%w with PBKDF2 or scrypt", errEncrypted)
}
