// Package tokenfile reads files that hold one token, such as a projected service account token of Kubernetes.
package tokenfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Read returns the token in a file of at most 16 KiB, without the white space around it. The error does not repeat the
// path, and shows nothing of what is in the file. It looks before it opens, because to open a pipe waits for its
// writer.
func Read(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is no regular file; name one that holds a token")
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", withoutPath(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return "", withoutPath(err)
	}
	if len(text) > maxBytes {
		return "", fmt.Errorf("it is larger than %d bytes; name a file that holds one token and nothing else", maxBytes)
	}
	return strings.TrimSpace(string(text)), nil
}

// withoutPath is the error below one that repeats a path.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
