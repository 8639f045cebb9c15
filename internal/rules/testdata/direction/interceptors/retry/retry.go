package retry

import _ "github.com/parley-rpc/parley/discovery/driver" // want `interceptors/retry imports discovery/driver, which stands beside it`
