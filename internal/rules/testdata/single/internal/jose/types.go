package jose

const TypeAccess = "at+jwt"
