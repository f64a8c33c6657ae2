//! What is in the vault: versions of keys and secrets, and what can be asked of them.

use std::{
    collections::HashSet,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand;
use serde_json::{Value, json};

use super::{HOST, crypto};

/// Keys and secrets, in the order in which their versions were made.
#[derive(Default)]
pub(super) struct Objects {
    all: Vec<Object>,
    deleted: HashSet<String>,
    pub(super) hides_disabled_keys: bool,
}

/// A version.
pub(super) struct Object {
    collection: &'static str,
    name: String,
    version: String,
    pub(super) attributes: Value,
    pub(super) tags: Value,
    /// A private JWK with its `key_ops`, or the value of a secret.
    pub(super) content: Value,
    content_type: Value,
}

/// A status, a code and an inner code.
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str, pub(super) &'static str);

const FORBIDDEN: &str = "Forbidden";

/// Versions or names in one page of a list.
const PAGE: usize = 2;

impl Objects {
    /// Answers a request to `/COLLECTION/NAME/…`.
    pub(super) fn answer(
        &mut self,
        method: &str,
        path: &[&str],
        query: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let collection = match path.first() {
            Some(&"keys") => "keys",
            Some(&"secrets") => "secrets",
            _ => return Err(Refusal(404, "NotFound", "")),
        };
        match (method, collection, path) {
            ("GET", _, [_]) => Ok(self.names(collection, query)),
            ("GET", _, [_, name, "versions"]) => Ok(self.versions(collection, name, query)),
            ("GET", _, [_, name]) => self.get(collection, name, None),
            ("GET", _, [_, name, version]) => self.get(collection, name, Some(version)),
            ("POST", "keys", [_, name, "create"]) => {
                self.is_free(name)?;
                let jwk = crypto::generate(body).ok_or(Refusal(400, "BadParameter", ""))?;
                let version = self.add("keys", name, jwk, body["tags"].clone());
                self.get("keys", name, Some(&version))
            }
            ("PUT", "secrets", [_, name]) => {
                self.is_free(name)?;
                let version = self.add("secrets", name, body["value"].clone(), body["tags"].clone());
                self.edit(name, &version, |object| object.content_type = body["contentType"].clone());
                self.get("secrets", name, Some(&version))
            }
            ("PATCH", _, [_, name, version]) => {
                let at = self.find(collection, name, Some(version))?;
                let object = &mut self.all[at];
                for (attribute, value) in body["attributes"].as_object().into_iter().flatten() {
                    object.attributes[attribute] = value.clone();
                }
                Ok(self.all[at].bundle())
            }
            ("POST", "keys", [_, name, version, operation @ ("sign" | "unwrapkey")]) => {
                let at = self.find("keys", name, Some(version))?;
                let object = &self.all[at];
                object.is_enabled("KeyDisabled")?;
                let listed = if *operation == "sign" { "sign" } else { "unwrapKey" };
                if !object.content["key_ops"].as_array().unwrap().iter().any(|named| named == listed) {
                    return Err(Refusal(403, FORBIDDEN, "KeyOperationForbidden"));
                }
                let done = match *operation {
                    "sign" => crypto::sign(&object.content, body),
                    _ => crypto::unwrap(&object.content, body),
                };
                let value = done.ok_or(Refusal(400, "BadParameter", ""))?;
                Ok(json!({ "kid": object.id(), "value": value }))
            }
            _ => Err(Refusal(405, "MethodNotAllowed", "")),
        }
    }

    pub(super) fn add(
        &mut self,
        collection: &'static str,
        name: &str,
        content: Value,
        tags: Value,
    ) -> String {
        let mut version = [0; 16];
        rand::fill(&mut version).unwrap();
        let version: String = version.iter().map(|byte| format!("{byte:02x}")).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.all.push(Object {
            collection,
            name: name.to_owned(),
            version: version.clone(),
            attributes: json!({
                "enabled": true, "created": now, "updated": now,
                "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90
            }),
            tags: if tags.is_null() { json!({}) } else { tags },
            content,
            content_type: Value::Null,
        });
        version
    }

    pub(super) fn edit(&mut self, name: &str, version: &str, change: impl FnOnce(&mut Object)) {
        let object = self.all.iter_mut().find(|object| object.name == name && object.version == version);
        change(object.expect("the version is there"));
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.all.retain(|object| object.name != name);
        self.deleted.insert(name.to_owned());
    }

    fn is_free(&self, name: &str) -> Result<(), Refusal> {
        if self.deleted.contains(name) {
            return Err(Refusal(409, "Conflict", "ObjectIsDeletedButRecoverable"));
        }
        Ok(())
    }

    fn find(&self, collection: &str, name: &str, version: Option<&str>) -> Result<usize, Refusal> {
        let found = self.all.iter().rposition(|object| {
            object.collection == collection
                && object.name == name
                && version.is_none_or(|version| object.version == version)
        });
        let code = if collection == "keys" { "KeyNotFound" } else { "SecretNotFound" };
        found.ok_or(Refusal(404, code, ""))
    }

    fn get(&self, collection: &str, name: &str, version: Option<&str>) -> Result<Value, Refusal> {
        let object = &self.all[self.find(collection, name, version)?];
        match collection {
            "secrets" => object.is_enabled("SecretDisabled")?,
            _ if self.hides_disabled_keys => object.is_enabled("KeyDisabled")?,
            _ => {}
        }
        Ok(object.bundle())
    }

    /// In the order of the versions' names, which is none of time.
    fn versions(&self, collection: &str, name: &str, query: &str) -> Value {
        let listed = self.all.iter().filter(|object| object.collection == collection && object.name == name);
        let mut listed: Vec<_> =
            listed.map(|object| (object.version.clone(), object.item(object.id()))).collect();
        listed.sort_by(|a, b| a.0.cmp(&b.0));
        page(&format!("{collection}/{name}/versions"), query, listed)
    }

    fn names(&self, collection: &str, query: &str) -> Value {
        let listed = self.all.iter().filter(|object| object.collection == collection);
        let of_name = |object: &Object| format!("https://{HOST}/{collection}/{}", object.name);
        let mut listed: Vec<_> =
            listed.map(|object| (object.name.clone(), object.item(of_name(object)))).collect();
        listed.sort_by(|a, b| a.0.cmp(&b.0));
        listed.dedup_by(|a, b| a.0 == b.0);
        page(collection, query, listed)
    }
}

impl Object {
    fn id(&self) -> String {
        format!("https://{HOST}/{}/{}/{}", self.collection, self.name, self.version)
    }

    fn is_enabled(&self, otherwise: &'static str) -> Result<(), Refusal> {
        if self.attributes["enabled"] == true { Ok(()) } else { Err(Refusal(403, FORBIDDEN, otherwise)) }
    }

    fn bundle(&self) -> Value {
        let (attributes, tags) = (&self.attributes, &self.tags);
        if self.collection == "keys" {
            let mut key = crypto::public(&self.content);
            key["kid"] = json!(self.id());
            return json!({ "key": key, "attributes": attributes, "tags": tags });
        }
        json!({
            "value": self.content, "id": self.id(), "contentType": self.content_type,
            "attributes": attributes, "tags": tags
        })
    }

    fn item(&self, id: String) -> Value {
        let member = if self.collection == "keys" { "kid" } else { "id" };
        json!({ member: id, "attributes": self.attributes, "tags": self.tags })
    }
}

fn page(of: &str, query: &str, listed: Vec<(String, Value)>) -> Value {
    let token = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("$skiptoken=").or(pair.strip_prefix("%24skiptoken=")));
    let from: usize = token.map_or(0, |token| token.parse().unwrap());
    let more = listed.len() > from + PAGE;
    let next = format!("https://{HOST}/{of}?api-version=2025-07-01&$skiptoken={}", from + PAGE);
    let value: Vec<_> = listed.into_iter().skip(from).take(PAGE).map(|(_, item)| item).collect();
    json!({ "value": value, "nextLink": if more { json!(next) } else { Value::Null } })
}
