package jose

import _ "github.com/parley-rpc/parley/rpcerr"
