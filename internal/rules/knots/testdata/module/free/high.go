package free

const high = low
