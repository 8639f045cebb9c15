package silent // want `package silent has no comment` // want `public package silent has no example that runs`

const Limit = 1
