// This package is documented in its own way.
package misnamed // want `the comment of package misnamed does not begin with its name`
