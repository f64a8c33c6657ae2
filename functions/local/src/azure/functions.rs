//! `host.json` and `function.json`, as they are deployed: what the host does is read from what it would read.

use std::time::Duration;

use drawbridge_azure_functions::contract;
use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// The functions of an app.
#[derive(Debug)]
pub(super) struct Functions {
    /// `extensions.http.routePrefix`; may be empty.
    prefix: String,
    initialization_timeout: Duration,
    functions: Vec<Function>,
}

/// One function with an HTTP trigger and an HTTP output.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// The name of the trigger binding: the member of `Data`.
    pub(super) input: String,
    /// The name of the output binding: the member of `Outputs`, or `$return`.
    pub(super) output: String,
    methods: Vec<Method>,
    route: Vec<Segment>,
}

/// A request's function and its route parameters.
#[derive(Debug)]
pub(super) struct Found<'f> {
    pub(super) function: &'f Function,
    pub(super) parameters: Vec<(&'f str, String)>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter(String),
    /// `{*name}`: whatever is left, which may be nothing.
    Rest(String),
}

impl Functions {
    /// Those of `functions/azure`.
    pub(super) fn deployed() -> Result<Self, String> {
        Self::read(contract::HOST_JSON, &contract::FUNCTIONS)
    }

    fn read(host: &str, functions: &[(&str, &str)]) -> Result<Self, String> {
        let host: HostJson = serde_json::from_str(host).map_err(|error| format!("host.json: {error}"))?;
        let functions = functions
            .iter()
            .map(|(name, text)| {
                Function::read(name, text).map_err(|error| format!("{name}/function.json: {error}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            prefix: host.extensions.http.route_prefix.trim_matches('/').to_owned(),
            initialization_timeout: time_span(&host.custom_handler.initialization_timeout)
                .ok_or("host.json: initializationTimeout is not of the form hh:mm:ss")?,
            functions,
        })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How long the handler has until it answers at `/`.
    pub(super) fn initialization_timeout(&self) -> Duration {
        self.initialization_timeout
    }

    /// The function of a normalised path. Literal segments are compared without case, as ASP.NET Core routing does.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Found<'_>> {
        let path = path.strip_prefix('/')?;
        let path = match self.prefix.as_str() {
            "" => path,
            prefix => {
                let (first, rest) = path.split_at_checked(prefix.len())?;
                if !first.eq_ignore_ascii_case(prefix) {
                    return None;
                }
                rest.strip_prefix('/')?
            }
        };
        let segments: Vec<&str> = path.split('/').collect();
        self.functions
            .iter()
            .filter(|function| function.methods.contains(method))
            .find_map(|function| Some(Found { function, parameters: function.parameters(&segments)? }))
    }
}

impl Function {
    fn read(name: &str, text: &str) -> Result<Self, String> {
        let FunctionJson { bindings } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let [trigger, output] = <[Binding; 2]>::try_from(bindings)
            .map_err(|_| "only a function of one `httpTrigger` and one `http` output can be forwarded")?;
        if (trigger.kind.as_str(), output.kind.as_str()) != ("httpTrigger", "http") {
            return Err("the bindings must be one `httpTrigger` and then one `http` output".to_owned());
        }
        if trigger.auth_level.as_deref() != Some("anonymous") {
            return Err("there are no function keys here: authLevel must be `anonymous`".to_owned());
        }
        let methods = trigger
            .methods
            .iter()
            .map(|method| method.to_ascii_uppercase().parse().map_err(|_| format!("`{method}` is no method")))
            .collect::<Result<_, _>>()?;
        let route = trigger.route.unwrap_or_else(|| name.to_owned());
        let route = route
            .split('/')
            .map(|segment| match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
                Some(parameter) => match parameter.strip_prefix('*') {
                    Some(rest) => Segment::Rest(rest.to_owned()),
                    None => Segment::Parameter(parameter.to_owned()),
                },
                None => Segment::Literal(segment.to_owned()),
            })
            .collect();
        Ok(Self { name: name.to_owned(), input: trigger.name, output: output.name, methods, route })
    }

    fn parameters<'f>(&'f self, path: &[&str]) -> Option<Vec<(&'f str, String)>> {
        let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        let mut parameters = Vec::new();
        let mut path = path.iter();
        for segment in &self.route {
            match (segment, path.next()) {
                (Segment::Literal(literal), Some(value)) if literal.eq_ignore_ascii_case(value) => {}
                (Segment::Parameter(name), Some(value)) if !value.is_empty() => {
                    parameters.push((name.as_str(), decoded(value)));
                }
                (Segment::Rest(name), first) => {
                    let rest: Vec<&str> = first.into_iter().chain(path.by_ref()).copied().collect();
                    parameters.push((name.as_str(), decoded(&rest.join("/"))));
                }
                _ => return None,
            }
        }
        path.next().is_none().then_some(parameters)
    }
}

/// A .NET `TimeSpan` of the form `hh:mm:ss`.
fn time_span(text: &str) -> Option<Duration> {
    let mut parts = text.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60)
        .then(|| Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HostJson {
    #[serde(default)]
    extensions: Extensions,
    custom_handler: CustomHandler,
}

#[derive(Default, Deserialize)]
struct Extensions {
    #[serde(default)]
    http: HttpExtension,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpExtension {
    route_prefix: String,
}

impl Default for HttpExtension {
    fn default() -> Self {
        Self { route_prefix: "api".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomHandler {
    #[serde(default = "thirty_seconds")]
    initialization_timeout: String,
}

/// The default in `HttpWorkerOptions.cs`.
fn thirty_seconds() -> String {
    "00:00:30".to_owned()
}

#[derive(Deserialize)]
struct FunctionJson {
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    auth_level: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
    route: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployed_functions_are_found_by_method_and_route() {
        let functions = Functions::deployed().unwrap();
        let find = |method: Method, path: &str| {
            functions.find(&method, path).map(|found| (found.function.name.clone(), found.parameters))
        };
        let authorize = Some(("authorize".to_owned(), vec![]));
        assert_eq!(find(Method::GET, "/api/authorize"), authorize);
        assert_eq!(find(Method::POST, "/API/Authorize"), authorize);
        let key = vec![("backend", "billing".to_owned()), ("kid", "billing.sig.v 1".to_owned())];
        assert_eq!(find(Method::GET, "/api/jwks/billing/billing.sig.v%201"), Some(("jwks".to_owned(), key)));
        let rest = |rest: &str| Some(("proxy".to_owned(), vec![("path", rest.to_owned())]));
        assert_eq!(find(Method::PATCH, "/api/proxy/invoices/a%2Fb"), rest("invoices/a/b"));
        assert_eq!((find(Method::GET, "/api/proxy"), find(Method::GET, "/api/proxy/")), (rest(""), rest("")));
        for (method, path) in [
            (Method::TRACE, "/api/proxy/invoices"),
            (Method::GET, "/api/proxyinvoices"),
            (Method::PUT, "/api/authorize"),
            (Method::POST, "/api/jwks/billing/kid"),
            (Method::GET, "/authorize"),
            (Method::GET, "/apiauthorize"),
            (Method::GET, "/api/authorize/"),
            (Method::GET, "/api/authorize/more"),
            (Method::GET, "/api/jwks"),
            (Method::GET, "/api/jwks/billing"),
            (Method::GET, "/api/jwks/billing/"),
            (Method::GET, "/api/jwks/billing/kid/more"),
            (Method::GET, "/ap"),
            (Method::GET, "/é"),
            (Method::GET, ""),
        ] {
            assert_eq!(find(method, path), None, "{path}");
        }
    }

    #[test]
    fn the_route_prefix_may_be_taken_away() {
        let host = r#"{"extensions":{"http":{"routePrefix":""}},"customHandler":{}}"#;
        let functions = Functions::read(host, &contract::FUNCTIONS).unwrap();
        assert!(functions.find(&Method::GET, "/authorize").is_some());
        assert!(functions.find(&Method::GET, "/api/authorize").is_none());
        assert_eq!(functions.initialization_timeout(), Duration::from_secs(30));
    }

    #[test]
    fn only_a_function_of_one_trigger_and_one_output_is_taken() {
        let read = |text: &str| Function::read("f", text).unwrap_err();
        let queue = r#"{"bindings":[{"type":"queueTrigger","name":"q"},{"type":"http","name":"res"}]}"#;
        assert!(read(queue).contains("httpTrigger"));
        assert!(read(r#"{"bindings":[]}"#).contains("one `httpTrigger`"));
        let keyed = r#"{"bindings":[{"type":"httpTrigger","name":"r","authLevel":"function"},{"type":"http","name":"o"}]}"#;
        assert!(read(keyed).contains("anonymous"));
    }

    #[test]
    fn a_time_span_has_three_parts_in_range() {
        assert_eq!(time_span("01:02:03"), Some(Duration::from_secs(3723)));
        for wrong in
            ["", "30", "00:30", "00:00:60", "00:60:00", "24:00:00", "00:00:00:01", "-1:00:00", "a:b:c"]
        {
            assert_eq!(time_span(wrong), None, "{wrong}");
        }
    }
}
