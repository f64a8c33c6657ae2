use drawbridge_verify::Verified;
use thiserror::Error;

use crate::Path;

/// One configured route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `/customers/{customer}`: literal segments and `{parameter}` segments; a last `{*rest}` takes the rest.
    pub template: String,
    /// Upper-case HTTP methods.
    pub methods: Vec<String>,
    /// All of these must be in the token's `scope`.
    pub scopes: Vec<String>,
    /// Whether the Cedar policy decides as well.
    pub policy: bool,
}

/// The routes of a backend, ready to match.
#[derive(Debug)]
pub struct Routes {
    _routes: Vec<Route>,
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
    /// Parameter values, percent-decoded, in the order of the template.
    pub parameters: Vec<(&'r str, std::borrow::Cow<'p, str>)>,
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
}

impl Routes {
    /// # Errors
    /// Every mistake: bad templates, ambiguous routes, unknown methods, empty scopes.
    pub fn new(routes: Vec<Route>) -> Result<Self, Vec<RouteMistake>> { let _ = routes; todo!() }

    /// The configured routes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Route> { self._routes.iter() }

    /// The route of a request.
    ///
    /// # Errors
    /// `UnknownRoute`.
    pub fn find<'r, 'p>(&'r self, method: &str, path: &'p Path<'p>) -> Result<Match<'r, 'p>, Denied> {
        let _ = (method, path);
        todo!()
    }
}

impl Match<'_, '_> {
    /// Whether the claims carry every scope that the route needs.
    ///
    /// # Errors
    /// `MissingScope`.
    pub fn authorize(&self, claims: &Verified<'_>) -> Result<(), Denied> { let _ = claims; todo!() }
}
