package misc // want `package "misc" has no place in the order of imports`
