//! What API Management does with a policy: the elements that the policies use, by their reference
//! (<https://learn.microsoft.com/azure/api-management/api-management-policies>). An element or attribute that is not known here is a
//! failed test.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use roxmltree::{Document, Node};

use crate::{
    expression::Expression,
    value::{Exception, Value, evaluate, text, truth},
};

/// Rendered policies, by the names under which they are deployed.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    pub(crate) api: String,
    pub(crate) fragments: BTreeMap<String, String>,
}

/// A gateway with one API.
pub(crate) struct Gateway<'a> {
    policies: &'a Policies,
    named_values: BTreeMap<String, String>,
    function: &'a dyn Fn(&Request) -> Answer,
    pub(crate) now: Cell<i64>,
    pub(crate) cache: Rc<Cache>,
    /// Every expression that was run.
    pub(crate) expressions: RefCell<BTreeSet<String>>,
}

/// The built-in cache, which all APIs of a gateway share.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: RefCell<BTreeMap<String, (Value, i64)>>,
    /// A cache that forgets too late.
    pub(crate) sticky: Cell<bool>,
}

/// How the function that is asked behaves.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Reply(Reply),
    /// After so many seconds.
    Late(u64, Reply),
    /// No connection, or one that breaks.
    Failed,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Forwarded(Request),
    Returned(Reply),
    /// An expression failed: a 500, and nothing is forwarded.
    Failed(Exception),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Of a request that the policy sends; of the client's, the backend that it is for.
    pub(crate) url: String,
    pub(crate) path: String,
    /// With its question mark.
    pub(crate) query: String,
    pub(crate) headers: Headers,
    pub(crate) body: String,
    /// The client's, from the TLS layer.
    pub(crate) certificate: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

/// A request on its way through the policies.
pub(crate) struct Run<'g> {
    pub(crate) request: Request,
    pub(crate) variables: BTreeMap<String, Value>,
    pub(crate) now: i64,
    gateway: &'g Gateway<'g>,
}

impl<'a> Gateway<'a> {
    pub(crate) fn new(
        policies: &'a Policies,
        named_values: &[(&str, &str)],
        function: &'a dyn Fn(&Request) -> Answer,
    ) -> Self {
        for (name, fragment) in &policies.fragments {
            // By the reference, "not supported in policy fragments".
            assert!(!fragment.contains("<cache-"), "{name} has a policy of the cache");
        }
        let owned = |(name, value): &(&str, &str)| (format!("{{{{{name}}}}}"), (*value).to_owned());
        Self {
            policies,
            named_values: named_values.iter().map(owned).collect(),
            function,
            now: Cell::new(1_800_000_000),
            cache: Rc::default(),
            expressions: RefCell::default(),
        }
    }

    pub(crate) fn handle(&self, request: Request) -> Outcome {
        let mut run = Run { request, variables: BTreeMap::new(), now: self.now.get(), gateway: self };
        let document = Document::parse(&self.policies.api).unwrap();
        let inbound = document.root_element().children().find(|node| node.has_tag_name("inbound"));
        match run.elements(inbound.expect("an inbound section")) {
            Ok(None) => Outcome::Forwarded(run.request),
            Ok(Some(reply)) => Outcome::Returned(reply),
            Err(exception) => Outcome::Failed(exception),
        }
    }
}

impl Run<'_> {
    /// The elements below a node, until one of them answers the client.
    fn elements(&mut self, parent: Node<'_, '_>) -> Result<Option<Reply>, Exception> {
        for node in parent.children().filter(Node::is_element) {
            if let Some(reply) = self.element(node)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    fn element(&mut self, node: Node<'_, '_>) -> Result<Option<Reply>, Exception> {
        match known(node).tag_name().name() {
            "base" => {}
            "set-variable" => {
                let value = self.value(required(node, "value"))?;
                self.variables.insert(required(node, "name").to_owned(), value);
            }
            "set-header" => {
                let mut headers = self.request.headers.clone();
                self.set_header(node, &mut headers)?;
                self.request.headers = headers;
            }
            "choose" => return self.choose(node),
            "return-response" => return self.return_response(node).map(Some),
            "send-request" => self.send_request(node)?,
            "include-fragment" => {
                let fragment = self.gateway.policies.fragments.get(required(node, "fragment-id"));
                let document = Document::parse(fragment.expect("a fragment that is deployed")).unwrap();
                return self.elements(document.root_element());
            }
            "authentication-managed-identity" => {
                self.request.headers.set("Authorization", &[self.identity(node)]);
            }
            "validate-client-certificate" => {
                if self.request.certificate.is_none() {
                    return Ok(Some(Reply { status: 403, ..Reply::default() }));
                }
            }
            "check-header" => {
                let values = node
                    .children()
                    .filter(Node::is_element)
                    .map(|value| self.named(value.text().unwrap_or_default()));
                let values: Vec<String> = values.collect();
                let sent = self.request.headers.one(required(node, "name"));
                if !sent.is_some_and(|sent| values.contains(&sent)) {
                    let status = required(node, "failed-check-httpcode").parse().unwrap();
                    return Ok(Some(Reply { status, ..Reply::default() }));
                }
            }
            "set-backend-service" => required(node, "backend-id").clone_into(&mut self.request.url),
            "cache-lookup-value" => {
                let key = text(&self.value(required(node, "key"))?);
                let cache = &self.gateway.cache;
                let found = cache.entries.borrow().get(&key).cloned();
                let fresh = found.filter(|(_, until)| cache.sticky.get() || self.now < *until);
                let value = match (fresh, node.attribute("default-value")) {
                    (Some((value, _)), _) => value,
                    (None, Some(default)) => self.value(default)?,
                    (None, None) => Value::Null,
                };
                self.variables.insert(required(node, "variable-name").to_owned(), value);
            }
            "cache-store-value" => {
                let key = text(&self.value(required(node, "key"))?);
                let value = self.value(required(node, "value"))?;
                let seconds: i64 = text(&self.value(required(node, "duration"))?).parse().unwrap();
                if seconds <= 0 {
                    return Err(Exception("a duration must be positive".to_owned()));
                }
                self.gateway.cache.entries.borrow_mut().insert(key, (value, self.now + seconds));
            }
            other => panic!("`{other}` is not known"),
        }
        Ok(None)
    }

    fn choose(&mut self, node: Node<'_, '_>) -> Result<Option<Reply>, Exception> {
        for branch in node.children().filter(Node::is_element) {
            let taken = match known(branch).tag_name().name() {
                "when" => truth(&self.value(required(branch, "condition"))?),
                "otherwise" => true,
                other => panic!("`{other}` in a choose"),
            };
            if taken {
                return self.elements(branch);
            }
        }
        Ok(None)
    }

    fn return_response(&mut self, node: Node<'_, '_>) -> Result<Reply, Exception> {
        let mut reply = Reply { status: 200, ..Reply::default() };
        if let Some(name) = node.attribute("response-variable-name") {
            match self.variables.get(name) {
                Some(Value::Reply(known)) => reply = Reply::clone(known),
                other => return Err(Exception(format!("no response in `{name}`: {other:?}"))),
            }
        }
        for child in node.children().filter(Node::is_element) {
            match known(child).tag_name().name() {
                "set-status" => reply.status = required(child, "code").parse().unwrap(),
                "set-header" => self.set_header(child, &mut reply.headers)?,
                "set-body" => reply.body = text(&self.value(child.text().unwrap_or_default())?),
                other => panic!("`{other}` in a return-response"),
            }
        }
        Ok(reply)
    }

    fn send_request(&mut self, node: Node<'_, '_>) -> Result<(), Exception> {
        let mut sent = match node.attribute("mode") {
            Some("copy") => Request { certificate: None, ..self.request.clone() },
            Some("new") | None => Request::default(),
            Some(other) => panic!("the mode `{other}` is not known"),
        };
        for child in node.children().filter(Node::is_element) {
            match known(child).tag_name().name() {
                "set-url" => sent.url = text(&self.value(child.text().unwrap_or_default())?),
                "set-method" => sent.method = child.text().unwrap_or_default().to_owned(),
                "set-header" => self.set_header(child, &mut sent.headers)?,
                "set-body" => sent.body = text(&self.value(child.text().unwrap_or_default())?),
                "authentication-managed-identity" => {
                    sent.headers.set("Authorization", &[self.identity(child)])
                }
                other => panic!("`{other}` in a send-request"),
            }
        }
        let patience: u64 = node.attribute("timeout").unwrap_or("60").parse().unwrap();
        let reply = match (self.gateway.function)(&sent) {
            Answer::Reply(reply) => Some(reply),
            Answer::Late(seconds, reply) => (seconds <= patience).then_some(reply),
            Answer::Failed => None,
        };
        let value = match reply {
            Some(reply) => Value::Reply(Rc::new(reply)),
            None if node.attribute("ignore-error") == Some("true") => Value::Null,
            None => return Err(Exception("send-request failed".to_owned())),
        };
        self.variables.insert(required(node, "response-variable-name").to_owned(), value);
        Ok(())
    }

    fn set_header(&self, node: Node<'_, '_>, headers: &mut Headers) -> Result<(), Exception> {
        let name = required(node, "name");
        let mut values = Vec::new();
        for value in node.children().filter(Node::is_element) {
            assert_eq!(known(value).tag_name().name(), "value");
            values.push(text(&self.value(value.text().unwrap_or_default())?));
        }
        match node.attribute("exists-action") {
            Some("delete") => headers.remove(name),
            Some("override") | None => headers.set(name, &values),
            Some("skip") if !headers.all(name).is_empty() => {}
            Some("skip") => headers.set(name, &values),
            other => panic!("exists-action {other:?} is not known"),
        }
        Ok(())
    }

    /// A text with the named values in their places.
    fn named(&self, written: &str) -> String {
        let mut text = written.to_owned();
        if text.contains("{{") {
            for (name, value) in &self.gateway.named_values {
                text = text.replace(name, value);
            }
            assert!(!text.contains("{{"), "a named value is not known: {text}");
        }
        text
    }

    /// The token that the gateway gets for itself.
    fn identity(&self, node: Node<'_, '_>) -> String {
        format!("Bearer of-the-gateway-for-{}", self.named(required(node, "resource")))
    }

    /// An attribute or a text: an expression, or what it says.
    fn value(&self, written: &str) -> Result<Value, Exception> {
        let written = self.named(written.trim());
        let written = written.as_str();
        match written.strip_prefix("@(") {
            Some(expression) => {
                self.gateway.expressions.borrow_mut().insert(written.to_owned());
                let expression = expression.strip_suffix(')').expect("an expression ends in `)`");
                evaluate(&parsed(expression), self, &mut Vec::new())
            }
            None => {
                assert!(!written.starts_with('@'), "not known: `{written}`");
                Ok(Value::Text(written.to_owned()))
            }
        }
    }
}

impl Headers {
    pub(crate) fn new<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let same = |(have, _): &&(String, String)| have.eq_ignore_ascii_case(name);
        self.0.iter().filter(same).map(|(_, value)| value.clone()).collect()
    }

    /// A header that is there once.
    pub(crate) fn one(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        if all.len() == 1 { all.pop() } else { None }
    }

    /// In order, each once.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in &self.0 {
            if !names.iter().any(|have| have.eq_ignore_ascii_case(name)) {
                names.push(name.clone());
            }
        }
        names
    }

    pub(crate) fn pairs(&self) -> Vec<Value> {
        self.names().into_iter().map(|name| Value::Header(name.clone(), self.all(&name))).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn append(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        assert!(
            !UNTOUCHABLE.iter().any(|untouchable| name.eq_ignore_ascii_case(untouchable)),
            "{name} cannot be set"
        );
        self.0.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    }

    pub(crate) fn set(&mut self, name: &str, values: &[String]) {
        self.remove(name);
        self.0.extend(values.iter().map(|value| (name.to_owned(), value.clone())));
    }
}

/// What `set-header` can neither write nor delete.
const UNTOUCHABLE: [&str; 4] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

/// The attributes of each element, for a misspelt one is none to this interpreter.
const ATTRIBUTES: [(&str, &[&str]); 22] = [
    ("base", &[]),
    ("set-variable", &["name", "value"]),
    ("set-header", &["name", "exists-action"]),
    ("value", &[]),
    ("choose", &[]),
    ("when", &["condition"]),
    ("otherwise", &[]),
    ("return-response", &["response-variable-name"]),
    ("set-status", &["code", "reason"]),
    ("set-body", &[]),
    ("set-url", &[]),
    ("set-method", &[]),
    ("send-request", &["mode", "response-variable-name", "timeout", "ignore-error"]),
    ("include-fragment", &["fragment-id"]),
    ("authentication-managed-identity", &["resource"]),
    (
        "validate-client-certificate",
        &[
            "validate-revocation",
            "validate-trust",
            "validate-not-before",
            "validate-not-after",
            "ignore-error",
        ],
    ),
    ("check-header", &["name", "failed-check-httpcode", "failed-check-error-message", "ignore-case"]),
    ("set-backend-service", &["backend-id"]),
    ("cache-lookup-value", &["key", "default-value", "variable-name", "caching-type"]),
    ("cache-store-value", &["key", "value", "duration", "caching-type"]),
    ("fragment", &[]),
    ("policies", &[]),
];

fn known<'a, 'input>(node: Node<'a, 'input>) -> Node<'a, 'input> {
    let name = node.tag_name().name();
    let (_, attributes) = ATTRIBUTES
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("`{name}` is not known"));
    for attribute in node.attributes() {
        assert!(attributes.contains(&attribute.name()), "`{}` of `{name}` is not known", attribute.name());
    }
    node
}

/// Each expression is parsed once: the same ones are run thousands of times.
fn parsed(expression: &str) -> Rc<Expression> {
    thread_local! {
        static PARSED: RefCell<BTreeMap<String, Rc<Expression>>> = RefCell::default();
    }
    PARSED.with_borrow_mut(|parsed| match parsed.get(expression) {
        Some(known) => Rc::clone(known),
        None => {
            let new = Rc::new(Expression::parse(expression));
            parsed.insert(expression.to_owned(), Rc::clone(&new));
            new
        }
    })
}

fn required<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_else(|| panic!("`{}` has no `{name}`", node.tag_name().name()))
}
