package tokens

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// errorCode is the error code in the answer behind err, when it is one that is known.
func errorCode(err error) string {
	status, ok := errors.AsType[*httpdoc.StatusError](err)
	if !ok {
		return ""
	}
	members, err := strictjson.ReadDocument(status.Body)
	if err != nil {
		return ""
	}
	code, _ := members.String("error")
	known := []string{ // RFC 6749 section 5.2, RFC 8707 section 2
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
		"invalid_scope", "invalid_target",
	}
	if !slices.Contains(known, code) {
		return ""
	}
	return ": " + code
}

// readTokenAnswer reads a successful answer (RFC 6749 section 5.1) with a token of the given token_type.
func readTokenAnswer(body []byte, kind string, asked time.Time) (Token, error) {
	members, err := strictjson.ReadDocument(body)
	if err != nil {
		return Token{}, err
	}
	value, _ := members.String("access_token")
	if stated, _ := members.String("token_type"); value == "" || !strings.EqualFold(stated, kind) {
		return Token{}, errors.New("it holds no token, or not one of the token_type " + kind)
	}
	life, known, err := readLife(members)
	if err != nil {
		return Token{}, err
	}
	token := Token{Value: value, Expires: asked.Add(life)}
	if claims, err := jose.Unproven(value); err == nil {
		if expires, ok, err := claims.NumericDate("exp"); err == nil && ok && (!known || expires.Before(token.Expires)) {
			token.Expires, known = expires, true
		}
	}
	if !known {
		return Token{}, errors.New("neither it nor the token says when the token expires")
	}
	return token, nil
}

// readLife reads expires_in, a number of seconds, which some servers write as text. It reports false when it is
// missing.
func readLife(members *strictjson.Object) (life time.Duration, stated bool, err error) {
	if text, ok := members.String("expires_in"); ok {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n == 0 {
			return 0, true, errLife
		}
		return min(time.Duration(n)*time.Second, maxLife), true, nil
	}
	// It is no date, and read the same way.
	seconds, stated, err := members.NumericDate("expires_in")
	switch {
	case err != nil:
		return 0, true, errLife
	case !stated:
		return 0, false, nil
	}
	return time.Duration(min(seconds.Unix(), int64(maxLife/time.Second))) * time.Second, true, nil
}

var errLife = errors.New("expires_in is no number of seconds")
