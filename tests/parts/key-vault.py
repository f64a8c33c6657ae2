"""A second official SDK at a vault: makes keys and a secret, checks what another client signed, and disables a version.

The vault's address is in VAULT; the identity, the proxy and the root certificate are those of the environment.
"""

import json
import os
import sys

from azure.identity import ManagedIdentityCredential
from azure.keyvault.keys import KeyClient, KeyOperation
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.secrets import SecretClient

credential = ManagedIdentityCredential()
keys = KeyClient(os.environ["VAULT"], credential)
secrets = SecretClient(os.environ["VAULT"], credential)


def make(jwk):
    """A key to sign with, one to unwrap with, and a private key as a secret."""
    signing = [KeyOperation.sign, KeyOperation.verify]
    wrapping = [KeyOperation.wrap_key, KeyOperation.unwrap_key]
    sig = keys.create_ec_key("orders-sig", curve="P-384", key_operations=signing)
    enc = keys.create_rsa_key("orders-enc", size=2048, key_operations=wrapping)
    secret = secrets.set_secret("orders-sig", jwk, content_type="application/jwk+json")

    client = CryptographyClient(enc, credential)
    wrapped = client.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, b"a content key of thirty-two byte").encrypted_key
    unwrapped = client.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped).key
    assert unwrapped == b"a content key of thirty-two byte"
    return {
        "sig": sig.properties.version,
        "enc": enc.properties.version,
        "secret": secret.properties.version,
    }


def check(version, digest, signature):
    """Verifies a signature of another client, and lets the vault make one that is verified the same way."""
    key = keys.get_key("orders-sig", version)
    client = CryptographyClient(key, credential)
    digest = bytes.fromhex(digest)
    own = client.sign(SignatureAlgorithm.es384, digest).signature
    verified = [
        client.verify(SignatureAlgorithm.es384, digest, candidate).is_valid
        for candidate in (bytes.fromhex(signature), own)
    ]
    listed = [item.version for item in keys.list_properties_of_key_versions("orders-sig")]
    names = [item.name for item in keys.list_properties_of_keys()]
    return {"verified": verified, "listed": sorted(listed), "names": names, "tags": key.properties.tags}


def disable(key, secret):
    """Withdraws a version of each."""
    keys.update_key_properties("orders-sig", key, enabled=False)
    secrets.update_secret_properties("orders-sig", secret, enabled=False)
    return {}


print(json.dumps({"make": make, "check": check, "disable": disable}[sys.argv[1]](*sys.argv[2:])))
