package main

const accessType = "at+jwt"
