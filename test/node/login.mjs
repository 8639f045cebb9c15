// Logs in to an issuer with two common OAuth clients, as they are: neither states a typ in its assertion.
import { readFileSync } from "node:fs";
import { calculateJwkThumbprint } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";

const { issuer, client_id, client_key, resource } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { kty, crv, x, d } = client_key;
const key = await crypto.subtle.importKey("jwk", { kty, crv, x, d }, { name: "Ed25519" }, false, ["sign"]);
const kid = await calculateJwkThumbprint({ kty, crv, x });
const server = { issuer, token_endpoint: `${issuer}/token` };

const response = await oauth.clientCredentialsGrantRequest(
  server, { client_id }, oauth.PrivateKeyJwt({ key, kid }), { resource }, { [oauth.allowInsecureRequests]: true },
);
const first = await oauth.processClientCredentialsResponse(server, { client_id }, response);
console.log(`ok: oauth4webapi has a token for ${first.expires_in} s`);

const config = new openid.Configuration(server, client_id, {}, openid.PrivateKeyJwt({ key, kid }));
openid.allowInsecureRequests(config);
const second = await openid.clientCredentialsGrant(config, { resource });
console.log(`ok: openid-client has a token for ${second.expires_in} s`);
