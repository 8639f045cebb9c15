package trustdir

import (
	"errors"
	"strings"

	"github.com/parley-rpc/parley/principal"
)

// splitID returns the folder and the name of an ID. A segment of dots alone is part of an ID, but cannot be a file
// name.
func splitID(text string) (domain, name string, err error) {
	id, err := principal.ParseID(text)
	if err != nil {
		return "", "", err
	}
	domain, name = id.TrustDomain().String(), id.Service()
	for segment := range strings.SplitSeq(name, "/") {
		if strings.Trim(segment, ".") == "" {
			return "", "", errors.New("the ID has a segment of dots alone, which cannot be a file name; choose another name")
		}
	}
	return domain, name, nil
}

// isFolder reports whether s can be the folder of a trust domain. Names that begin with a dot belong to others:
// Kubernetes keeps the versions of a ConfigMap under them.
func isFolder(s string) bool { return s != "" && s[0] != '.' && plain(s) }

// plain reports whether s has only the characters of an ID's segments.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// fileName is the name of the file that holds a key of the ID with this name. It is injective because every "_" in it
// begins a pair that says which character the pair stands for.
func fileName(name, thumbprint string) string {
	return strings.NewReplacer("/", "__", "_", "_-").Replace(name) + "." + thumbprint + suffix
}

const suffix = ".json"

// thumbprintLength is the length of a SHA-256 thumbprint in base64url.
const thumbprintLength = 43

func isThumbprint(s string) bool {
	return len(s) == thumbprintLength && plain(s) && !strings.Contains(s, ".")
}
