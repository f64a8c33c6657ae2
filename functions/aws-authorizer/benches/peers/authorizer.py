"""A Lambda authorizer with PyJWT, as a peer to measure beside."""

import http.client
import json
import os
import urllib.parse

import jwt

ISSUER, AUDIENCE, SCOPE = os.environ["PEER_ISSUER"], os.environ["PEER_AUDIENCE"], os.environ["PEER_SCOPE"]
JWKS = os.environ["PEER_JWKS"]
ALGORITHMS = ["RS256", "ES256"]
keys = {}


def key_of(kid):
    if kid not in keys:
        url = urllib.parse.urlsplit(JWKS.replace("{kid}", urllib.parse.quote(kid, safe="")))
        connection = http.client.HTTPConnection(url.netloc)
        connection.request("GET", url.path)
        found = json.loads(connection.getresponse().read())
        keys[kid] = next(jwt.PyJWK(key) for key in found["keys"] if key["kid"] == kid)
    return keys[kid]


def answer(effect, principal, resource):
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {},
    }


def authorize(event):
    headers = event.get("headers") or {}
    header = headers.get("Authorization") or headers.get("authorization") or ""
    try:
        token = header.removeprefix("Bearer ")
        key = key_of(jwt.get_unverified_header(token)["kid"])
        claims = jwt.decode(token, key, ALGORITHMS, audience=AUDIENCE, issuer=ISSUER)
        if SCOPE not in claims.get("scope", "").split():
            raise PermissionError
        return answer("Allow", claims["sub"], event["methodArn"])
    except Exception as error:
        if os.environ.get("PEER_DEBUG"):
            print(repr(error), flush=True)
        return answer("Deny", "unknown", event["methodArn"])


def main():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = "/2018-06-01/runtime/invocation"
    while True:
        connection.request("GET", base + "/next")
        response = connection.getresponse()
        identity, event = response.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(response.read())
        connection.request("POST", f"{base}/{identity}/response", json.dumps(authorize(event)))
        connection.getresponse().read()


main()
