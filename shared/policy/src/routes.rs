use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use drawbridge_verify::Verified;
use matchit::Router;
use thiserror::Error;

use crate::{Path, template};

/// One configured route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `/customers/{customer}`: literal segments and `{parameter}` segments; a last `{*rest}` takes the rest.
    pub template: String,
    /// Upper-case HTTP methods. `GET` does not imply `HEAD`.
    pub methods: Vec<String>,
    /// All of these must be in the token's `scope`; none are needed where it is empty.
    pub scopes: Vec<String>,
    /// Whether the Cedar policy decides as well.
    pub policy: bool,
}

/// The routes of a backend, ready to match.
///
/// Literal segments go before parameters, and parameters before `{*rest}`; the order in the configuration says nothing.
#[derive(Clone, Debug)]
pub struct Routes {
    routes: Vec<Route>,
    /// For each method: one method's routes cannot hide another's.
    methods: Vec<(&'static str, Paths)>,
}

/// The routes of one method by path: indexes into [`Routes::routes`].
#[derive(Clone, Debug, Default)]
struct Paths {
    exact: Router<usize>,
    /// The same with all literals in lower case.
    folded: Router<usize>,
    /// Whether a literal is not in lower case.
    mixed: bool,
}

/// A route table that cannot be: its index and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("routes[{index}]: {message}")]
pub struct RouteMistake {
    /// Index into the configured routes.
    pub index: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// The route of a request.
#[derive(Debug)]
pub struct Match<'r, 'p> {
    /// The route.
    pub route: &'r Route,
    /// Its index among the configured routes.
    pub index: usize,
    /// The request's method: one of the route's.
    pub method: &'static str,
    /// Parameter values, percent-decoded, in the order of the template.
    pub parameters: Vec<(&'r str, Cow<'p, str>)>,
}

/// Why the request may not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Denied {
    /// No route has this path and method.
    #[error("no such route")]
    UnknownRoute,
    /// A scope is missing; these are the ones that the route needs.
    #[error("a scope is missing")]
    MissingScope {
        /// Space-delimited, as in `WWW-Authenticate`'s `scope`.
        required: String,
    },
    /// The policies do not permit the request.
    #[error("the policies do not permit the request")]
    Policy {
        /// Those that forbid it; none where it is only not permitted.
        policies: Vec<String>,
    },
    /// A claim is not of the type that the policies use it with.
    #[error("the claim `{claim}` has not the type that the policies use it with")]
    ClaimType {
        /// Its name, as the configuration has it.
        claim: String,
    },
    /// Policies could not be evaluated on the request.
    #[error("a policy could not be evaluated")]
    PolicyError {
        /// Which.
        policies: Vec<String>,
    },
}

/// The methods that a route can name. `CONNECT` and `TRACE` are not for applications.
pub const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Routes {
    /// # Errors
    /// Every mistake: bad templates, two routes of one method and shape, unknown methods, scopes that no token can carry.
    pub fn new(routes: Vec<Route>) -> Result<Self, Vec<RouteMistake>> {
        let mut mistakes = Vec::new();
        let mut shapes = HashMap::new();
        let mut methods: Vec<(&'static str, Paths)> = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let mut mistake = |message| mistakes.push(RouteMistake { index, message });
            scopes(&route.scopes, &mut mistake);
            let known = known_methods(&route.methods, &mut mistake);
            let shape = match template::parse(&route.template) {
                Ok(segments) => template::shape(&segments),
                Err(message) => {
                    mistake(message);
                    continue;
                }
            };
            // Its literals are ASCII, and the names of its parameters are in lower case.
            let folded = route.template.to_ascii_lowercase();
            for method in known {
                if let Some(first) = shapes.insert((method, shape.clone()), index) {
                    mistake(format!(
                        "`{method} {}` takes the same requests as routes[{first}]; leave one of them out",
                        route.template
                    ));
                    continue;
                }
                let paths = match methods.iter().position(|(have, _)| *have == method) {
                    Some(position) => methods.get_mut(position),
                    None => {
                        methods.push((method, Paths::default()));
                        methods.last_mut()
                    }
                };
                let Some((_, paths)) = paths else { continue };
                paths.mixed |= folded != route.template;
                if paths.exact.insert(route.template.as_str(), index).is_err() {
                    mistake(format!(
                        "`{method} {}` overlaps another route so that a request could be either's; make the paths distinct",
                        route.template
                    ));
                } else if paths.folded.insert(folded.as_str(), index).is_err() {
                    mistake(format!(
                        "`{method} {}` differs from another route in upper and lower case alone, which not every backend tells \
                         apart; make the paths distinct",
                        route.template
                    ));
                }
            }
        }
        if mistakes.is_empty() { Ok(Self { routes, methods }) } else { Err(mistakes) }
    }

    /// The configured routes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The route of a request.
    ///
    /// A path that would be another route's if upper and lower case were the same is nobody's: there are backends for which they are,
    /// and `/reports/EXPORT` must not be had with what `/reports/{report}` asks for where `/reports/export` asks for more.
    ///
    /// # Errors
    /// `UnknownRoute`.
    pub fn find<'r, 'p>(&'r self, method: &str, path: &'p Path<'p>) -> Result<Match<'r, 'p>, Denied> {
        let &(method, ref paths) =
            self.methods.iter().find(|(have, _)| *have == method).ok_or(Denied::UnknownRoute)?;
        let found = paths.exact.at(path.decoded()).map_err(|_| Denied::UnknownRoute)?;
        let index = *found.value;
        if !paths.takes_any_case(path.decoded(), index) {
            return Err(Denied::UnknownRoute);
        }
        let route = self.routes.get(index).ok_or(Denied::UnknownRoute)?;
        let parameters = found.params.iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect();
        Ok(Match { route, index, method, parameters })
    }

    /// The routes that the claims grant whatever the request is, by index: their scopes are there, and no policy decides as well.
    pub fn granted(&self, claims: &Verified<'_>) -> impl Iterator<Item = usize> {
        let granted = |route: &Route| !route.policy && route.authorize(claims).is_ok();
        self.routes.iter().enumerate().filter(move |(_, route)| granted(route)).map(|(index, _)| index)
    }
}

impl Paths {
    /// Whether a path is the route's also where upper and lower case are the same.
    fn takes_any_case(&self, path: &str, index: usize) -> bool {
        let lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
        if !self.mixed && path.bytes().all(lower) {
            return true;
        }
        // Twice, because not every letter has its partner in both directions: `ſ` is a small `S`.
        self.folded.at(&path.to_uppercase().to_lowercase()).is_ok_and(|found| *found.value == index)
    }
}

impl Route {
    /// Whether the claims carry every scope that the route needs, exactly and case-sensitively (RFC 6749 section 3.3).
    fn authorize(&self, claims: &Verified<'_>) -> Result<(), Denied> {
        if self.scopes.iter().all(|scope| claims.scopes().any(|have| have == scope)) {
            return Ok(());
        }
        Err(Denied::MissingScope { required: self.scopes.join(" ") })
    }
}

impl Match<'_, '_> {
    /// Whether the claims carry every scope that the route needs, exactly and case-sensitively (RFC 6749 section 3.3).
    ///
    /// # Errors
    /// `MissingScope`.
    pub fn authorize(&self, claims: &Verified<'_>) -> Result<(), Denied> {
        self.route.authorize(claims)
    }
}

/// The methods among `methods` that are known, each once.
fn known_methods(methods: &[String], mistake: &mut impl FnMut(String)) -> Vec<&'static str> {
    if methods.is_empty() {
        mistake("no method is named, so no request can match; write `methods: [GET]`".to_owned());
    }
    let mut known = Vec::new();
    for method in methods {
        match METHODS.into_iter().find(|name| name.eq_ignore_ascii_case(method)) {
            Some(name) if name != method => {
                mistake(format!("methods are upper case; write `{name}` for `{method}`"))
            }
            Some(name) if known.contains(&name) => mistake(format!("`{name}` is named twice; write it once")),
            Some(name) => known.push(name),
            None => {
                mistake(format!("`{method}` is no method of a route; write one of {}", METHODS.join(", ")))
            }
        }
    }
    known
}

fn scopes(scopes: &[String], mistake: &mut impl FnMut(String)) {
    let mut seen = HashSet::new();
    for scope in scopes {
        if scope.contains(char::is_whitespace) {
            mistake(format!(
                "the scope `{}` has white space; write each scope as an item of the list",
                scope.escape_debug()
            ));
        } else if !is_scope(scope) {
            mistake(format!(
                "`{}` is no scope that a token can carry; write visible ASCII without `\"` and `\\`",
                scope.escape_debug()
            ));
        } else if !seen.insert(scope) {
            mistake(format!("the scope `{scope}` is named twice; write it once"));
        }
    }
}

/// `scope-token` of RFC 6749 section 3.3.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn route(methods: &[&str], template: &str) -> Route {
        Route {
            template: template.to_owned(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            scopes: vec!["customers:read".to_owned()],
            policy: false,
        }
    }

    fn customers() -> Routes {
        Routes::new(vec![
            route(&["GET"], "/customers/{customer}"),
            route(&["GET"], "/customers/me"),
            route(&["PUT", "DELETE"], "/customers/{id}"),
            route(&["GET"], "/regions/{region}/customers/{customer}"),
            route(&["GET"], "/files/{*rest}"),
            route(&["POST"], "/customers"),
            route(&["GET"], "/slash/"),
            route(&["GET"], "/"),
        ])
        .unwrap()
    }

    #[test]
    fn a_request_finds_the_most_specific_route_of_its_method() {
        let table: [(_, _, _, &[_]); 10] = [
            ("GET", "/", "/", &[]),
            ("GET", "/customers/4711", "/customers/{customer}", &[("customer", "4711")]),
            ("GET", "/customers/me", "/customers/me", &[]),
            ("PUT", "/customers/me", "/customers/{id}", &[("id", "me")]),
            ("GET", "/customers/a%20b?c", "/customers/{customer}", &[("customer", "a b")]),
            ("GET", "/customers/%7bcustomer%7d", "/customers/{customer}", &[("customer", "{customer}")]),
            (
                "GET",
                "/regions/EU/customers/7",
                "/regions/{region}/customers/{customer}",
                &[("region", "EU"), ("customer", "7")],
            ),
            ("GET", "/files/a/b", "/files/{*rest}", &[("rest", "a/b")]),
            ("GET", "/slash/", "/slash/", &[]),
            ("POST", "/customers", "/customers", &[]),
        ];
        let routes = customers();
        for (method, target, template, parameters) in table {
            let path = Path::parse(target).unwrap();
            let found = routes.find(method, &path).unwrap_or_else(|_| panic!("{method} {target}"));
            assert_eq!(found.route.template, template);
            let have: Vec<_> = found.parameters.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            assert_eq!(have, parameters, "{method} {target}");
        }
    }

    #[test]
    fn what_no_route_names_is_unknown() {
        let table = [
            ("HEAD", "/customers/4711"),
            ("get", "/customers/4711"),
            ("GET ", "/customers/4711"),
            ("", "/customers/4711"),
            ("TRACE", "/customers/4711"),
            ("POST", "/customers/4711"),
            ("GET", "/customers"),
            ("GET", "/customers/"),
            ("GET", "/customers/4711/"),
            ("GET", "/customers/4711/orders"),
            ("GET", "/Customers/4711"),
            ("GET", "/slash"),
            ("GET", "/files"),
            ("GET", "/files/"),
        ];
        let routes = customers();
        for (method, target) in table {
            let path = Path::parse(target).unwrap();
            assert_eq!(
                routes.find(method, &path).map(|_| ()),
                Err(Denied::UnknownRoute),
                "{method} {target}"
            );
        }
    }

    #[test]
    fn a_path_that_is_another_routes_in_another_case_is_nobodys() {
        let routes = Routes::new(vec![
            route(&["GET"], "/reports/{report}"),
            route(&["GET"], "/reports/export"),
            route(&["GET"], "/Teams/{team}"),
            route(&["GET"], "/{*rest}"),
            route(&["POST"], "/reports/{report}"),
        ])
        .unwrap();
        let table = [
            ("GET", "/reports/export", Some("/reports/export")),
            ("GET", "/reports/EXPORT", None),
            ("GET", "/reports/Export", None),
            ("GET", "/reports/%45xport", None),
            ("GET", "/REPORTS/export", None),
            ("GET", "/reportſ/export", None),
            ("GET", "/reports/exported", Some("/reports/{report}")),
            ("GET", "/reports/ABC", Some("/reports/{report}")),
            ("GET", "/reports/É", Some("/reports/{report}")),
            ("GET", "/REPORTS/1", None),
            ("GET", "/Teams/A", Some("/Teams/{team}")),
            ("GET", "/teams/a", None),
            ("GET", "/TEAMS/a", None),
            ("GET", "/Other/THING", Some("/{*rest}")),
            ("POST", "/reports/EXPORT", Some("/reports/{report}")),
            ("POST", "/REPORTS/1", None),
        ];
        for (method, target, template) in table {
            let path = Path::parse(target).unwrap();
            let found = routes.find(method, &path);
            assert_eq!(found.ok().map(|found| found.route.template.as_str()), template, "{method} {target}");
        }
        let mistakes =
            Routes::new(vec![route(&["GET"], "/a/{b}/c"), route(&["GET"], "/A/{d}/c")]).unwrap_err();
        assert_eq!(mistakes[0].index, 1);
        assert!(mistakes[0].message.contains("upper and lower case alone"), "{mistakes:?}");
    }

    #[test]
    fn every_mistake_says_what_to_write_instead() {
        let scoped = |scopes: &[&str]| Route {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..route(&["GET"], "/a")
        };
        let table = [
            (route(&["GET"], "customers"), "write `/customers`"),
            (route(&["GET"], ""), "write `/`"),
            (route(&["GET"], "/a//b"), "single slashes"),
            (route(&["GET"], "/a/../b"), "leave it out"),
            (route(&["GET"], "/a/{}"), "is not a name"),
            (route(&["GET"], "/a/{Customer}"), "is not a name"),
            (route(&["GET"], "/a/{1}"), "is not a name"),
            (route(&["GET"], "/a/{b}/{b}"), "two parameters `{b}`"),
            (route(&["GET"], "/a/x{b}"), "a whole segment"),
            (route(&["GET"], "/a/{b"), "a whole segment"),
            (route(&["GET"], "/a/{{b}}"), "is not a name"),
            (route(&["GET"], "/a/{*b}/c"), "must be the last segment"),
            (route(&["GET"], "/a/*"), "the character `*`"),
            (route(&["GET"], "/a%20b"), "the character `%`"),
            (route(&["GET"], "/a?b"), "the character `?`"),
            (route(&["GET"], "/a;b"), "the character `;`"),
            (route(&["GET"], "/caf\u{e9}"), "the character `\\u{e9}`"),
            (route(&["GET"], &format!("/{}", "a".repeat(400))), "shorter"),
            (route(&[], "/a"), "write `methods: [GET]`"),
            (route(&["get"], "/a"), "write `GET` for `get`"),
            (route(&["GET", "GET"], "/a"), "write it once"),
            (route(&["BREW"], "/a"), "write one of GET, HEAD"),
            (route(&["TRACE"], "/a"), "write one of GET, HEAD"),
            (scoped(&["a b"]), "an item of the list"),
            (scoped(&[""]), "visible ASCII"),
            (scoped(&["a\"b"]), "visible ASCII"),
            (scoped(&["a", "a"]), "named twice"),
        ];
        for (route, message) in table {
            let mistakes = Routes::new(vec![route.clone()]).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{route:?}: {mistakes:?}");
            assert!(mistakes[0].message.contains(message), "{mistakes:?} lacks {message:?}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_index() {
        let mistakes = Routes::new(vec![
            route(&["GET"], "/a/{b}"),
            route(&["get"], "x"),
            route(&["GET"], "/a/{c}"),
            route(&["GET"], "/a/{*d}"),
            route(&["POST"], "/a/{c}"),
        ])
        .unwrap_err();
        assert_eq!(mistakes.iter().map(|mistake| mistake.index).collect::<Vec<_>>(), [1, 1, 2, 3]);
        assert!(mistakes[2].message.contains("the same requests as routes[0]"));
        assert!(mistakes[3].to_string().starts_with("routes[3]: `GET /a/{*d}` overlaps another route"));
    }

    #[test]
    fn a_route_without_scopes_may_be_configured() {
        assert!(Routes::new(vec![Route { scopes: Vec::new(), ..route(&["GET"], "/health") }]).is_ok());
        assert_eq!(Routes::new(Vec::new()).unwrap().iter().count(), 0);
    }

    proptest! {
        #[test]
        fn matching_never_panics_and_parameters_rebuild_the_path(
            method in prop_oneof![Just("GET".to_owned()), any::<String>()],
            target in prop_oneof![any::<String>(), "/(customers|regions|files|me|[a-zA-Z0-9%é. ~]{1,6})(/[a-z0-9%]{0,6}){0,4}"],
        ) {
            let routes = customers();
            let Ok(path) = Path::parse(&target) else { return Ok(()) };
            if let Ok(found) = routes.find(&method, &path) {
                let mut rebuilt = found.route.template.clone();
                for (name, value) in &found.parameters {
                    prop_assert!(!value.is_empty());
                    prop_assert!(*name == "rest" || !value.contains('/'));
                    for pattern in [format!("{{{name}}}"), format!("{{*{name}}}")] {
                        rebuilt = rebuilt.replacen(&pattern, value, 1);
                    }
                }
                prop_assert_eq!(rebuilt, path.decoded());
            }
        }

        #[test]
        fn any_template_is_taken_or_refused_without_a_panic(template in "[/a-c{}*.é%]{0,16}") {
            let _ = Routes::new(vec![route(&["GET"], &template), route(&["GET"], "/a/{b}")]);
        }
    }
}
