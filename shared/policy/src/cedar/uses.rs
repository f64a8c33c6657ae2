//! What policies read, and with which types: read off their syntax.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, UnaryOp, Var};

use super::{REGISTERED, load::Policy};

/// The type of a claim, as policies use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimType {
    /// A string.
    Text,
    /// A set of strings.
    Texts,
    /// A whole number.
    Long,
    /// A boolean.
    Bool,
}

/// The attributes that policies name. A request needs no others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Something is read in a way that does not show its names.
    everything: bool,
    principal: BTreeMap<String, Option<ClaimType>>,
    resource: BTreeSet<String>,
    context: BTreeSet<String>,
    /// The names of the principal and the context for which `has` asks.
    asked: BTreeSet<(&'static str, String)>,
}

/// The types of all claims, and which attributes may be missing.
#[derive(Debug)]
pub(crate) struct Types {
    claims: BTreeMap<String, ClaimType>,
    optional: BTreeSet<(&'static str, String)>,
}

/// The types that the policies, taken together, use claims with. The first use that shows a type gives it; one that
/// contradicts it is found by validation.
pub(crate) fn types(policies: &[Policy]) -> Types {
    let mut claims = BTreeMap::new();
    for (claim, kind) in policies.iter().flat_map(|policy| &policy.reads.principal) {
        if let Some(kind) = kind {
            claims.entry(claim.clone()).or_insert(*kind);
        }
    }
    let optional = policies.iter().flat_map(|policy| policy.reads.asked.clone()).collect();
    Types { claims, optional }
}

impl Types {
    /// A string, where nothing says otherwise.
    pub(crate) fn of(&self, claim: &str) -> ClaimType {
        self.claims.get(claim).copied().unwrap_or(ClaimType::Text)
    }

    /// Whether some policy asks for an attribute of `principal` or `context` first, so that all of them must.
    pub(crate) fn optional(&self, variable: &'static str, name: &str) -> bool {
        self.optional.contains(&(variable, name.to_owned()))
    }
}

impl Reads {
    /// What a policy's conditions read.
    pub(crate) fn of(clauses: &[Clause]) -> Self {
        let mut reads = Self::default();
        for clause in clauses {
            let (Clause::When(condition) | Clause::Unless(condition)) = clause;
            reads.walk(condition, Some(ClaimType::Bool));
        }
        reads
    }

    /// Joins another policy's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.everything |= other.everything;
        for name in other.principal.keys() {
            self.principal.entry(name.clone()).or_default();
        }
        self.resource.extend(other.resource.clone());
        self.context.extend(other.context.clone());
    }

    pub(crate) fn principal(&self, name: &str) -> bool {
        self.everything || self.principal.contains_key(name)
    }

    pub(crate) fn resource(&self, name: &str) -> bool {
        self.everything || self.resource.contains(name)
    }

    pub(crate) fn context(&self, name: &str) -> bool {
        self.everything || self.context.contains(name)
    }

    /// Every name: of which variable, and what.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let principal = self.principal.keys().map(|name| ("principal", name.as_str()));
        let resource = self.resource.iter().map(|name| ("resource", name.as_str()));
        let context = self.context.iter().map(|name| ("context", name.as_str()));
        principal.chain(resource).chain(context)
    }

    fn walk(&mut self, expression: &Expr, expected: Option<ClaimType>) {
        match expression {
            Expr::Literal(_) | Expr::Slot(_) | Expr::Var(Var::Principal | Var::Action | Var::Resource) => {}
            Expr::GetAttr { expr, attr } => self.attribute(expr, attr, expected),
            Expr::HasAttr { expr, attrs } => {
                let variable = match **expr {
                    Expr::Var(Var::Principal) => Some("principal"),
                    Expr::Var(Var::Context) => Some("context"),
                    _ => None,
                };
                self.asked.extend(variable.map(|variable| (variable, attrs.head.to_string())));
                self.attribute(expr, &attrs.head, None);
            }
            Expr::UnaryOp { op, expr } => self.walk(expr, operand(*op)),
            Expr::BinaryOp { op, left, right } => {
                let (of_left, of_right) = operands(*op, left, right);
                self.walk(left, of_left);
                self.walk(right, of_right);
            }
            Expr::Like { expr, .. } => self.walk(expr, Some(ClaimType::Text)),
            Expr::Is { expr, in_expr, .. } => {
                self.walk(expr, None);
                if let Some(of) = in_expr {
                    self.walk(of, None);
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.walk(cond, Some(ClaimType::Bool));
                self.walk(then_expr, expected.or_else(|| kind(else_expr)));
                self.walk(else_expr, expected.or_else(|| kind(then_expr)));
            }
            Expr::Set(elements) => {
                elements.iter().for_each(|element| self.walk(element, Some(ClaimType::Text)))
            }
            Expr::Record(values) => values.values().for_each(|value| self.walk(value, None)),
            // The context as a whole, or syntax that is newer than this.
            _ => self.everything = true,
        }
    }

    fn attribute(&mut self, of: &Expr, name: &str, expected: Option<ClaimType>) {
        match of {
            Expr::Var(Var::Principal) => {
                let known = self.principal.entry(name.to_owned()).or_default();
                *known = known.or(expected);
            }
            Expr::Var(Var::Resource) => {
                self.resource.insert(name.to_owned());
            }
            Expr::Var(Var::Context) => {
                self.context.insert(name.to_owned());
            }
            other => {
                self.everything = true;
                self.walk(other, None);
            }
        }
    }
}

fn operand(op: UnaryOp) -> Option<ClaimType> {
    match op {
        UnaryOp::Not => Some(ClaimType::Bool),
        UnaryOp::Neg => Some(ClaimType::Long),
        UnaryOp::IsEmpty => Some(ClaimType::Texts),
        _ => None,
    }
}

fn operands(op: BinaryOp, left: &Expr, right: &Expr) -> (Option<ClaimType>, Option<ClaimType>) {
    use BinaryOp::{
        Add, And, Contains, ContainsAll, ContainsAny, Eq, Greater, GreaterEq, Less, LessEq, Mul, NotEq, Or,
        Sub,
    };
    let both = |kind| (Some(kind), Some(kind));
    match op {
        And | Or => both(ClaimType::Bool),
        Less | LessEq | Greater | GreaterEq | Add | Sub | Mul => both(ClaimType::Long),
        Contains => (Some(ClaimType::Texts), Some(ClaimType::Text)),
        ContainsAll | ContainsAny => both(ClaimType::Texts),
        Eq | NotEq => (kind(right), kind(left)),
        _ => (None, None),
    }
}

/// The type of an expression, as far as it shows.
fn kind(expression: &Expr) -> Option<ClaimType> {
    match expression {
        Expr::Literal(Literal::String(_)) => Some(ClaimType::Text),
        Expr::Literal(Literal::Long(_)) | Expr::UnaryOp { op: UnaryOp::Neg, .. } => Some(ClaimType::Long),
        Expr::Literal(Literal::Bool(_)) | Expr::HasAttr { .. } | Expr::Like { .. } | Expr::Is { .. } => {
            Some(ClaimType::Bool)
        }
        Expr::Set(_) => Some(ClaimType::Texts),
        Expr::GetAttr { expr, attr } => match (&**expr, attr.as_str()) {
            (Expr::Var(Var::Resource), _) | (Expr::Var(Var::Context), "method") => Some(ClaimType::Text),
            (Expr::Var(Var::Context), "time") => Some(ClaimType::Long),
            (Expr::Var(Var::Principal), name) => {
                REGISTERED.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
            }
            _ => None,
        },
        Expr::BinaryOp { op: BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, .. } => Some(ClaimType::Long),
        Expr::UnaryOp { op: UnaryOp::Not | UnaryOp::IsEmpty, .. } => Some(ClaimType::Bool),
        _ => None,
    }
}
