package issuerserver

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/issuer"
)

const (
	// signEvery is the time between two signed key sets, each of which is valid for a day, so that one may be late.
	signEvery = 12 * time.Hour
	// maxSignDays is the number of days that can be signed at once.
	maxSignDays = 366
	// maxKeys is the number of keys in a key set.
	maxKeys = 16
)

// Sign signs the key set in a file with the root key in another, for a number of days from now on.
func Sign(root, keys string, days int) ([]string, error) {
	if days < 1 || days > maxSignDays {
		return nil, fmt.Errorf("%d days; sign for 1 to %d", days, maxSignDays)
	}
	signer, err := readRoot(root)
	if err != nil {
		return nil, err
	}
	text, err := safepath.New().ReadPublic(keys, maxFile)
	if err != nil {
		return nil, err
	}
	list, err := jose.SplitKeySet(text, maxKeys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keys, err)
	}
	var sets []string
	begin := time.Now()
	for from := begin; from.Before(begin.AddDate(0, 0, days)); from = from.Add(signEvery) {
		set, err := issuer.SignKeySet(signer, from, list...)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func readRoot(path string) (crypto.Signer, error) {
	text, err := safepath.New().ReadSecret(path, maxFile)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("%s: it is not one PEM block PRIVATE KEY; use the file that parley issuer init has made", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New(path + ": the key cannot sign")
	}
	return signer, nil
}
