package issuer

import "regexp"

const accessType = "at+jwt" // want `names a token type`

var form = regexp.MustCompile(`^spiffe://[a-z]+/`) // want `takes an ID apart`

const scheme = "spiffe://" // want `takes an ID apart`

const example = "spiffe://shop.example/orders"

const shortened = "client %.80q is unknown" // want `cuts a text of others`
