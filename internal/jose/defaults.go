package jose

const (
	// MaxTokenLength is the longest token that is looked at, in bytes.
	MaxTokenLength = 8192
	// MaxForeignLength is the length of the longest token that an issuer may be configured to make, in bytes.
	MaxForeignLength = 24 << 10
	// MaxForeignMembers is how many members an object in such a token may have at most.
	MaxForeignMembers = 256
	// MaxKeyLength is the longest JSON Web Key that is looked at, in bytes.
	MaxKeyLength = 8192
	// maxSetKeyLength is the longest JSON Web Key of an issuer that is looked at, in bytes. It may bring certificates
	// along.
	maxSetKeyLength = 32 << 10
	// maxSetKeyIDLength is the longest key ID of an issuer's key, in bytes.
	maxSetKeyIDLength = 512
	// maxHeaderLength is the longest token header that is decoded, in bytes of JSON.
	maxHeaderLength = 1024
	// maxKeyIDLength is the longest key ID that a token may name, in bytes.
	maxKeyIDLength = 128
	// maxNameLength is the longest claim name that is written, in bytes.
	maxNameLength = 64
	// minModulusBits is the length of the shortest RSA modulus that is accepted (NIST SP 800-131A).
	minModulusBits = 2048
	// maxModulusBits is the length of the longest RSA modulus that is accepted. A longer one makes a check slow;
	// crypto/tls has the same bound.
	maxModulusBits = 8192
	// minExponent is the least RSA exponent that is accepted (FIPS 186-5). With 1 anyone can sign, and 3 has helped
	// forgers wherever a verifier was careless about the padding.
	minExponent = 65537
	// maxExponent is the greatest RSA exponent that is accepted, as in crypto/rsa.
	maxExponent = 1<<31 - 1
)
