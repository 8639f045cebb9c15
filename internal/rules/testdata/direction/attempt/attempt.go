package attempt

import _ "github.com/parley-rpc/parley/policy" // want `attempt imports policy, which stands above it`
