//! What is wrong with a token's encryption, at gates that take encrypted tokens.
//!
//! Every token here is sealed to the key that the backend really publishes, by a sealer whose honest tokens are let through: what
//! is refused is refused for what its name says.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, ECDH_P256, ECDH_P384, PrivateKey, UnparsedPublicKey},
    digest::{SHA256, digest},
    key_wrap::{AES_256, AesKek, KeyWrap},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_keys::{KeyStore, directory::DirectoryStore};
use drawbridge_tests::http::get;
use drawbridge_verify::KeyUse;
use serde_json::{Value, json};

use crate::house::{Door, House, changed, config};

#[tokio::test]
async fn attack_09_an_ephemeral_key_off_the_curve_of_no_curve_or_of_another_is_refused() {
    let house = sealing().await;
    for door in house.gates().await {
        let sealer = Sealer::of(&house, &door).await;
        let good = door.good();
        door.allows(&sealer.seal(&json!({}), &good)).await;

        let zero = [0; 32];
        let small = [1; 32];
        let coordinates = |x: &[u8], y: &[u8]| json!({ "epk": { "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) } });
        // A point whose y is 0 has order two on some curve with our a: times an odd private number it is itself, times an even one
        // the identity. A gate that multiplies without looking derives one of these secrets.
        for (what, epk, shared) in [
            ("order two, an odd number", coordinates(&small, &zero), small),
            ("order two, an even number", coordinates(&small, &zero), zero),
            ("the identity", coordinates(&zero, &zero), zero),
            ("on no curve of ours", coordinates(&small, &small), small),
        ] {
            let token = sealer.seal_with(&epk, &shared, &good);
            door.refuses(what, &token, "token.decryption_failed").await;
        }

        // A number of the field, and the same number with the modulus added, or without its leading zeros.
        let (epk, shared) = sealer.ephemeral();
        let mut y = decoded(&epk["epk"]["y"]);
        y[31] ^= 1;
        let mut moved = epk.clone();
        moved["epk"]["y"] = encoded(&y).into();
        let token = sealer.seal_with(&moved, &shared, &good);
        door.refuses("a bit beside the curve", &token, "token.decryption_failed").await;
        let mut long = epk.clone();
        long["epk"]["x"] = encoded(&[&[0], decoded(&epk["epk"]["x"]).as_slice()].concat()).into();
        let token = sealer.seal_with(&long, &shared, &good);
        door.refuses("a coordinate of 33 bytes", &token, "token.malformed").await;
        let mut private = epk.clone();
        private["epk"]["d"] = encoded(&small).into();
        let token = sealer.seal_with(&private, &shared, &good);
        door.refuses("a private ephemeral key", &token, "token.malformed").await;
        door.refuses("no ephemeral key", &sealer.seal(&json!({ "epk": null }), &good), "token.malformed")
            .await;

        let other = PrivateKey::generate(&ECDH_P384).unwrap().compute_public_key().unwrap();
        let (x, y) = other.as_ref()[1..].split_at(48);
        let p384 = json!({ "epk": { "kty": "EC", "crv": "P-384", "x": encoded(x), "y": encoded(y) } });
        let x25519 = json!({ "epk": { "kty": "OKP", "crv": "X25519", "x": encoded(&zero) } });
        let p521 =
            json!({ "epk": { "kty": "EC", "crv": "P-521", "x": encoded(&[1; 66]), "y": encoded(&[1; 66]) } });
        for (what, epk, reason) in [
            ("a point of P-384", p384, "token.decryption_failed"),
            ("a point of low order of X25519", x25519, "token.decryption_failed"),
            ("a curve that is unknown here", p521, "token.malformed"),
        ] {
            door.refuses(what, &sealer.seal_with(&epk, &zero, &good), reason).await;
        }
        door.allows(&sealer.seal(&json!({}), &good)).await;
    }
}

#[tokio::test]
async fn attack_10_password_based_key_management_is_refused_before_any_hash() {
    let house = sealing().await;
    for door in house.gates().await {
        let sealer = Sealer::of(&house, &door).await;
        let good = door.good();
        door.allows(&sealer.seal(&json!({}), &good)).await;
        for alg in ["PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"] {
            // Two thousand million rounds are minutes: an answer at all says that they were not made.
            for p2c in [1, 1000, 2_147_483_647, u64::MAX] {
                let password = json!({ "alg": alg, "epk": null, "p2s": "c2FsdHNhbHQ", "p2c": p2c });
                let token = sealer.seal(&password, &good);
                door.refuses(&format!("{alg}, {p2c} rounds"), &token, "token.header_refused").await;
            }
            let bare = sealer.seal(&json!({ "alg": alg, "epk": null }), &good);
            door.refuses(&format!("{alg} that does not say how many"), &bare, "token.alg_not_allowed").await;
        }
        // The count alone is refused as well, whatever it stands beside.
        let stray = sealer.seal(&json!({ "p2c": 1000 }), &good);
        door.refuses("a count beside another algorithm", &stray, "token.header_refused").await;
        door.allows(&sealer.seal(&json!({}), &good)).await;
    }
}

#[tokio::test]
async fn attack_11_compressed_content_is_refused() {
    let house = sealing().await;
    for door in house.gates().await {
        let sealer = Sealer::of(&house, &door).await;
        let good = door.good();
        door.allows(&sealer.seal(&json!({}), &good)).await;
        // One stored block (RFC 1951, section 3.2.4): whoever inflates it has a right token in hands.
        let length = u16::try_from(good.len()).unwrap();
        let deflated = [&[1], &length.to_le_bytes()[..], &(!length).to_le_bytes(), good.as_bytes()].concat();
        for zip in [json!("DEF"), json!("GZIP"), json!(""), json!(null), json!(["DEF"])] {
            let mut header = sealer.header();
            header["zip"] = zip.clone();
            for (what, content) in [("compressed", deflated.as_slice()), ("as is", good.as_bytes())] {
                let token = sealer.seal_under(&header, content);
                door.refuses(&format!("zip {zip}, {what}"), &token, "token.header_refused").await;
            }
        }
        door.allows(&sealer.seal(&json!({}), &good)).await;
    }
    let house = House::start().await;
    for door in house.doors().await {
        let token = door.token(&json!({ "zip": "DEF" }), &json!({}));
        door.refuses("a signed token that says so", &token, "token.header_refused").await;
        door.allows(&door.good()).await;
    }
}

#[tokio::test]
async fn attack_13_claims_that_are_encrypted_but_not_signed_are_refused() {
    // Anybody can encrypt to a public key.
    let house = sealing().await;
    for door in house.gates().await {
        let sealer = Sealer::of(&house, &door).await;
        let good = door.good();
        door.allows(&sealer.seal(&json!({}), &good)).await;
        let claims = door.claims().to_string();
        let unsigned = door.signed_by(&json!({ "alg": "none" }), |_| Vec::new());
        let forged = door.signed_by(&json!({}), |_| vec![1; 64]);
        for (what, header, content, reason) in [
            ("claims that call themselves a token", json!({}), &claims, "token.malformed"),
            (
                "claims of a right type",
                json!({ "typ": "bridged+jwt", "cty": null }),
                &claims,
                "token.type_not_allowed",
            ),
            ("claims that say what they are", json!({ "cty": "json" }), &claims, "token.type_not_allowed"),
            ("a token that is not said to be one", json!({ "cty": null }), &good, "token.type_not_allowed"),
            ("a token that nobody signed", json!({}), &unsigned, "token.alg_not_allowed"),
            ("a token of another signature", json!({}), &forged, "token.signature_invalid"),
            (
                "the algorithm of a signature",
                json!({ "alg": "ES256", "epk": null }),
                &good,
                "token.alg_not_allowed",
            ),
            (
                "a key that both are said to have",
                json!({ "alg": "dir", "epk": null }),
                &good,
                "token.alg_not_allowed",
            ),
            (
                "claims beside the content",
                json!({ "iss": door.forge.issuer() }),
                &good,
                "token.header_refused",
            ),
            ("the kid of the signing key", json!({ "kid": door.forge.kid() }), &good, "key.foreign"),
        ] {
            door.refuses(what, &sealer.seal(&header, content), reason).await;
        }
        let twice = sealer.seal(&json!({}), &sealer.seal(&json!({}), &good));
        door.refuses("encrypted twice", &twice, "token.encryption_refused").await;
        // Encrypted first and signed then: the signature is right, and says nothing about who wrote the content.
        let around = door.token_of(&door.header().to_string(), &sealer.seal(&json!({}), &claims));
        let reason =
            if door.name == "azure" { "token.encryption_required" } else { "token.claims_malformed" };
        door.refuses("signed around the encryption", &around, reason).await;
        door.allows(&sealer.seal(&json!({}), &good)).await;
    }
    // Where nothing encrypted is configured, the length of a token says that it is, and it is refused unread.
    let door = house.edge().await;
    let sealer = Sealer::of(&house, &house.aws().await).await;
    door.refuses("at the edge", &sealer.seal(&json!({}), &door.good()), "token.encryption_refused").await;
    door.allows(&door.good()).await;
}

/// The house, with encrypted tokens taken at API Gateway and required behind Functions.
async fn sealing() -> House {
    let mut config = config(&json!({}));
    config["backends"]["orders"]["encryption"] = json!("accepted");
    config["backends"]["billing"]["encryption"] = json!("required");
    House::of(&config).await
}

/// Encrypts to a backend as its bridge does, with ECDH-ES+A256KW and A256GCM (RFC 7518, sections 4.6 and 5.3), and whatever else
/// it is told.
struct Sealer {
    kid: String,
    /// Uncompressed.
    point: Vec<u8>,
}

impl Sealer {
    /// To the key that the key endpoint answers.
    async fn of(house: &House, door: &Door<'_>) -> Self {
        let store = DirectoryStore::new(house.chain.state().join("keys"));
        let backend = door.backend.parse().unwrap();
        let versions = store.versions(&backend, KeyUse::Encryption).await.unwrap();
        let kid = versions.first().expect("`up` made it").kid.to_string();
        let set = get(house.chain.address("keys"), &format!("/jwks/{backend}/{kid}"), None).await.json();
        let jwk = &set["keys"][0];
        assert_eq!((&jwk["crv"], &jwk["alg"]), (&json!("P-256"), &json!("ECDH-ES+A256KW")), "{set}");
        Self { kid, point: [vec![4], decoded(&jwk["x"]), decoded(&jwk["y"])].concat() }
    }

    /// A fresh `epk`, and the secret that it shares with the backend.
    fn ephemeral(&self) -> (Value, Vec<u8>) {
        let private = PrivateKey::generate(&ECDH_P256).unwrap();
        let public = private.compute_public_key().unwrap();
        let (x, y) = public.as_ref()[1..].split_at(32);
        let peer = UnparsedPublicKey::new(&ECDH_P256, &self.point);
        let shared = agreement::agree(&private, peer, (), |secret| Ok(secret.to_vec())).unwrap();
        (json!({ "epk": { "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) } }), shared)
    }

    /// A right header, still without `epk`.
    fn header(&self) -> Value {
        json!({ "alg": "ECDH-ES+A256KW", "enc": "A256GCM", "cty": "JWT", "kid": self.kid })
    }

    /// Rightly sealed, with members of the header set (or, with null, taken out) beforehand.
    fn seal(&self, changes: &Value, text: &str) -> String {
        let (epk, shared) = self.ephemeral();
        let header = changed(changed(self.header(), &epk), changes);
        sealed(&header, &shared, text.as_bytes())
    }

    /// Sealed with a secret of one's own.
    fn seal_with(&self, changes: &Value, shared: &[u8], text: &str) -> String {
        sealed(&changed(self.header(), changes), shared, text.as_bytes())
    }

    /// Any bytes, rightly sealed, below a header that may have members of null.
    fn seal_under(&self, header: &Value, content: &[u8]) -> String {
        let (epk, shared) = self.ephemeral();
        sealed(&changed(header.clone(), &epk), &shared, content)
    }
}

/// A compact JWE whose header is authenticated as it stands.
fn sealed(header: &Value, shared: &[u8], content: &[u8]) -> String {
    let name = b"ECDH-ES+A256KW";
    // The Concat KDF in one round: neither party is named.
    let wrapping = digest(
        &SHA256,
        &[
            &1_u32.to_be_bytes(),
            shared,
            &u32::try_from(name.len()).unwrap().to_be_bytes(),
            name,
            &[0; 8],
            &256_u32.to_be_bytes(),
        ]
        .concat(),
    );
    let content_key = [0x5a; 32];
    let mut encrypted_key = [0; 40];
    AesKek::new(&AES_256, wrapping.as_ref()).unwrap().wrap(&content_key, &mut encrypted_key).unwrap();

    let protected = encoded(header.to_string().as_bytes());
    let iv = [3; 12];
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content_key).unwrap());
    let mut text = content.to_vec();
    let tag = cipher
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(iv),
            Aad::from(protected.as_bytes()),
            &mut text,
        )
        .unwrap();
    [protected, encoded(&encrypted_key), encoded(&iv), encoded(&text), encoded(tag.as_ref())].join(".")
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(member: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(member.as_str().unwrap()).unwrap()
}
