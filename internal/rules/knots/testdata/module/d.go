package knots

const d = 1
