package free

const low = 1
