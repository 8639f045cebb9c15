package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the thumbprint x5t is defined so, and names a certificate without protecting anything
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"time"
)

// CertificateKey signs the assertions by which a client authenticates to an authorization server of others, which knows
// its key by an X.509 certificate (RFC 7523; RFC 7515 sections 4.1.7 and 4.1.8). Nothing else is signed with it: RSA is
// slow, and its tokens are not of a type of Parley.
type CertificateKey struct {
	algorithm Algorithm
	header    string
	signer    crypto.Signer
	ends      time.Time
}

// ParseCertificateKey reads a certificate and its private key in PEM form. The algorithm is [RS256] or [PS256] for an
// RSA key, [ES256] for one of P-256; "" stands for PS256 or ES256. With RS256 the header has x5t, the SHA-1 thumbprint
// by which older servers find the certificate, and always x5t#S256.
//
// The error is an [*Error] with [ReasonKey] or [ReasonAlgorithm], and shows nothing of the key.
func ParseCertificateKey(certificate, key []byte, alg Algorithm) (k *CertificateKey, err error) {
	defer func() {
		if recover() != nil { // SHA-1 in a FIPS 140-3 module
			k, err = nil, refuse(ReasonKey, "the certificate cannot be used")
		}
	}()
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, refuse(ReasonKey, "certificate and private key are not a pair in PEM form; write both there, and of one key")
	}
	if alg, err = certificateAlgorithm(pair.PrivateKey, alg); err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, refuse(ReasonKey, "the certificate cannot be read")
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, refuse(ReasonKey, "the private key does not sign")
	}
	strong := sha256.Sum256(leaf.Raw)
	header := `{"alg":"` + string(alg) + `","typ":"JWT","x5t#S256":"` + encode(strong[:]) + `"`
	if alg == RS256 {
		weak := sha1.Sum(leaf.Raw) //nolint:gosec // as above
		header += `,"x5t":"` + encode(weak[:]) + `"`
	}
	return &CertificateKey{algorithm: alg, header: header + "}", signer: signer, ends: leaf.NotAfter}, nil
}

// certificateAlgorithm returns the algorithm of a key, which must be alg unless that is "".
func certificateAlgorithm(key crypto.PrivateKey, alg Algorithm) (Algorithm, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minModulusBits || bits > maxModulusBits {
			return "", refuse(ReasonKey, "the RSA modulus does not have 2048 to 8192 bits")
		}
		if alg == "" {
			alg = PS256
		}
		if alg != RS256 && alg != PS256 {
			return "", refuse(ReasonAlgorithm, "an RSA key signs with PS256 or RS256")
		}
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() || alg != "" && alg != ES256 {
			return "", refuse(ReasonAlgorithm, "an EC key must be of P-256, and signs with ES256")
		}
		alg = ES256
	default:
		return "", refuse(ReasonKey, "the certificate's key is neither RSA nor P-256")
	}
	return alg, nil
}

// Ends is when the certificate ends.
func (k *CertificateKey) Ends() time.Time { return k.ends }

// SignAssertion returns a compact JWS over claims, which must be a strict JSON object. Every error is an [*Error].
func (k *CertificateKey) SignAssertion(claims []byte) (string, error) {
	if err := checkClaims(string(claims)); err != nil {
		return "", err
	}
	signed := appendSegment(nil, k.header)
	signed = append(signed, '.')
	signed = appendSegment(signed, string(claims))
	digest := sha256.Sum256(signed)
	signature, err := k.sign(digest[:])
	if err != nil {
		return "", &Error{Reason: ReasonKey, Detail: "signing failed", Cause: err}
	}
	signed = append(signed, '.')
	return string(appendSegment(signed, string(signature))), nil
}

func (k *CertificateKey) sign(digest []byte) ([]byte, error) {
	switch k.algorithm {
	case PS256:
		return k.signer.Sign(
			rand.Reader,
			digest,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256},
		)
	case ES256:
		return k.signES256(digest)
	case RS256, EdDSA, ES384:
	}
	return k.signer.Sign(rand.Reader, digest, crypto.SHA256)
}

// signES256 writes r and s as RFC 7518 section 3.4 has it.
func (k *CertificateKey) signES256(digest []byte) ([]byte, error) {
	key, ok := k.signer.(*ecdsa.PrivateKey)
	if !ok {
		return nil, refuse(ReasonKey, "not an EC key")
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		return nil, err
	}
	signature := make([]byte, signatureLength)
	for i, n := range []*big.Int{r, s} {
		n.FillBytes(signature[i*coordinateLength : (i+1)*coordinateLength])
	}
	return signature, nil
}
